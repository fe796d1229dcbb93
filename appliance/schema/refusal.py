"""From the model's validation errors to problems: where, what was found, what is accepted."""

from __future__ import annotations

import difflib
import json
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from appliance.schema.problem import Path, Problem
from appliance.schema.shape import Keyed, Leaf, LeafList, Part, Shape, has_secret, root_shape

KINDS = {
    "address": "an IPv4 or IPv6 address",
    "network": "an address or CIDR",
    "subnet": "a CIDR",
    "selector": "an address, a CIDR or an address group",
    "ports": "a port list, as 80,443,8000-8080",
    "port-selector": "a port list, as 80,443,8000-8080, or a port group",
    "duration": "<n>[smhd], as 30s, 10m, 1h or 2d",
    "mac": "a MAC address",
    "name": "a name",
    "group-name": "a group's name",
    "hostname": "a host name",
    "device": "an interface name",
    "limit": "N/second, N/minute, N/hour or N/day",
    "bool": "true or false",
    "secret": "a secret text",
}


def describe_accepted(shape: Shape) -> str:
    """Say in a few words what a place of the tree accepts."""
    if isinstance(shape, LeafList):
        return f"a list, each {describe_accepted(shape.item)}"
    if isinstance(shape, Leaf):
        if shape.words:
            return ", ".join(shape.words)
        if shape.low is not None and shape.high is not None:
            return f"{shape.low:g}-{shape.high:g}"
        return KINDS.get(shape.kind, "a text")
    if isinstance(shape, Keyed):
        return f"entries by {shape.key.name}"
    return "a mapping"


def spell_found(value: Any) -> str:
    """Spell what was found: texts in quotes, numbers bare, the rest by its form."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def child_shape(shape: Shape | None, word: str) -> Shape | None:
    """Give the shape of a child, or None where there is none."""
    if isinstance(shape, Part):
        attribute = shape.attributes.get(word)
        return attribute.shape if attribute else None
    return shape.entry if isinstance(shape, Keyed) else None


def shape_at(path: Path, shape: Shape | None = None) -> Shape | None:
    """Give the shape of a place of the tree, or None where there is none."""
    found: Shape | None = shape or root_shape()
    for word in path:
        found = child_shape(found, word)
    return found


def unknown_key(path: Path, part: Part) -> Problem:
    """Make the problem of a key that a section does not have, with the nearest that it has."""
    near = difflib.get_close_matches(path[-1].replace("-", "_"), part.attributes, n=1, cutoff=0.6)
    message = f"unknown key, did you mean {near[0]}?" if near else "unknown key"
    return Problem(path, message, accepted=", ".join(part.attributes))


def problems_of(error: ValidationError) -> list[Problem]:
    """Turn a refused tree's errors into problems, each with its path; secrets are not shown."""
    return [_problem(detail) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails) -> Problem:
    place = detail["loc"]
    is_key = bool(place) and place[-1] == "[key]"
    path = tuple(str(item) for item in place if not isinstance(item, int) and item != "[key]")
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "extra_forbidden":
        parent = shape_at(path[:-1])
        return unknown_key(path, parent) if isinstance(parent, Part) else Problem(path, "unknown key")
    shape = shape_at(path)
    if kind == "missing":
        return Problem(path, "missing", accepted=describe_accepted(shape) if shape else None)
    hidden = not is_key and (shape is None or isinstance(shape, Part) or has_secret(shape))
    found = None if hidden else spell_found(detail["input"])
    if kind == "refused":
        at = context.get("at")
        return Problem((*path, at) if at else path, context["message"], found, context["accepted"])
    if kind == "enum":
        return Problem(path, "not one of the words", found, describe_accepted(shape) if shape else None)
    if isinstance(shape, Part | Keyed | LeafList):
        form = "not a list" if isinstance(shape, LeafList) else "not a mapping"
        found = None if has_secret(shape) else spell_found(detail["input"])
        return Problem(path, form, found, describe_accepted(shape))
    return Problem(path, detail["msg"], found)
