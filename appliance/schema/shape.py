"""The tree's shape, read off the models once: what is a section, a keyed list, a leaf, and how a leaf is spelled."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic_core import PydanticUndefined

from appliance.schema.root import Config
from appliance.schema.section import Key, Section
from appliance.schema.value import Number, Only, Secret, Text, Whole

Spell = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: `kind` is the kind of its text, or int, float, bool, enum, secret."""

    kind: str
    parse: Callable[[Any], Any]
    spell: Spell
    words: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    pattern: str | None = None

    @property
    def secret(self) -> bool:
        """Whether no output may show the value."""
        return self.kind == "secret"


@dataclass(frozen=True, slots=True)
class LeafList:
    """Several values of one kind."""

    item: Leaf


@dataclass(frozen=True, slots=True)
class Keyed:
    """Entries by key: rules by number, zones by name; an entry may be empty and still means something."""

    key: Key
    key_leaf: Leaf
    entry: Shape
    secret: bool

    def position(self, key: str) -> int:
        """Give what sorts the entries: a rule's number; names stay in the order given."""
        return int(key) if self.key.numbered and key.isascii() and key.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Attribute:
    """A named child of a section with all that is said about it."""

    name: str
    shape: Shape
    help: str
    example: Any
    default: Any
    required: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A section: named children in their order."""

    model: type[Section]
    help: str
    attributes: Mapping[str, Attribute] = field(hash=False)
    secret: bool


Shape = Part | Keyed | Leaf | LeafList


def has_secret(shape: Shape) -> bool:
    """Tell whether a secret may stand in this part of the tree."""
    return has_secret(shape.item) if isinstance(shape, LeafList) else shape.secret


@cache
def root_shape() -> Part:
    """Give the shape of the whole configuration."""
    return part_of(Config)


@cache
def part_of(model: type[Section]) -> Part:
    """Read the shape of one section off its model."""
    hints = typing.get_type_hints(model, include_extras=True)
    attributes = {}
    for name in _reading_order(model):
        info = model.model_fields[name]
        default = info.get_default(call_default_factory=True) if not info.is_required() else None
        attributes[name] = Attribute(
            name=name,
            shape=_shape(hints[name]),
            help=info.description or "",
            example=info.examples[0] if info.examples else None,
            default=None if default is PydanticUndefined else default,
            required=info.is_required(),
        )
    help_text = (model.__doc__ or "").strip().partition("\n")[0]
    return Part(model, help_text, attributes, any(has_secret(a.shape) for a in attributes.values()))


def _reading_order(model: type[Section]) -> list[str]:
    """Put what a section adds to the one it is derived from first: a rule's source before its ports."""
    own = [name for name in model.model_fields if name in model.__annotations__]
    return own + [name for name in model.model_fields if name not in own]


def _shape(hint: Any) -> Shape:
    base, metadata = _unwrap(hint)
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if origin is dict:
        key = next((item for item in metadata if isinstance(item, Key)), None)
        if key is None:
            raise TypeError(f"a mapping without its Key: {hint}")
        entry = _shape(arguments[1])
        return Keyed(key, _leaf(*_unwrap(arguments[0])), entry, has_secret(entry))
    if origin is tuple:
        return LeafList(_leaf(*_unwrap(arguments[0])))
    if isinstance(base, type) and issubclass(base, Section):
        return part_of(base)
    return _leaf(base, metadata)


def _unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take Annotated and `| None` off a type hint, keeping what the annotation says."""
    metadata: tuple[Any, ...] = ()
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint, *extra = typing.get_args(hint)
            metadata += tuple(extra)
            continue
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            rest = [argument for argument in typing.get_args(hint) if argument is not type(None)]
            if len(rest) == 1:
                hint = rest[0]
                continue
        return hint, metadata


def _leaf(base: Any, metadata: tuple[Any, ...]) -> Leaf:
    if base is Secret:
        return Leaf("secret", Secret.parse, Secret.reveal)
    for item in metadata:
        if isinstance(item, Text):
            return Leaf(item.kind, item.parse, item.spell, item.words, pattern=item.pattern)
        if isinstance(item, Whole):
            return Leaf("int", item.parse, int, low=item.low, high=item.high)
        if isinstance(item, Number):
            return Leaf("float", item.parse, item.spell, low=item.low, high=item.high)
    if isinstance(base, type) and issubclass(base, StrEnum):
        only = next((item.words for item in metadata if isinstance(item, Only)), None)
        return Leaf("enum", base, str, words=only or tuple(member.value for member in base))
    raise TypeError(f"no value type of the schema: {base}")
