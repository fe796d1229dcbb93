"""Names, places and process identities."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.lab.daemons import DaemonSpec, Restart, load_specs, save_specs
from appliance.lab.process import Identity, children, start_time
from appliance.lab.state import State
from appliance.lab.topology import LabError


@pytest.fixture
def base() -> Iterator[Path]:
    """A place with a short path, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="kw") as directory:
        yield Path(directory)


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "..", "a" * 25, "a b"])
def test_a_name_that_cannot_be_a_path_or_namespace_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not a lab's name"):
        State.of(name, tmp_path)


def test_a_place_too_long_for_unix_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="too long"):
        State.of("x", tmp_path / ("d" * 100))


def test_a_lab_is_made_only_once(base: Path) -> None:
    state = State.of("x", base)
    state.create()
    with pytest.raises(LabError, match="is there already"):
        state.create()
    state.remove()
    state.create()
    assert state.exists


def test_a_lab_that_is_not_there_cannot_be_attached_to(base: Path) -> None:
    with pytest.raises(LabError, match="no lab named x is up"):
        State.of("x", base).load()


def test_a_process_is_itself_until_it_ends() -> None:
    process = subprocess.Popen(["sleep", "60"])
    identity = Identity.parse(str(Identity.of(process.pid)))
    assert identity.alive()
    assert children(os.getpid())[process.pid] in {"sleep", "python", "pytest"}
    identity.kill()
    assert not identity.alive()
    assert process.wait() == -9


def test_another_process_with_the_same_id_is_not_killed() -> None:
    process = subprocess.Popen(["sleep", "60"])
    stranger = Identity(process.pid, start_time(process.pid) - 1)
    assert not stranger.alive()
    stranger.kill()
    assert process.poll() is None
    process.kill()
    process.wait()


def test_daemon_specs_survive_their_file(tmp_path: Path) -> None:
    spec = DaemonSpec("gw-a", "guard", "ns", ("a", "b"), {"X": "1"}, Restart.ALWAYS, 0.2, after=("c",), condition="/x")
    save_specs(tmp_path / "specs", [spec])
    assert load_specs(tmp_path / "specs") == [spec]
