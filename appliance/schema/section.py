"""The base of every section of the configuration tree, and how its keyed lists are keyed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from appliance.schema.value import refuse


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

    def judge(self, value: Any, handler: Callable[[Any], dict[Any, Any]]) -> dict[Any, Any]:
        """Validate a mapping: numbered entries come in order, and no entry gets lost to another spelling of its key."""
        entries = handler(value)
        if len(entries) != len(value):
            raise refuse(f"two entries of one {self.name}, spelled differently", f"each {self.name} once")
        return dict(sorted(entries.items())) if self.numbered else entries

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self.judge, handler(source))


RULE = Key("number", "Rule number; rules apply in ascending order", numbered=True)
ZONE = Key("zone", "Zone")
NAME = Key("name", "Name")
