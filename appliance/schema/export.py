"""The schema for others: JSON Schema (2020-12) for editors and validators, Markdown for readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.schema.grammar import spell_value
from appliance.schema.problem import Path
from appliance.schema.refusal import describe_accepted
from appliance.schema.shape import Attribute, Keyed, Leaf, LeafList, Part, Shape, root_shape

JsonSchema = dict[str, Any]


def json_schema() -> JsonSchema:
    """Give the JSON Schema of a configuration file: the canonical spelling, entries by key or as lists."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Kawaii configuration"}
    return {**head, **_schema(root_shape())}


def _schema(shape: Shape) -> JsonSchema:
    if isinstance(shape, Leaf):
        return _value_schema(shape)
    if isinstance(shape, LeafList):
        return {"type": "array", "items": _schema(shape.item)}
    if isinstance(shape, Part):
        return _part_schema(shape)
    by_key: JsonSchema = {"type": "object", "additionalProperties": _schema(shape.entry)}
    names = {"pattern": "^[1-9][0-9]*$"} if shape.key.numbered else _value_schema(shape.key_leaf)
    by_key["propertyNames"] = {name: value for name, value in names.items() if name in ("pattern", "format")}
    if not isinstance(shape.entry, Part):
        return by_key
    listed = _part_schema(shape.entry)
    if not shape.key.numbered:
        key = {**_value_schema(shape.key_leaf), "description": shape.key.help}
        listed["properties"] = {shape.key.name: key, **listed["properties"]}
        listed["required"] = [shape.key.name, *listed.get("required", [])]
    return {"anyOf": [by_key, {"type": "array", "items": listed}]}


def _part_schema(part: Part) -> JsonSchema:
    required = [name for name, attribute in part.attributes.items() if attribute.required]
    schema: JsonSchema = {
        "type": "object",
        "description": part.help,
        "additionalProperties": False,
        "properties": {name: _attribute_schema(attribute) for name, attribute in part.attributes.items()},
    }
    if required:
        schema["required"] = required
    return schema


def _attribute_schema(attribute: Attribute) -> JsonSchema:
    schema = {**_schema(attribute.shape), "description": attribute.help}
    if isinstance(attribute.shape, Leaf | LeafList):
        default = spell_value(attribute.shape, attribute.default)
        if default is not None:
            schema["default"] = default
        schema["examples"] = [attribute.example]
    return schema


def _value_schema(leaf: Leaf) -> JsonSchema:
    if leaf.kind in ("int", "float"):
        kind = "integer" if leaf.kind == "int" else "number"
        return {"type": kind, "minimum": leaf.low, "maximum": leaf.high}
    if leaf.kind == "bool":
        return {"type": "boolean"}
    if leaf.words:
        numeric = leaf.spell is int
        return {"enum": [int(word) if numeric else word for word in leaf.words]}
    if leaf.secret:
        return {"type": "string", "writeOnly": True, "format": "secret"}
    # A single port or a number of seconds may be written as a number.
    kinds = ["string", "integer"] if leaf.kind in ("ports", "port-selector", "duration") else "string"
    schema: JsonSchema = {"type": kinds, "format": leaf.kind}
    return {**schema, "pattern": leaf.pattern} if leaf.pattern else schema


# -- the reference manual ----------------------------------------------------------------------------------------


def reference_manual() -> str:
    """Write the reference of every setting in Markdown, a table to a section."""
    lines = ["# Configuration reference", "", "Generated from the schema by `kawaii schema --format markdown`.", ""]
    for name, attribute in root_shape().attributes.items():
        lines += [f"## `{name}`", "", *dict.fromkeys((_sentence(attribute.help), _subject(attribute.shape))), ""]
        rows = list(_rows(attribute.shape, (name,), attribute))
        if rows:
            lines += ["| setting | accepted | default | example | |", "|---|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _subject(shape: Shape) -> str:
    entry = shape.entry if isinstance(shape, Keyed) else shape
    return entry.help if isinstance(entry, Part) else ""


def _rows(shape: Shape, path: Path, attribute: Attribute) -> Iterator[str]:
    if isinstance(shape, Part):
        for name, child in shape.attributes.items():
            yield from _rows(child.shape, (*path, name), child)
    elif isinstance(shape, Keyed):
        yield from _rows(shape.entry, (*path, f"<{shape.key.name}>"), attribute)
    else:
        default = spell_value(shape, attribute.default) if attribute.shape is shape else None
        example = attribute.example if attribute.shape is shape else None
        shown_default = "**required**" if attribute.required else _cell(default)
        words = " ".join(path)
        accepted = describe_accepted(shape).replace("|", "\\|")
        yield f"| `{words}` | {accepted} | {shown_default} | {_cell(example)} | {_sentence(attribute.help)} |"


def _cell(value: Any) -> str:
    if value is None or value == []:
        return ""
    text = (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value).lower()
        if value in (True, False)
        else str(value)
    )
    return f"`{text}`".replace("|", "\\|")


def _sentence(text: str) -> str:
    return text.replace("|", "\\|") + ("" if text.endswith(".") else ".")
