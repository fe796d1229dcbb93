"""The base of every section of the configuration tree, and how its keyed lists are keyed."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen part of the tree: unknown keys are refused, values are what was written or the stated default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=False, arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True)
class Key:
    """What the entries of a mapping are keyed by: the attribute that holds it where a file writes them as a list.

    `numbered` entries have no such attribute: a list's are numbered 10, 20, … in the order given.
    """

    name: str
    help: str
    numbered: bool = False


RULE = Key("number", "Rule number; rules apply in ascending order", numbered=True)
ZONE = Key("zone", "Zone")
NAME = Key("name", "Name")
