"""What a line asks for, once it has been understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from kawaii_shell.document import Document, Json
from kawaii_shell.grammar import Operation
from kawaii_shell.words import Word

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Op:
    """One edit of the candidate, and the words it was written with (path by path element, then the value)."""

    op: str
    path: Path
    value: Json = None
    to: Path | None = None
    places: tuple[Word, ...] = ()
    asks: bool = False  # a secret to be asked for without echo
    secret: bool = False
    many: bool = False  # the value is one of a leaf-list's

    def request(self) -> Document:
        """Give the edit as the daemon reads it."""
        request: Document = {"op": self.op, "path": list(self.path)}
        if self.to is not None:
            request["to"] = list(self.to)
        elif self.op == "set" or self.value is not None:
            request["value"] = self.value
        return request


@dataclass(frozen=True, slots=True)
class Change:
    """Edits of the candidate that stand or fall together."""

    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class EditLevel:
    """Make a part of the tree the one that paths are relative to."""

    path: Path


@dataclass(frozen=True, slots=True)
class Show:
    """Show the candidate, or the running configuration."""

    path: Path
    running: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """Show what the candidate changes against the running configuration or a revision."""

    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Check the candidate or make it the running configuration."""

    check: bool = False
    comment: str = ""
    confirmed_seconds: int | None = None
    and_quit: bool = False


@dataclass(frozen=True, slots=True)
class Confirm:
    """Keep a commit that waits to be confirmed."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Load a revision into the candidate."""

    revision: int


@dataclass(frozen=True, slots=True)
class Load:
    """Load a file, or what is typed, into the candidate."""

    mode: str
    source: str
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Save:
    """Write the candidate to a file of the user's own."""

    name: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Make the candidate the running configuration again."""


@dataclass(frozen=True, slots=True)
class Run:
    """An operational command and its arguments by name."""

    operation: Operation
    arguments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ShowCommits:
    """Show the revisions."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Enter configuration mode."""


@dataclass(frozen=True, slots=True)
class Status:
    """Show who and where the user is, and what is pending."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the level, the mode or the console; `discard` drops an edited candidate, `mode` leaves all levels."""

    discard: bool = False
    mode: bool = False


@dataclass(frozen=True, slots=True)
class Help:
    """Explain the console, or what may follow some words."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Explain:
    """Explain what may stand where a `?` stood."""

    text: str


Command: TypeAlias = (
    Change
    | EditLevel
    | Show
    | Compare
    | Commit
    | Confirm
    | Rollback
    | Load
    | Save
    | Discard
    | Run
    | ShowCommits
    | Configure
    | Status
    | Leave
    | Help
    | Explain
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One pipe: its name and argument, and the word that argument was."""

    name: str
    argument: str = ""
    word: Word | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A command and what its output goes through."""

    command: Command
    stages: tuple[Stage, ...] = ()
