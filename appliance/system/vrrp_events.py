"""keepalived's transitions as they happen, from its notify FIFO (keepalived.conf(5), vrrp_notify_fifo)."""

from __future__ import annotations

import logging
import os
import re
import selectors
import stat
import threading
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

LINE = re.compile(r'INSTANCE "zone-(?P<zone>[^"]+)" (?P<state>[A-Z_]+) (?P<priority>\d+)')


class VrrpEvents:
    """A thread that reads the FIFO and calls `tell(zone, state)` for every line; keeps reading across restarts."""

    def __init__(self, path: Path, tell: Callable[[str, str], None]) -> None:
        self._path = path
        self._tell = tell
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="vrrp-events", daemon=True)

    def start(self) -> None:
        """Make the FIFO if keepalived has not, and read it from now on."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            os.mkfifo(self._path, 0o600)
        elif not stat.S_ISFIFO(self._path.stat().st_mode):
            self._path.unlink()
            os.mkfifo(self._path, 0o600)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        os.write(self._waker, b"x")
        self._thread.join(timeout=2)

    def _run(self) -> None:
        # Opened for writing too: then a restart of keepalived is no end of file.
        fifo = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        pending = b""
        with selectors.DefaultSelector() as selector:
            selector.register(fifo, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _events in selector.select()}
                if self._wake in ready:
                    break
                pending += os.read(fifo, 65536)
                *lines, pending = pending.split(b"\n")
                for line in lines:
                    self._say(line.decode(errors="replace"))
        os.close(fifo)

    def _say(self, line: str) -> None:
        match = LINE.match(line)
        if match is not None:
            self._tell(match["zone"], match["state"])
