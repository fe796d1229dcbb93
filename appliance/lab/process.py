"""Processes by identity: a process id together with its start time, which no later process can share."""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """A process; `started` is field 22 of proc_pid_stat(5), in clock ticks since boot, 0 when it is gone."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity:
        """Look a running process up."""
        return cls(pid, start_time(pid))

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read what `str` gives; raises `ValueError`."""
        pid, started = text.split()
        return cls(int(pid), int(started))

    def __str__(self) -> str:
        return f"{self.pid} {self.started}"

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return self.started != 0 and start_time(self.pid) == self.started

    def wait(self, timeout: float) -> bool:
        """Wait until this very process has ended; False when it has not in time (seconds)."""
        deadline = time.monotonic() + timeout
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def kill(self, timeout: float = 5.0) -> None:
        """Kill this very process, never another one with its id, and wait until it has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                select.select([descriptor], [], [], timeout)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)


def start_time(pid: int) -> int:
    """Give a process's start time in clock ticks since boot, 0 when it is gone or a zombie (proc_pid_stat(5))."""
    fields = _stat(pid)
    return 0 if not fields or fields[0] == "Z" else int(fields[19])


def children(pid: int) -> dict[int, str]:
    """Give a process's children with their command names (proc_pid_stat(5): the parent is field 4)."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        child = int(path.name)
        fields = _stat(child)
        if fields and int(fields[1]) == pid:
            found[child] = command_name(child)
    return found


def command_name(pid: int) -> str:
    """Give a process's command name, empty when it is gone (proc_pid_comm(5))."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _stat(pid: int) -> list[str]:
    """Give the fields of /proc/PID/stat from the state on; the command before it may contain anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
