"""Take virtual addresses off that nobody guards any more, and tell the peers."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterable

from appliance.system.guard import kernel
from appliance.system.guard.advert import resign
from appliance.system.guard.facts import Facts, read_facts
from appliance.system.guard.status import GuardFiles, read_file
from appliance.system.paths import Paths

GONE_WITHIN = 1.0
"""Seconds a killed process gets to vanish."""


def say(text: str) -> None:
    """Log a line; the guard's parent keeps what it writes to stderr."""
    print(f"kawaii-guard: {text}", file=sys.stderr, flush=True)


def kill_left_over(files: GuardFiles) -> bool:
    """Kill what still runs of keepalived, the parent first so that it starts no other child; True if there was any."""
    found = False
    for name in ("keepalived", "vrrp", "bfd"):
        pid = files.pid(name)
        if pid is None:
            continue
        found = True
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                os.kill(pid, signal.SIGKILL)
                select.select([descriptor], [], [], GONE_WITHIN)
            finally:
                os.close(descriptor)
    for path in files.pid_files.values():
        path.unlink(missing_ok=True)
    return found


def release(facts: Facts, more: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Take off all virtual addresses that are here, then their routes, and resign; gives the addresses."""
    present = kernel.addresses()
    wanted = dict.fromkeys([*facts.addresses, *more])
    removed = [(address, device) for address, device in wanted if (address, device) in present]
    for address, device in removed:
        try:
            kernel.delete_address(address, device)
        except OSError as error:
            say(f"cannot remove {address} from {device}: {error}")
    if removed:
        resign(facts, [one for one in facts.instances if set(one.addresses) & set(removed)])
        kernel.flush_routes()
    return [address for address, _device in removed]


def facts_of(text: str | None) -> Facts:
    """Read a configuration's facts; one that is missing or has none gives empty ones."""
    try:
        return read_facts(text) if text is not None else Facts()
    except ValueError:
        return Facts()


def release_left_over(paths: Paths, reason: str) -> None:
    """Release what a guard that is no more, or its keepalived, has left behind."""
    files = GuardFiles(paths)
    killed = kill_left_over(files)
    status = files.read_status()
    removed = release(facts_of(read_file(files.active)), status.addresses if status else ())
    if killed or removed:
        say(f"{reason}: released {', '.join(removed) or 'nothing'}")
