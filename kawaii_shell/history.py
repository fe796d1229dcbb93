"""The user's command history: bounded, private, and without secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit.history import History

from kawaii_shell.commands import Change
from kawaii_shell.context import Context
from kawaii_shell.cursor import WordError
from kawaii_shell.parser import parse

KEPT = 2000  # lines


def scrub(line: str, context: Context) -> str | None:
    """Give a line as it may be kept: secrets cut out; None for a line not understood, which may hold one anywhere."""
    try:
        pipeline = parse(line, context)
    except WordError:
        return None
    if pipeline is None or not isinstance(pipeline.command, Change):
        return line
    for op in reversed(pipeline.command.ops):
        if op.secret and op.value is not None and not op.asks:
            line = line[: op.places[-2].end] + line[op.places[-1].end :]
    return line.rstrip()


class OwnHistory(History):
    """Lines of earlier sessions from a file that only the user reads; lines not understood stay in memory."""

    def __init__(self, path: Path, context: Callable[[], Context]) -> None:
        """Remember the file; `context` tells how a line is to be read when it is entered."""
        super().__init__()
        self._path, self._context = path, context

    def append_string(self, string: str) -> None:
        """Keep a line; without its secrets, on disk only when it was understood."""
        if "\n" in string or not string.strip():
            return
        kept = scrub(string, self._context())
        self._loaded_strings.insert(0, string if kept is None else kept)
        if kept:
            self.store_string(kept)

    def load_history_strings(self) -> Iterable[str]:
        """Give the lines kept, the newest first."""
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        if len(lines) > 2 * KEPT:
            self._write(os.O_TRUNC, "".join(f"{line}\n" for line in lines[-KEPT:]))
        return [text for line in reversed(lines[-KEPT:]) if (text := _read(line))]

    def store_string(self, string: str) -> None:
        """Append a line to the file; a file that cannot be written is no reason to stop."""
        self._write(os.O_APPEND, json.dumps(string, ensure_ascii=False) + "\n")

    def _write(self, mode: int, text: str) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | mode, 0o600)
            with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError:
            return


def _read(line: str) -> str:
    try:
        text = json.loads(line)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""
