from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from kawaii_shell.client import Client
from kawaii_shell.console import Console
from kawaii_shell.daemon import Daemon
from kawaii_shell.files import OwnFiles
from kawaii_shell.main import main
from tests.unit.shell.fake_daemon import FakeDaemon

TREE = {
    "system": {"hostname": "gw-a", "dns": ["10.50.201.1"]},
    "ingress_rules": {"10": {"ports": "8443"}},
    "ipsec": {"ACME Office": {"remote_peer": "5.6.7.8", "pre_shared_key": "k#9"}},
}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "api.sock", copy.deepcopy(TREE)) as daemon:
        yield daemon


@pytest.fixture
def console(daemon: FakeDaemon, tmp_path: Path) -> Iterator[Console]:
    console = Console(Daemon(Client(str(daemon.path))), OwnFiles(tmp_path / "kawaii-files"))
    yield console
    console.leave()


@pytest.fixture
def shell(daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the program as a script does, in this process."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("kawaii_shell.main.drop_on_hangup", lambda console: None)

    def run(*arguments: str, stdin: str = "") -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", io.StringIO(stdin)):
            code = main(["--api", str(daemon.path), *arguments])
        return Ran(code, out.getvalue(), err.getvalue())

    return run
