"""The guard's files: one guard at a time, and no process taken for keepalived that is not ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.system.guard.status import GuardFiles, Status
from appliance.system.paths import Paths

LOCK = """
import sys
from appliance.system.guard.status import GuardFiles
from appliance.system.paths import Paths
print(GuardFiles(Paths(sys.argv[1])).lock() is not None, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def files(tmp_path: Path) -> GuardFiles:
    found = GuardFiles(Paths(tmp_path))
    found.prepare()
    return found


def test_a_lock_lasts_as_long_as_its_process(files: GuardFiles, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", LOCK, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert files.lock() is None
        holder.kill()
    assert files.lock() is not None


def test_a_recycled_number_is_not_our_keepalived(files: GuardFiles) -> None:
    argv = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "-p"]
    for own in (True, False):
        path = files.pid_files["keepalived"] if own else "/run/keepalived.pid"
        with subprocess.Popen([*argv, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            files.pid_files["vrrp"].write_text(str(process.pid))
            assert files.pid("vrrp") == (process.pid if own else None)
            process.kill()
        assert files.pid("vrrp") is None


@pytest.mark.parametrize("text", ["", "x", "999999999"])
def test_a_damaged_or_stale_pid_file_names_nobody(files: GuardFiles, text: str) -> None:
    files.pid_files["keepalived"].write_text(text)
    assert files.pid("keepalived") is None


def test_status_is_read_as_it_was_written(files: GuardFiles) -> None:
    status = Status(7, "running", 8, digest="d", reloads=3, addresses=(("4.5.6.10/26", "ens3"),))
    files.write_status(status)
    assert files.read_status() == status


def test_a_damaged_status_is_none(files: GuardFiles) -> None:
    assert files.read_status() is None
    files.status_file.write_text('{"pid": 1, "unknown": 2}')
    assert files.read_status() is None
