"""The client of the supervisor's socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from appliance.lab.topology import LabError


def request(path: Path, timeout: float = 60.0, **fields: Any) -> dict[str, Any]:
    """Ask the supervisor one thing and give its answer; raises `LabError` when it does not answer or says no."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            client.connect(str(path))
            client.sendall(json.dumps(fields).encode() + b"\n")
            with client.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise LabError(f"the lab's supervisor does not answer on {path}: {error}") from error
    if not answer["ok"]:
        raise LabError(str(answer["error"]))
    return answer


def answers(path: Path) -> bool:
    """Tell whether a supervisor serves this socket."""
    try:
        return bool(request(path, timeout=5.0, action="list")["ok"])
    except LabError:
        return False


def listens(path: Path) -> bool:
    """Tell whether anybody accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True
