"""A tree, or a part of one, in one of its three spellings."""

from __future__ import annotations

from typing import Any

from appliance.config.commands import to_set_commands
from appliance.config.edit import canonical_path
from appliance.config.emit import to_yaml
from appliance.config.tree import Tree, get_at, set_at
from appliance.config.validate import redact
from appliance.schema.problem import InvalidConfig, Path, Problem

FORMATS = ("json", "yaml", "set")


def spell_tree(tree: Tree, path: Path, form: str, secrets: bool = False) -> Any:
    """Give what stands at a path as data (json), YAML or set commands; nothing there is an empty answer.

    Raises `InvalidConfig` for a path the schema does not have, or another format.
    """
    if form not in FORMATS:
        raise InvalidConfig([Problem((), "no such format", form, ", ".join(FORMATS))])
    place, _shape = canonical_path(path)
    shown = tree if secrets else redact(tree)
    try:
        part = get_at(shown, place)
    except KeyError:
        return {} if form == "json" else ""
    if form == "json":
        return part
    if form == "set":
        lines = to_set_commands(set_at({}, place, part)) if place else to_set_commands(shown)
        return "".join(f"{line}\n" for line in lines)
    return to_yaml(part) if isinstance(part, dict) else to_yaml({place[-1]: part})
