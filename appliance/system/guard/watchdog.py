"""Tell a frozen keepalived: virtual addresses are here, but no advertisement leaves the node.

Counted in the output hook, not on the wire: unicast advertisements stop when a peer's ARP entry fails.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

INTERVALS = 3
LEAST = 0.2
"""Seconds of silence below which nothing is concluded, however short the interval: this process too waits its turn."""


class Watchdog:
    """Looks at a counter and at a process's state; `sent` gives None where the counter is missing."""

    def __init__(self, advert_int: float, sent: Callable[[], int | None], held: Callable[[], bool]) -> None:
        self._patience = max(INTERVALS * advert_int, LEAST)
        self._sent = sent
        self._held = held
        self._count: int | None = None
        self._since: float | None = None
        self._looked: float | None = None
        self._stopped_since: float | None = None

    @property
    def interval(self) -> float:
        """Seconds from one look to the next."""
        return self._patience / 6

    def look(self, now: float, pids: tuple[int, ...]) -> str | None:
        """Give why keepalived counts as frozen, None while it does not; `now` in monotonic seconds."""
        overslept = self._looked is not None and now - self._looked > self._patience / 2
        self._looked = now
        if overslept:  # this process was kept waiting, so keepalived may have been too: measure anew
            self._since = self._stopped_since = None
        return self._stopped(now, pids) or self._silent(now)

    def _silent(self, now: float) -> str | None:
        count = self._sent()
        if count is None or count != self._count or self._since is None:
            self._count, self._since = count, now
            return None
        if now - self._since < self._patience:
            return None
        # The second count: it may have become master since the first one.
        if not self._held() or self._sent() != count:
            self._since = now
            return None
        return f"no advertisement for {now - self._since:.2f} s"

    def _stopped(self, now: float, pids: tuple[int, ...]) -> str | None:
        """Believe two looks in a row: unlike silence, a stop by a signal is no matter of waiting one's turn."""
        if not any(process_state(pid) == "T" for pid in pids):
            self._stopped_since = None
            return None
        if self._stopped_since is None:
            self._stopped_since = now
        silence = now - self._stopped_since
        return f"stopped for {silence:.2f} s" if silence >= self.interval else None


def process_state(pid: int) -> str:
    """Give a process's state letter (proc_pid_stat(5)), empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return ""
