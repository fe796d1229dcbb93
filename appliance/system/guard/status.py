"""The guard's files: what it runs, what it has to say, and keepalived's process ids."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from appliance.system.paths import Paths


@dataclass(frozen=True, slots=True)
class Status:
    """What the guard tells; `digest` names the configuration that keepalived runs, `refused` the one it does not.

    `looks` counts the SIGHUPs answered, `reloads` those passed on to keepalived, `restarts` its deaths.
    `addresses` are those that may be on this node because of keepalived, with their devices.
    """

    pid: int
    state: str = "idle"
    keepalived: int | None = None
    digest: str | None = None
    refused: str | None = None
    reason: str | None = None
    looks: int = 0
    reloads: int = 0
    restarts: int = 0
    addresses: tuple[tuple[str, str], ...] = ()


class GuardFiles:
    """The guard's directory, shared with kawaiid; nothing in it outlives a boot."""

    def __init__(self, paths: Paths) -> None:
        self.directory = paths.vrrp
        self.wanted = paths.keepalived_conf
        """What kawaiid wants keepalived to run."""
        self.active = paths.vrrp / "active.conf"
        """What keepalived runs: a copy, so that a wanted file that turns out bad is never read at a restart."""
        self.events = paths.notify_fifo
        self.upstream = paths.vrrp / "upstream"
        self.status_file = paths.vrrp / "guard.json"
        self.pid_files = {name: paths.vrrp / f"{name}.pid" for name in ("keepalived", "vrrp", "bfd")}

    def prepare(self) -> None:
        """Make the directory, and the FIFO in it: one that keepalived makes goes at each reload, under its reader."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self.events, 0o600)

    def lock(self) -> int | None:
        """Take the guard's lock for the life of this process; None where another process has it (flock(2))."""
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def pid(self, name: str) -> int | None:
        """Give the id of a process of our keepalived that lives; a stale file, or another's process, gives None."""
        try:
            pid = int(self.pid_files[name].read_text(encoding="ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        # The name would not do: a number is soon used again, and a lab has many a keepalived.
        return pid if os.fsencode(self.pid_files["keepalived"]) in words else None

    def write_status(self, status: Status) -> None:
        """Replace the status file."""
        replace_file(self.status_file, json.dumps(asdict(status)))

    def read_status(self) -> Status | None:
        """Read what a guard has said last; None where there is nothing, or nothing readable."""
        try:
            found: dict[str, Any] = json.loads(self.status_file.read_text(encoding="utf-8"))
            status = Status(**found)
            return replace(status, addresses=tuple((address, device) for address, device in status.addresses))
        except (OSError, ValueError, TypeError):
            return None


def read_file(path: Path) -> str | None:
    """Read a text; None where there is no file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def replace_file(path: Path, text: str) -> None:
    """Replace a file at once; it need not survive a power loss."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
