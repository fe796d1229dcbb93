"""The console at a terminal."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from kawaii_shell.answer import Answer
from kawaii_shell.client import Refused, Unreachable
from kawaii_shell.commands import Change
from kawaii_shell.complaint import Complaint
from kawaii_shell.console import Console
from kawaii_shell.cursor import WordError
from kawaii_shell.execute import NotNow, Terminal
from kawaii_shell.monitor import watch
from kawaii_shell.pager import page, raw_keys
from kawaii_shell.parser import parse
from kawaii_shell.runner import Runner
from kawaii_shell.screen import Page, width_of
from kawaii_shell.words import Line, commands_of

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

DUMB = ("dumb", "unknown", "")
LEAVE = "\x04"


def shows_colour() -> bool:
    """Tell whether the terminal is known to show colours, and the user wants them."""
    term = os.environ.get("TERM", "")
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and term not in DUMB and not term.startswith("vt")


class Screen(Terminal):
    """The terminal as commands see it: asks without echo, reads what is typed."""

    def __init__(self) -> None:
        """Begin with nothing typed ahead."""
        self.ahead: Iterator[Line] = iter(())

    def secret(self, name: str) -> str:
        """Ask twice without echo."""
        import getpass

        try:
            first = getpass.getpass(f"New {name}: ")
            again = getpass.getpass(f"Retype {name}: ")
        except EOFError:
            first = again = ""
        if not first or first != again:
            raise NotNow("the two are not the same: nothing changed" if first != again else "nothing changed")
        return first

    def watch(self, ask: Callable[[], Answer]) -> None:
        """Draw an answer again and again, until a key."""
        if not sys.stdout.isatty():
            raise NotNow("there is no terminal to watch it on: use show")
        with raw_keys():
            watch(lambda: ask().text(lay_out()), _size, plain=os.environ.get("TERM", "") in DUMB)

    def text(self) -> str:
        """Read up to Ctrl-D at the beginning of a line; what was pasted behind the command comes first."""
        print("[Type or paste; Ctrl-D at the beginning of a line ends, Ctrl-C gives up]", flush=True)
        parts = [line.text + "\n" for line in self.ahead]
        raw = b""
        while part := os.read(sys.stdin.fileno(), 65536):
            raw += part
        return "".join(parts) + raw.decode("utf-8", "replace")


def _size() -> tuple[int, int]:
    size = shutil.get_terminal_size((80, 24))
    return size.columns, size.lines


def lay_out() -> Page:
    """Give the page as the terminal is now."""
    return Page(_size()[0], shows_colour())


class Repl:
    """Reads lines from a terminal and runs them until the user leaves."""

    def __init__(self, console: Console, history: Path, *, json: bool = False) -> None:
        """Prepare; the line editor is imported here, for scripts do not need it."""
        self.console = console
        self.screen = Screen()
        self._prompt_columns = 0
        self._typed = ""
        self._runner = Runner(console, self.screen, lay_out, json, show=_show, complain=self._complain, echo=False)
        self._interruptible = False
        self._session = None if os.environ.get("TERM", "") in DUMB else self._make_session(history)

    def _make_session(self, history: Path) -> PromptSession[str]:
        os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")  # a serial line has nobody to answer
        from prompt_toolkit import PromptSession
        from prompt_toolkit.output.color_depth import ColorDepth

        from kawaii_shell.history import OwnHistory
        from kawaii_shell.keyboard import bind_keys

        return PromptSession(
            history=OwnHistory(history, self.console.context),
            key_bindings=bind_keys(self.console, lay_out),
            color_depth=None if shows_colour() else ColorDepth.DEPTH_1_BIT,
            reserve_space_for_menu=0,
            enable_suspend=False,
        )

    def run(self) -> int:
        """Run until `exit`, Ctrl-D or the end of input; gives the exit code."""
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            while not self.console.finished:
                try:
                    self._refresh()
                    text = self._read()
                    if text is None:
                        break
                    self._interruptible = True
                    self._run_text(text)
                except KeyboardInterrupt:
                    self._interruptible = False
                    print()
                finally:
                    self._interruptible = False
        finally:
            signal.signal(signal.SIGINT, before)
        return 0

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """End the command that runs; at the prompt Ctrl-C is a key, and a late signal means a command that is over."""
        if self._interruptible:
            raise KeyboardInterrupt

    def _refresh(self) -> None:
        try:
            notice = self.console.refresh()
        except (Refused, Unreachable) as error:
            notice = str(error)
        if notice:
            print(notice)

    def _read(self) -> str | None:
        """Read a line, or several pasted at once; None at the end of input."""
        prompt = self.console.prompt()
        self._prompt_columns = width_of(prompt.rpartition("\n")[2])
        if self._session is None:
            print(prompt, end="", flush=True)
            self._interruptible = True
            line = sys.stdin.readline()
            return line if line else None
        waiting = self.console.seconds_left() is not None
        try:
            # A signal that comes as a prompt ends must not ask it to end once more.
            refresh = 0.5 if waiting else 0
            return self._session.prompt(self.console.prompt, refresh_interval=refresh, handle_sigint=False)
        except EOFError:
            return None

    def _run_text(self, text: str) -> None:
        if text == LEAVE:
            text = "exit configuration-mode" if self.console.session else "exit"
        self._typed = text
        if self._session is not None and "\n" not in text and self._is_change(text):
            from kawaii_shell.keyboard import lines_ahead

            text = "\n".join([text, *lines_ahead(self._session.app.input)])
        lines = commands_of(text)
        self._runner.echo = text.count("\n") > 1
        self.screen.ahead = lines
        self._runner.run(lines)

    def _is_change(self, text: str) -> bool:
        try:
            pipeline = parse(text, self.console.context())
        except (WordError, Refused, Unreachable):
            return False
        return pipeline is not None and isinstance(pipeline.command, Change)

    def _complain(self, complaint: Complaint) -> None:
        """Point at the word below the line just typed, where it is still in sight on one row."""
        pointed = next((at for at, line in enumerate(complaint.lines) if line.endswith("^")), -1)
        lines = [line if at <= pointed else lay_out().fold(line) for at, line in enumerate(complaint.lines)]
        if complaint.column is not None and not self._runner.echo and not self._runner.json:
            column = self._prompt_columns + width_of(self._typed[: complaint.column])
            if column < (lay_out().width or 80):
                lines.insert(0, " " * column + "^")
        print("\n".join(lines))


def _show(text: str, answer: Answer) -> None:
    if answer.paged and sys.stdin.isatty() and sys.stdout.isatty():
        page(text)
    else:
        print(text)
