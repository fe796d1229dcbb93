"""The JSON Schema is one, and takes what the product's own loader takes; the manual has every setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from appliance.config.document import to_plain
from appliance.config.strict_yaml import parse_yaml
from appliance.schema.export import json_schema, reference_manual
from appliance.sources.userdata import load_file

from .test_leaves import LEAVES

EXAMPLES = sorted((Path(__file__).parents[3] / "cloud-init" / "examples").glob("*-user-data.yaml"))


def valid(value: Any, schema: dict[str, Any]) -> bool:
    """Judge by the few words of JSON Schema that the export uses."""
    if "anyOf" in schema:
        return any(valid(value, choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    types: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
    }
    if not any(isinstance(value, types[kind]) for kind in kinds):
        return False
    if isinstance(value, dict):
        return valid_object(value, schema)
    if isinstance(value, list):
        return all(valid(item, schema["items"]) for item in value)
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def valid_object(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties")
    if any(name not in value for name in schema.get("required", [])):
        return False
    pattern = schema.get("propertyNames", {}).get("pattern", "")
    for name, child in value.items():
        if not re.search(pattern, name) or (name not in properties and not more):
            return False
        if not valid(child, properties.get(name, more)):
            return False
    return True


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_canonical_examples_are_valid_by_the_json_schema(example: Path) -> None:
    assert valid(load_file(example).tree, json_schema())


def test_lists_are_valid_by_the_json_schema_too() -> None:
    text = "netcfg: {zones: [{zone: a, vrid: 1}]}\ningress_rules: [{ports: 443}]\n"
    assert valid(to_plain(parse_yaml(text).root), json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "netcfg: {zones: [{vrid: 1}]}",
        "netcfg: {zones: {a: {vrid: 256}}}",
        "firewal: {}",
        "egress_policy: maybe",
        "ingress_rules: {x: {}}",
    ],
)
def test_what_is_wrong_is_invalid_by_the_json_schema(text: str) -> None:
    assert not valid(to_plain(parse_yaml(text).root), json_schema())


def test_the_manual_has_a_row_for_every_setting() -> None:
    manual = reference_manual()
    for path, _attribute in LEAVES:
        assert f"| `{' '.join(path)}` |" in manual
    assert all(line.count("|") - line.count("\\|") == 6 for line in manual.splitlines() if line.startswith("|"))
