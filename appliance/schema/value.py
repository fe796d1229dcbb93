"""What value types are built on: a parser, a canonical spelling, and what is accepted in place of a refused value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MASK = "********"


def refuse(message: str, accepted: str, at: str = "") -> PydanticCustomError:
    """Make the error of a refused value: what is wrong, what would do, and `at` which attribute of a section."""
    return PydanticCustomError("refused", "{message}", {"message": message, "accepted": accepted, "at": at})


@dataclass(frozen=True, slots=True)
class Text:
    """Binds a Python type to the text it is written as: parser, canonical spelling, documentation."""

    parse: Callable[[Any], Any]
    spell: Callable[[Any], Any] = str
    kind: str = "text"
    pattern: str | None = None
    words: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(self.spell)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if self.words and self.spell is int:
            return {"type": "integer", "enum": [int(word) for word in self.words]}
        document: JsonSchemaValue = {"type": "string", "format": self.kind}
        if self.pattern:
            document["pattern"] = self.pattern
        return document


# -- numbers and flags -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two bounds, both included; digits in a text are taken too."""

    low: int
    high: int
    kind = "int"

    @property
    def accepted(self) -> str:
        """The range as an error names it."""
        return f"{self.low}-{self.high}"

    def parse(self, value: Any) -> int:
        """Parse a whole number; refuses true, false and fractions."""
        if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,17}", value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise refuse("not a whole number", self.accepted)
        if not self.low <= value <= self.high:
            raise refuse("out of range", self.accepted)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two bounds, both included."""

    low: float
    high: float
    kind = "float"

    @property
    def accepted(self) -> str:
        """The range as an error names it."""
        return f"{self.low:g}-{self.high:g}"

    def parse(self, value: Any) -> float:
        """Parse a number; refuses true and false."""
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.strip()):
            value = float(value)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refuse("not a number", self.accepted)
        if not self.low <= value <= self.high:
            raise refuse("out of range", self.accepted)
        return float(value)

    @staticmethod
    def spell(value: float) -> int | float:
        """Spell a number without a needless fraction: 5, 0.3."""
        return int(value) if value == int(value) else value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "number", "minimum": self.low, "maximum": self.high}


def parse_flag(value: Any) -> bool:
    """Parse true or false; `yes`, `on` and 1 are refused, for they mean different things to different readers."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise refuse("neither true nor false", "true or false")
    return value


class _FlagText(Text):
    """The binding of a truth value."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "boolean"}


Flag = Annotated[bool, _FlagText(parse_flag, bool, kind="bool")]


# -- choices -----------------------------------------------------------------------------------------------------


class Choice(StrEnum):
    """A closed set of words; case, and '-' or '_' between letters and digits, make no difference in what is read."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        folded = cls.fold(value)
        return next((member for member in cls if cls.fold(member.value) == folded), None)

    @classmethod
    def fold(cls, text: str) -> str:
        """Reduce a spelling to what tells the members apart."""
        return re.sub(r"[-_\s]", "", text).lower()


@dataclass(frozen=True, slots=True)
class Only:
    """Narrows a choice to some of its words."""

    words: tuple[str, ...]

    def check(self, value: str) -> str:
        """Refuse a word that is not among these."""
        if value not in self.words:
            raise refuse("not accepted here", " or ".join(self.words))
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "enum": list(self.words)}


# -- secrets -----------------------------------------------------------------------------------------------------


class Secret:
    """A value that no output shows: its text leaves only by `reveal` or a dump with ``context={"secrets": True}``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the secret itself; the caller keeps it out of logs, arguments and world-readable files."""
        return self._text

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(cls._spell, info_arg=True),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "secret", "writeOnly": True}

    @classmethod
    def parse(cls, value: Any) -> Secret:
        """Parse a secret; the mask of an output is refused."""
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str) or not value or not is_storable(value):
            raise refuse("not a secret", "a text of at least one character")
        if value == MASK:
            raise refuse("a masked secret", "the secret itself, as `convert --secrets` prints it")
        return cls(value)

    @staticmethod
    def _spell(value: Secret, info: Any) -> str:
        return value._text if info.context and info.context.get("secrets") else MASK


def is_storable(text: str) -> bool:
    """Tell whether a text can be a file's content and an argument: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
