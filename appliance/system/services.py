"""Daemons that somebody else is the parent of: systemd on the appliance, the lab's supervisor in a lab."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import Protocol

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import ServiceState

TIMEOUT = 30.0
UNITS = {"guard": "kawaii-vrrp.service", "charon": "strongswan.service", "conntrackd": "conntrackd.service"}


class ServiceManager(Protocol):
    """Starts and stops daemons by name: ``guard``, ``charon``, ``conntrackd``."""

    def start(self, daemon: str) -> None: ...

    def stop(self, daemon: str) -> None: ...

    def restart(self, daemon: str) -> None: ...

    def status(self, daemon: str) -> ServiceState: ...


class Systemd:
    """systemd by systemctl(1)."""

    def start(self, daemon: str) -> None:
        """Start a unit and wait until it is ready; raises `ApplyFailed`."""
        self._do("start", daemon)

    def stop(self, daemon: str) -> None:
        """Stop a unit and wait until it is gone."""
        self._do("stop", daemon)

    def restart(self, daemon: str) -> None:
        """Stop and start a unit."""
        self._do("restart", daemon)

    def status(self, daemon: str) -> ServiceState:
        """Ask for a unit's state and main process."""
        text = _systemctl("show", "--property=ActiveState,MainPID", UNITS[daemon]).stdout
        found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        pid = int(found.get("MainPID", "0"))
        return ServiceState(found.get("ActiveState") == "active", pid or None)

    def _do(self, action: str, daemon: str) -> None:
        result = _systemctl(action, UNITS[daemon])
        if result.returncode != 0:
            raise ApplyFailed(f"{action} {UNITS[daemon]}: {result.stderr.strip()}", f"journalctl -u {UNITS[daemon]}")


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    argv = ["systemctl", *words]
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise ApplyFailed(f"{' '.join(argv)}: {error}") from error


class LabSupervisor:
    """The lab's supervisor by its socket (`appliance.lab.supervisor` states the wire format)."""

    def __init__(self, path: str, node: str) -> None:
        self._path = path
        self._node = node

    def start(self, daemon: str) -> None:
        """Start a daemon and wait until it is ready; raises `ApplyFailed`."""
        self._ask(daemon, "start")

    def stop(self, daemon: str) -> None:
        """Stop a daemon and wait until it is gone."""
        self._ask(daemon, "stop")

    def restart(self, daemon: str) -> None:
        """Stop and start a daemon."""
        self._ask(daemon, "restart")

    def status(self, daemon: str) -> ServiceState:
        """Ask whether a daemon runs."""
        found = self._ask(daemon, "status")
        pid = found.get("pid")
        return ServiceState(bool(found.get("running")), pid if isinstance(pid, int) else None)

    def _ask(self, daemon: str, action: str) -> dict[str, object]:
        request = json.dumps({"node": self._node, "daemon": daemon, "action": action}) + "\n"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(TIMEOUT)
                connection.connect(self._path)
                connection.sendall(request.encode())
                with connection.makefile("r", encoding="utf-8") as answers:
                    found: dict[str, object] = json.loads(answers.readline() or "{}")
        except (OSError, ValueError) as error:
            raise ApplyFailed(f"{action} {daemon}: {error}") from error
        if not found.get("ok"):
            raise ApplyFailed(f"{action} {daemon}: {found.get('error')}")
        return found


def service_manager() -> ServiceManager:
    """Give the one this process runs under."""
    path = os.environ.get("KAWAII_SUPERVISOR")
    return LabSupervisor(path, os.environ.get("KAWAII_NODE", "")) if path else Systemd()
