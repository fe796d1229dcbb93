"""What a command gives back: for people as text, for machines as JSON, and in the forms a configuration has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kawaii_shell.document import Json
from kawaii_shell.screen import Page


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in its forms; each is made only when it is asked for."""

    text: Callable[[Page], str]
    data: Callable[[], Json]
    forms: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    paged: bool = True


def plain_answer(text: str, data: Json = None) -> Answer:
    """Make an answer of a few words."""
    return Answer(lambda _page: text, lambda: {"text": text} if data is None else data, paged=False)


def spell_json(data: Json) -> str:
    """Spell a document for machines and people."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def spell_yaml(data: Json) -> str:
    """Spell a document as YAML."""
    import yaml

    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=False).rstrip("\n")
