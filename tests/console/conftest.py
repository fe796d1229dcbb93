"""The console against the real daemon: a gateway of the lab, with keepalived, without the rest of the region."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.lab.region import Lab
from tests.unit.shell.terminal import Terminal

NODES = frozenset({"gw-a", "kiwi-1", "kiwi-2"})


@pytest.fixture(scope="module")
def api() -> Iterator[Path]:
    """The socket of a gateway that has come up with the acme example."""
    with Lab(f"c{uuid.uuid4().hex[:8]}", nodes=NODES, timeout=90) as lab:
        yield Path(lab.status()["nodes"]["gw-a"]["api"])


@pytest.fixture
def shell(api: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program as a script does."""
    environment = {**os.environ, "HOME": str(tmp_path), "KAWAII_API": str(api)}

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kawaii_shell.main", *arguments]
        return subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture
def terminal(api: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal with the console at its operational prompt."""
    with Terminal(api, tmp_path) as opened:
        opened.prompt()
        yield opened
