"""What the daemon answers: JSON documents, read without trusting their shape."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Document: TypeAlias = dict[str, Json]


def document(value: Json) -> Document:
    """Give `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def documents(value: Json) -> list[Document]:
    """Give the objects in a list; anything else is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def string(value: Json, default: str = "") -> str:
    """Give a string or a number as text, else the default."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return str(value)


def strings(value: Json) -> tuple[str, ...]:
    """Give the texts and numbers in a list; anything else is none."""
    if not isinstance(value, list):
        return ()
    return tuple(string(item) for item in value if isinstance(item, str | int | float))


def number(value: Json) -> float | None:
    """Give a number, else None; a boolean is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value


def integer(value: Json) -> int | None:
    """Give a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
