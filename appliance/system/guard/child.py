"""keepalived as a child process: how it is started and how a configuration is checked (keepalived(8))."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from pathlib import Path

from appliance.system.guard.status import GuardFiles

PROGRAM = "keepalived"
CHECK_TIMEOUT = 10.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def keepalived_argv(files: GuardFiles) -> list[str]:
    """Give the command: foreground, log to stderr, VRRP only, no respawning of its own, our files."""
    pids = files.pid_files
    argv = [PROGRAM, "-n", "-l", "-D", "-G", "-P", "-R", "-f", str(files.active)]
    return [*argv, "-p", str(pids["keepalived"]), "-r", str(pids["vrrp"]), "-b", str(pids["bfd"])]


def spawn(argv: list[str], directory: Path) -> subprocess.Popen[bytes]:
    """Start keepalived so that it is told to end when the guard dies; it dumps its state into `directory`."""
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(directory)},
        preexec_fn=die_with_parent,  # noqa: PLW1509  the guard has one thread
    )


def refusal(path: Path) -> str | None:
    """Give keepalived's complaints of a configuration file, None if it has none; raises `FileNotFoundError`."""
    result = subprocess.run(
        [PROGRAM, "-t", "-f", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHECK_TIMEOUT,
        check=False,
        env={**os.environ, "TMPDIR": str(path.parent), "LC_ALL": "C"},
    )
    if result.returncode == 0:
        return None
    lines = (line.strip() for line in f"{result.stdout}\n{result.stderr}".splitlines())
    found = dict.fromkeys(line for line in lines if line.startswith("("))
    return "; ".join(found)[:2000] or f"keepalived -t ended with {result.returncode}"
