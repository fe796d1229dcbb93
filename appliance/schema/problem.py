"""What is wrong with a configuration: one typed record per problem, printed the same way everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str, ...]


class Severity(StrEnum):
    """How much a problem matters: an error refuses the configuration, a warning is shown with the commit."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one place of the tree: what was found there and what is accepted."""

    path: Path
    message: str
    found: str | None = None
    accepted: str | None = None
    severity: Severity = Severity.ERROR

    def text(self) -> str:
        """Spell the problem as ``PATH: message (got …, expected …)``, the path as the console writes it."""
        details = []
        if self.found is not None:
            details.append(f"got {self.found}")
        if self.accepted is not None:
            details.append(f"expected {self.accepted}")
        tail = f" ({', '.join(details)})" if details else ""
        return f"{spell_path(self.path)}: {self.message}{tail}" if self.path else f"{self.message}{tail}"


class InvalidConfig(Exception):
    """The configuration is refused; `problems` holds every reason at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text() for problem in self.problems))


def quote_word(word: str) -> str:
    """Quote a word of a console path only where the console needs it (blank, quote, control or empty)."""
    if word and all(c.isprintable() and not c.isspace() and c not in "\"'\\#|;" for c in word):
        return word
    return json.dumps(word, ensure_ascii=False)


def spell_path(path: Path) -> str:
    """Write a path as the console would: words between blanks, quoted where needed."""
    return " ".join(quote_word(word) for word in path)
