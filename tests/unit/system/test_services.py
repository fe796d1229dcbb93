"""Asking for daemons: systemd's words, and the lab supervisor's wire format."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import ServiceState
from appliance.system.services import LabSupervisor, Systemd, service_manager


class Supervisor:
    """Answers every request with the same object and keeps what it was asked."""

    def __init__(self, path: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: object = {"ok": True, "running": True, "pid": 4711, "error": None}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", encoding="utf-8") as stream:
                self.asked.append(json.loads(stream.readline()))
                stream.write(f"{json.dumps(self.answer)}\n" if self.answer is not None else "")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    server = Supervisor(tmp_path / "sock")
    yield server
    server.close()


@pytest.fixture
def client(tmp_path: Path, supervisor: Supervisor) -> LabSupervisor:
    return LabSupervisor(str(tmp_path / "sock"), "gw-a")


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_request_names_node_daemon_and_action(client: LabSupervisor, supervisor: Supervisor, action: str) -> None:
    getattr(client, action)("guard")
    assert supervisor.asked == [{"node": "gw-a", "daemon": "guard", "action": action}]


def test_status_tells_the_process(client: LabSupervisor, supervisor: Supervisor) -> None:
    assert client.status("guard") == ServiceState(True, 4711)
    supervisor.answer = {"ok": True, "running": False, "pid": None, "error": None}
    assert client.status("guard") == ServiceState(False, None)


def test_refusal_is_in_the_supervisor_s_words(client: LabSupervisor, supervisor: Supervisor) -> None:
    supervisor.answer = {"ok": False, "running": False, "pid": None, "error": "guard ended at once"}
    with pytest.raises(ApplyFailed, match="start guard: guard ended at once"):
        client.start("guard")


def test_supervisor_that_hangs_up_is_an_error(client: LabSupervisor, supervisor: Supervisor) -> None:
    supervisor.answer = None
    with pytest.raises(ApplyFailed, match="start guard"):
        client.start("guard")


def test_no_supervisor_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ApplyFailed, match=r"stop charon: .*No such file"):
        LabSupervisor(str(tmp_path / "none"), "gw-a").stop("charon")


SYSTEMCTL = """#!/bin/sh
echo "$@" >> "$RECORD"
case $1 in
  show) printf 'ActiveState=%s\\nMainPID=%s\\n' "$STATE" "$MAIN" ;;
  stop) echo "Job failed." >&2; exit 1 ;;
esac
"""


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a systemctl on the path that writes down how it was called."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    return tmp_path / "record"


def test_systemd_is_asked_by_unit(record: Path) -> None:
    Systemd().start("guard")
    Systemd().restart("charon")
    assert record.read_text().splitlines() == ["start kawaii-vrrp.service", "restart strongswan.service"]


@pytest.mark.parametrize(
    ("state", "main", "wanted"),
    [("active", "812", ServiceState(True, 812)), ("failed", "0", ServiceState(False, None))],
)
def test_systemd_status(
    record: Path, monkeypatch: pytest.MonkeyPatch, state: str, main: str, wanted: ServiceState
) -> None:
    monkeypatch.setenv("STATE", state)
    monkeypatch.setenv("MAIN", main)
    assert Systemd().status("guard") == wanted


def test_systemd_failure_has_its_words_and_where_to_look(record: Path) -> None:
    with pytest.raises(ApplyFailed, match=r"stop conntrackd\.service: Job failed.*journalctl -u conntrackd"):
        Systemd().stop("conntrackd")


def test_missing_systemctl_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ApplyFailed, match="systemctl start"):
        Systemd().start("guard")


def test_environment_says_who_the_manager_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAWAII_SUPERVISOR", raising=False)
    assert isinstance(service_manager(), Systemd)
    monkeypatch.setenv("KAWAII_SUPERVISOR", "/run/lab.sock")
    assert isinstance(service_manager(), LabSupervisor)
