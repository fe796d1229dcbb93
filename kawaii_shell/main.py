"""`kawaii-shell`: the console, for people at a terminal and for scripts."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from kawaii_shell.client import Client, Refused, Unreachable
from kawaii_shell.complaint import REFUSED
from kawaii_shell.console import Console
from kawaii_shell.daemon import Daemon
from kawaii_shell.execute import NotNow, Terminal
from kawaii_shell.files import DIRECTORY, OwnFiles
from kawaii_shell.runner import Runner
from kawaii_shell.words import Line, commands_of, words_of

SOCKET = "/run/kawaii/api.sock"
NAME = "kawaii-shell"


class Script(Terminal):
    """A script's terminal: `load … terminal` reads standard input, where the script does not come from it."""

    def __init__(self, *, free_input: bool) -> None:
        """Say whether standard input is free to be read."""
        self._free_input = free_input

    def text(self) -> str:
        """Read standard input to its end."""
        if not self._free_input:
            raise NotNow("the script itself comes from standard input: load a file, or use -c")
        return sys.stdin.read()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console; gives 0, 1 where something was refused, 2 for wrong usage."""
    options = _parse_arguments(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _run(options)
    except (Unreachable, Refused) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has had enough: nothing is left to say to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as error:
        with suppress(OSError):
            print(f"{NAME}: {error}", file=sys.stderr)
        return REFUSED


def _parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=NAME, description="The console of the gateway.")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("-c", dest="commands", metavar="COMMANDS", help="run commands, separated by ; or line ends")
    source.add_argument("-f", dest="file", metavar="FILE", type=Path, help="run the commands in a file")
    parser.add_argument("--json", action="store_true", help="one JSON document per answer")
    parser.add_argument(
        "--api",
        metavar="PATH",
        default=os.environ.get("KAWAII_API") or SOCKET,
        help="the daemon's socket (%(default)s)",
    )
    options = parser.parse_args(argv)
    if options.commands is not None:
        options.commands, asked_json = unwrap(options.commands)
        options.json = options.json or asked_json
    return options


def unwrap(commands: str) -> tuple[str, bool]:
    """Take `kawaii-shell [--json] -c` off the front, as `ssh HOST kawaii-shell -c '…'` reaches a login shell.

    Gives the commands, and whether JSON was asked for. ssh has lost the quotes by then; all behind `-c` is commands.
    """
    words = words_of(commands)
    if not words or words[0].text.rpartition("/")[2] != NAME:
        return commands, False
    at, asked_json = 1, False
    while at < len(words) and words[at].text == "--json":
        at, asked_json = at + 1, True
    if at >= len(words) or words[at].text != "-c":
        return commands, False
    behind = words[at + 1 :]
    text = behind[0].text if len(behind) == 1 else commands[words[at].end :]
    return text, asked_json


def _run(options: argparse.Namespace) -> int:
    interactive = options.commands is None and options.file is None and sys.stdin.isatty()
    lines = None if interactive else _script_lines(options)
    console = Console(Daemon(Client(options.api)), OwnFiles(Path.home() / DIRECTORY), interactive=interactive)
    drop_on_hangup(console)
    try:
        if lines is None:
            from kawaii_shell.repl import Repl

            history = Path.home() / ".local" / "state" / "kawaii-shell" / "history"
            return Repl(console, history, json=options.json).run()
        return _run_script(console, lines, options)
    finally:
        console.leave()


def _script_lines(options: argparse.Namespace) -> Iterator[Line]:
    if options.commands is not None:
        return commands_of(options.commands)
    if options.file is not None:
        return commands_of(options.file.read_text(encoding="utf-8", errors="replace"))
    return commands_of(sys.stdin.read())


def _run_script(console: Console, lines: Iterator[Line], options: argparse.Namespace) -> int:
    from kawaii_shell.repl import shows_colour
    from kawaii_shell.screen import Page

    terminal = Script(free_input=options.commands is not None or options.file is not None)
    runner = Runner(console, terminal, lambda: Page(None, shows_colour()), options.json)
    code = runner.run(lines)
    sys.stdout.flush()
    if console.edited:
        print("the candidate was edited and not committed: it is dropped", file=sys.stderr)
    return code


def drop_on_hangup(console: Console) -> None:
    """On a hang-up or a polite kill, drop the candidate, give the terminal back as it was, and end."""
    restore = _terminal_state()

    def end(number: int, _frame: object) -> None:
        # A connection of its own: the other one may be in the middle of an answer.
        if console.session:
            with suppress(Refused, Unreachable):
                Daemon(Client(console.daemon.client.path, timeout=2.0)).close_session(console.session)
        restore()
        os._exit(128 + number)

    signal.signal(signal.SIGHUP, end)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)


def _terminal_state() -> Callable[[], None]:
    try:
        before = termios.tcgetattr(0)
    except (termios.error, OSError):
        return lambda: None

    def restore() -> None:
        with suppress(termios.error, OSError):
            termios.tcsetattr(0, termios.TCSANOW, before)

    return restore


if __name__ == "__main__":
    raise SystemExit(main())
