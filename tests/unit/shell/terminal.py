"""A real terminal for the console: pexpect drives it, pyte shows what a person would see."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

PASTE = "\x1b[200~{}\x1b[201~"


class Terminal:
    """`kawaii-shell` on a pseudo-terminal of `columns` by `lines`."""

    def __init__(
        self, api: Path, home: Path, *arguments: str, term: str = "xterm", size: tuple[int, int] = (80, 24)
    ) -> None:
        columns, lines = size
        self.screen = pyte.HistoryScreen(columns, lines, history=5000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.closed = False
        environment = {**os.environ, "TERM": term, "HOME": str(home), "KAWAII_API": str(api)}
        environment.pop("NO_COLOR", None)
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "kawaii_shell.main", *arguments],
            env=environment,
            dimensions=(lines, columns),
            timeout=10,
        )
        self.child.delaybeforesend = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def send(self, text: str) -> None:
        """Type a text; what the console writes meanwhile is read, for a terminal does both at once."""
        raw = text.encode()
        for at in range(0, len(raw), 1024):
            while at and not select.select([], [self.child.child_fd], [], 0)[1]:
                self.read()
            self.child.send(raw[at : at + 1024])
            if at:
                self.read(0)

    def read(self, seconds: float = 0.02) -> None:
        """Take what the console has written, and show it."""
        try:
            part = self.child.read_nonblocking(65536, seconds)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            self.closed = True
            return
        self.raw += part
        self._stream.feed(part)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without the blank lines at its end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip("\n").split("\n")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self.closed or time.monotonic() > deadline:
                raise AssertionError(f"not seen in {seconds} s; the screen:\n{self.text}")
            self.read()

    def see(self, wanted: str, seconds: float = 15.0) -> None:
        """Wait until the screen shows a text."""
        self.until(lambda: wanted in self.text, seconds)

    def prompt(self, ending: str = "> ") -> None:
        """Wait for a prompt with the cursor behind it, at the lowest line of the screen that has any text."""

        def ready() -> bool:
            row = self.screen.display[self.screen.cursor.y]
            return row[: self.screen.cursor.x].endswith(ending) and self.screen.cursor.y == len(self.lines) - 1

        self.until(ready)

    def run(self, line: str, ending: str = "> ") -> str:
        """Send a line, wait for the next prompt, give what came between."""
        before = len(self.raw)
        self.send(line + "\r")
        self.until(lambda: b"\n" in self.raw[before:])
        self.prompt(ending)
        return self.text

    def ended(self) -> int:
        """Wait for the end; gives the exit code."""

        self.until(lambda: self.closed)
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus)
