"""A pager that can only show: pages, search, and no way to a shell or a file."""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kawaii_shell.screen import width_of

KEYS = {
    b" ": "page", b"f": "page", b"\x06": "page", b"\x1b[6~": "page",
    b"b": "back", b"\x02": "back", b"\x1b[5~": "back",
    b"\r": "line", b"\n": "line", b"j": "line", b"\x1b[B": "line", b"\x1bOB": "line",
    b"k": "up", b"\x1b[A": "up", b"\x1bOA": "up",
    b"g": "top", b"\x1b[H": "top", b"G": "end", b"\x1b[F": "end",
    b"/": "search", b"n": "next", b"N": "previous", b"h": "help", b"?": "help",
    b"q": "quit", b"Q": "quit", b"\x03": "quit", b"\x04": "quit", b"\x1b": "quit", b"": "quit",
}  # fmt: skip
HELP = "space page  enter line  b back  g top  G end  /text search  n next  N previous  q quit"


def page(text: str) -> None:
    """Show a text a screenful at a time where it does not fit; the terminal may change its size meanwhile."""
    lines = text.split("\n")
    if _height(lines) < _rows():
        print(text)
        return
    with raw_keys():
        _Pager(lines).run()


def _rows() -> int:
    return max(3, shutil.get_terminal_size((80, 24)).lines)


def _height(lines: Sequence[str]) -> int:
    columns = max(1, shutil.get_terminal_size((80, 24)).columns)
    return sum(max(1, -(-width_of(_plain(line)) // columns)) for line in lines[: _rows() * 2])


def _plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@contextmanager
def raw_keys() -> Iterator[None]:
    """Hand keys over one by one, Ctrl-C too, until the context is left."""
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        attributes = termios.tcgetattr(number)
        attributes[3] &= ~termios.ISIG  # Ctrl-C is a key here
        termios.tcsetattr(number, termios.TCSANOW, attributes)
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _read_key() -> bytes:
    """Read one key and no byte more: what is typed ahead belongs to the prompt that follows."""
    number = sys.stdin.fileno()
    key = os.read(number, 1)
    while key.startswith(b"\x1b") and not re.fullmatch(rb"\x1b(\[[0-9;]*[A-Za-z~]|O[A-Za-z])", key) and len(key) < 12:
        if not select.select([number], [], [], 0.05)[0]:
            break
        key += os.read(number, 1)
    return key


class _Pager:
    def __init__(self, lines: list[str]) -> None:
        self.lines, self.at, self.pattern = lines, 0, ""

    def run(self) -> None:
        """Show page by page until the end or `q`; moves on without redrawing, as a serial line likes it."""
        self._forward(self._screen())
        while self.at < len(self.lines):
            action = self._ask(f"---(more {100 * self.at // len(self.lines)}%, q quits, h helps)---")
            if action == "quit":
                return
            self._do(action)

    def _do(self, action: str) -> None:
        screen = self._screen()
        match action:
            case "page":
                self._forward(screen)
            case "line":
                self._forward(1)
            case "back" | "up":
                self._show_from(self.at - screen - (screen if action == "back" else 1))
            case "top":
                self._show_from(0)
            case "end":
                self._show_from(len(self.lines) - screen)
            case "search":
                self.pattern = self._read_pattern() or self.pattern
                self._search(range(self.at, len(self.lines)))
            case "next":
                self._search(range(max(0, self.at - screen) + 1, len(self.lines)))
            case "previous":
                self._search(range(self.at - screen - 1, -1, -1))
            case "help":
                print(HELP)

    def _screen(self) -> int:
        return _rows() - 1

    def _show_from(self, at: int) -> None:
        self.at = max(0, at)
        self._forward(self._screen())

    def _forward(self, rows: int) -> None:
        columns = max(1, shutil.get_terminal_size((80, 24)).columns)
        while rows > 0 and self.at < len(self.lines):
            line = self.lines[self.at]
            print(line)
            rows -= max(1, -(-width_of(_plain(line)) // columns))
            self.at += 1

    def _search(self, order: range) -> None:
        wanted = self.pattern.casefold()
        found = next((at for at in order if wanted and wanted in _plain(self.lines[at]).casefold()), None)
        if found is None:
            print(f"not found: {self.pattern}" if wanted else "nothing to search for")
        else:
            self._show_from(found)

    def _ask(self, prompt: str) -> str:
        self._write(prompt)
        while not (action := KEYS.get(_read_key())):
            pass
        self._write("\r" + " " * len(prompt) + "\r")
        return action

    def _read_pattern(self) -> str:
        typed = b""
        while True:
            self._write("\r" + " " * (len(typed) + 2) + "\r/" + typed.decode("utf-8", "replace"))
            key = _read_key()
            if key in (b"\r", b"\n", b"", b"\x03", b"\x1b"):
                break
            if key in (b"\x7f", b"\x08"):
                typed = typed[:-1]
            elif len(key) == 1 and key >= b" ":
                typed += key
        self._write("\r" + " " * (len(typed) + 2) + "\r")
        return typed.decode("utf-8", "ignore") if key in (b"\r", b"\n") else ""

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
