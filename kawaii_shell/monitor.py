"""Watches an answer as it changes: drawn again every second, until a key."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable

from kawaii_shell.screen import wrap

INTERVAL = 1.0  # seconds
HOME, REST_OF_LINE, REST_OF_SCREEN, ALL = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


def watch(draw: Callable[[], str], size: Callable[[], tuple[int, int]], *, plain: bool) -> None:
    """Draw until a key is pressed; a plain terminal gets one drawing below the other.

    `size` gives columns and lines as they are now; the terminal must hand keys over one by one.
    """
    if not plain:
        sys.stdout.write(ALL)
    ended = False
    while not ended:
        columns, rows = size()
        lines = [part for line in draw().split("\n") for part in wrap(line, columns)][: max(1, rows - 2)]
        lines.append(f"{time.strftime('%H:%M:%S')}  any key ends")
        _write(lines, plain=plain)
        ended = bool(select.select([sys.stdin], [], [], INTERVAL)[0])
    os.read(sys.stdin.fileno(), 64)
    sys.stdout.write("\n")


def _write(lines: list[str], *, plain: bool) -> None:
    if plain:
        sys.stdout.write("\n".join([*lines, ""]))
    else:
        sys.stdout.write(HOME + "".join(f"{line}{REST_OF_LINE}\n" for line in lines) + REST_OF_SCREEN)
    sys.stdout.flush()
