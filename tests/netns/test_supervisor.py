"""The lab's supervisor keeps to the rules of the units it stands for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.lab import control
from appliance.lab.daemons import DaemonSpec, Restart, save_specs
from appliance.lab.process import Identity, start_time
from appliance.lab.state import State
from appliance.lab.topology import LabError
from tests.netns.conftest import lab_name

pytestmark = pytest.mark.netns

READY = "import os,socket,time;time.sleep({delay});s=socket.socket(1,2);s.connect(os.environ['NOTIFY_SOCKET']);"
READY += "s.send(b'READY=1');time.sleep(60)"


class Bench:
    """A supervisor and a namespace for it to run daemons in."""

    def __init__(self, state: State, netns: str) -> None:
        self.state = state
        self.netns = netns
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *specs: DaemonSpec) -> None:
        save_specs(self.state.specs, specs)
        argv = [sys.executable, "-m", "appliance.lab.supervisor", str(self.state.directory)]
        self.process = subprocess.Popen(argv)
        self.wait(lambda: control.answers(self.state.socket))

    def spec(self, daemon: str, *argv: str, **more: Any) -> DaemonSpec:
        return DaemonSpec("node", daemon, self.netns, argv, **{"restart_delay": 0.05, **more})

    def ask(self, daemon: str, action: str, **more: Any) -> dict[str, Any]:
        return control.request(self.state.socket, node="node", daemon=daemon, action=action, **more)

    def pid(self, daemon: str) -> int | None:
        pid: int | None = self.ask(daemon, "status")["pid"]
        return pid

    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)


@pytest.fixture
def bench() -> Iterator[Bench]:
    name = lab_name()
    state, netns = State.of(name), f"kw-{name}-gw-a"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    state.create()
    bench = Bench(state, netns)
    try:
        yield bench
    finally:
        if bench.process is not None:
            bench.process.terminate()
            bench.process.wait()
        subprocess.run(["ip", "netns", "del", netns], check=True)
        state.remove()


def test_a_daemon_runs_inside_its_namespace_and_stops_when_told(bench: Bench) -> None:
    bench.start(bench.spec("x", "sleep", "60"))
    pid = bench.pid("x")
    assert pid is not None
    inside = subprocess.run(["ip", "netns", "pids", bench.netns], capture_output=True, text=True, check=True).stdout
    assert str(pid) in inside.split()
    assert bench.ask("x", "stop") == {"ok": True, "running": False, "pid": None, "error": None}
    assert start_time(pid) == 0


def test_a_daemon_is_started_again_and_its_hook_runs_each_time_it_ends(bench: Bench) -> None:
    mark = bench.state.directory / "mark"
    hook = ("sh", "-c", f"echo ended >> {mark}")
    bench.start(bench.spec("x", "sleep", "60", restart=Restart.ALWAYS, after=hook))
    first = bench.pid("x")
    bench.ask("x", "kill", signal=int(signal.SIGKILL))
    bench.wait(lambda: bench.pid("x") not in (None, first))
    assert mark.read_text().split() == ["ended"]
    bench.ask("x", "stop")
    assert mark.read_text().split() == ["ended", "ended"]


@pytest.mark.parametrize(("code", "again"), [("0", False), ("1", True)])
def test_on_failure_means_not_after_a_clean_end(bench: Bench, code: str, again: bool) -> None:
    count = bench.state.directory / "count"
    bench.start(bench.spec("x", "sh", "-c", f"echo start >> {count}; sleep 0.1; exit {code}"))
    bench.wait(lambda: count.exists() and (not again or count.read_text().count("start") > 2))
    time.sleep(0.5)
    assert (count.read_text().count("start") > 1) is again


def test_what_a_daemon_leaves_in_its_group_dies_with_it(bench: Bench) -> None:
    child = bench.state.directory / "child"
    bench.start(bench.spec("x", "sh", "-c", f"sleep 60 & echo $! > {child}; wait"))
    bench.wait(lambda: child.exists() and child.read_text().strip())
    identity = Identity.of(int(child.read_text()))
    bench.ask("x", "kill", signal=int(signal.SIGKILL))
    bench.wait(lambda: not identity.alive())


def test_start_returns_when_the_daemon_is_ready(bench: Bench) -> None:
    bench.start(bench.spec("x", sys.executable, "-c", READY.format(delay=0.5), notify=True, boot=False))
    began = time.monotonic()
    assert bench.ask("x", "start")["running"]
    assert time.monotonic() - began > 0.5


def test_a_daemon_without_its_file_is_not_started_and_the_answer_says_so(bench: Bench) -> None:
    missing = str(bench.state.directory / "missing.conf")
    bench.start(bench.spec("x", "sleep", "60", condition=missing, boot=False))
    with pytest.raises(LabError, match=r"missing\.conf is missing"):
        bench.ask("x", "start")
    Path(missing).touch()
    assert bench.ask("x", "start")["running"]


def test_a_daemon_that_ends_at_once_is_an_error_with_the_place_of_its_words(bench: Bench) -> None:
    bench.start(bench.spec("x", "false", notify=True, boot=False, restart_delay=60.0))
    with pytest.raises(LabError, match=r"ended at once.*node\.x\.log"):
        bench.ask("x", "start")


def test_unknown_daemons_actions_and_requests_are_refused(bench: Bench) -> None:
    bench.start(bench.spec("x", "sleep", "60"))
    with pytest.raises(LabError, match="no daemon y"):
        bench.ask("y", "status")
    with pytest.raises(LabError, match="no such action"):
        bench.ask("x", "dance")
    with pytest.raises(LabError, match="not a request"):
        control.request(bench.state.socket)


def test_daemons_die_with_a_killed_supervisor(bench: Bench) -> None:
    bench.start(bench.spec("x", "sleep", "60", restart=Restart.ALWAYS))
    pid = bench.pid("x")
    assert pid is not None
    assert bench.process is not None
    identity = Identity.of(pid)
    os.kill(bench.process.pid, signal.SIGKILL)
    bench.wait(lambda: not identity.alive())
