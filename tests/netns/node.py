"""Nodes of a lab as tests speak of them: who reaches whom, seen as whom, and flows that go on meanwhile."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.lab.region import Lab

TRAFFIC = Path(__file__).with_name("traffic.py")
PYTHON = ("/usr/bin/python3", "-I", "-S", str(TRAFFIC))


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one exchange: the address the server saw, or why there was no answer."""

    ok: bool
    seen: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Flow:
    """What came of many exchanges; the longest gap between two answers in seconds."""

    sent: int
    received: int
    longest_gap: float
    seen: list[str]
    error: str | None


class RunningFlow:
    """A flow that goes on in the background."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def result(self) -> Flow:
        """Wait for its end and give what came of it."""
        output, errors = self._process.communicate(timeout=90)
        assert output, errors
        return Flow(**json.loads(output))


def reach(lab: Lab, node: str, kind: str, host: str, port: int, *, timeout: float = 1.0, source: int = 0) -> Reply:
    """Make one exchange from a node; `source` is the client's port."""
    argv = [*PYTHON, kind, host, str(port), "--timeout", str(timeout), "--source", str(source)]
    return Reply(**json.loads(lab.exec(node, argv).stdout))


def reached(lab: Lab, node: str, kind: str, host: str, port: int) -> str | None:
    """Make one exchange that has to succeed and give as whom the node was seen; three tries, for cold ARP caches."""
    for _ in range(3):
        reply = reach(lab, node, kind, host, port, timeout=2.0)
        if reply.ok:
            return reply.seen
    raise AssertionError(f"{node} does not reach {kind} {host}:{port}: {reply.error}")


def pings(lab: Lab, node: str, host: str) -> bool:
    """Tell whether an echo request is answered."""
    return lab.exec(node, ["ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "1", host], check=False).returncode == 0


@contextlib.contextmanager
def flow(
    lab: Lab, node: str, kind: str, host: str, port: int, *, seconds: float, interval: float = 0.01
) -> Iterator[RunningFlow]:
    """Start a steady flow (tcp, udp, fresh, or listen to a chatty server) and have it going inside the context."""
    verb = ("listen",) if kind == "listen" else ("flow", kind)
    argv = [*PYTHON, *verb, host, str(port), "--seconds", str(seconds), "--interval", str(interval)]
    process = lab.popen(node, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert process.stderr.readline().strip() == "started"
        yield RunningFlow(process)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def serving(lab: Lab, node: str, *specs: str) -> Iterator[None]:
    """Have servers on a node inside the context."""
    process = lab.popen(node, [*PYTHON, "serve", *specs], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if line != "ready":
            raise AssertionError(f"{node} does not serve {specs}: {process.communicate()[1]}")
        yield
    finally:
        process.kill()
        process.wait()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def call(lab: Lab, node: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call a gateway's API and give its answer; anything but success fails the test."""
    connection = _UnixConnection(lab.api(node))
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        assert response.status == 200, answer
        return answer
    finally:
        connection.close()


def commit(lab: Lab, node: str, text: str, *, merge: bool = True) -> dict[str, Any]:
    """Commit a YAML configuration on a gateway, merged into what runs."""
    return call(lab, node, "POST", "/v1/commit", {"text": text, "merge": merge, "name": "test"})
