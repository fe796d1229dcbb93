"""A tree as text: canonical YAML for readers, JSON for programs; both are read back to the same tree."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from appliance.config.tree import Tree
from appliance.schema.refusal import child_shape
from appliance.schema.shape import Keyed, Shape, root_shape


class _Dumper(yaml.CSafeDumper):
    """Block style, but short lists of values on one line."""


def _represent_list(dumper: _Dumper, items: list[Any]) -> yaml.Node:
    flow = all(not isinstance(item, dict | list) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


_Dumper.add_representer(list, _represent_list)


def to_yaml(tree: Tree) -> str:
    """Write a tree as YAML that YAML 1.1 readers understand the same way; rule numbers are numbers."""
    if not tree:
        return "{}\n"
    text: str = yaml.dump(
        _numbered(tree, root_shape()),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=1000,
    )
    return text


# Characters that JSON lets stand and YAML does not, or takes for line ends (YAML 1.2.2 §5.1).
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_json(tree: Tree) -> str:
    """Write a tree as JSON, two blanks to a level, that is YAML as well."""
    text = json.dumps(tree, indent=2, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def _numbered(value: Any, shape: Shape | None) -> Any:
    if not isinstance(value, dict):
        return value
    numbers = isinstance(shape, Keyed) and shape.key.numbered
    return {
        int(word) if numbers and word.isdigit() else word: _numbered(child, child_shape(shape, word))
        for word, child in value.items()
    }
