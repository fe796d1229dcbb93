"""The command tree of the console: the schema as plain data, which the daemon hands to it.

Every node has ``kind`` and ``help``.  ``section`` has ``children`` by name, in order.  ``list`` has ``key`` (``name``,
``type``, ``help``, ``example``, ``pattern``, ``numbered``) and ``entry``, the node of each entry.  ``leaf`` and
``leaflist`` have ``type`` (the kind of text, or int, float, bool, enum, secret), ``enum``, ``range`` ([low, high]),
``pattern``, ``default``, ``example``, ``secret`` and ``required``; of a leaflist they describe each value, and
``default`` and ``example`` are lists.
"""

from __future__ import annotations

from typing import Any

from appliance.schema.shape import Attribute, Keyed, Leaf, LeafList, Part, Shape, root_shape

Grammar = dict[str, Any]


def grammar() -> Grammar:
    """Give the command tree of the whole configuration, ready for JSON."""
    return _node(root_shape(), None)


def spell_value(shape: Shape, value: Any) -> Any:
    """Spell a typed value of the models (a default) as the tree holds it; None where there is none to tell."""
    if value is None:
        return None
    if isinstance(shape, Leaf):
        return shape.spell(value)
    if isinstance(shape, LeafList):
        return [shape.item.spell(item) for item in value]
    return None


def _node(shape: Shape, attribute: Attribute | None) -> Grammar:
    help_text = attribute.help if attribute else ""
    if isinstance(shape, Part):
        children = {name: _node(child.shape, child) for name, child in shape.attributes.items()}
        return {"kind": "section", "help": help_text or shape.help, "children": children}
    if isinstance(shape, Keyed):
        return {
            "kind": "list",
            "help": help_text,
            "key": {
                "name": shape.key.name,
                "type": shape.key_leaf.kind,
                "help": shape.key.help,
                "example": str(attribute.example) if attribute else "",
                "pattern": shape.key_leaf.pattern,
                "numbered": shape.key.numbered,
            },
            "entry": _node(shape.entry, None if isinstance(shape.entry, Part) else attribute),
        }
    return _value(shape, attribute, help_text)


def _value(shape: Leaf | LeafList, attribute: Attribute | None, help_text: str) -> Grammar:
    leaf = shape.item if isinstance(shape, LeafList) else shape
    bounds = None if leaf.low is None or leaf.high is None else [leaf.spell(leaf.low), leaf.spell(leaf.high)]
    of_this = attribute is not None and attribute.shape is shape
    return {
        "kind": "leaflist" if isinstance(shape, LeafList) else "leaf",
        "help": help_text,
        "type": leaf.kind,
        "enum": list(leaf.words) or None,
        "range": bounds,
        "pattern": leaf.pattern,
        "default": spell_value(shape, attribute.default) if attribute and of_this else None,
        "example": attribute.example if attribute and of_this else None,
        "secret": leaf.secret,
        "required": bool(attribute and of_this and attribute.required),
    }
