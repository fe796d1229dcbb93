"""The base of every section of the configuration tree."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen part of the tree: unknown keys are refused, values are what was written or the stated default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=False, arbitrary_types_allowed=True)
