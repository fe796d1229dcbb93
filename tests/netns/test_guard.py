"""The guard: no address stays behind when keepalived, or the guard itself, dies or freezes (semantics S8, V10)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.engine.errors import ApplyFailed, Refused
from appliance.engine.ports import ServiceState
from appliance.system.files import DurableFiles
from appliance.system.guard.watchdog import process_state
from appliance.system.keepalived import Keepalived
from tests.netns.guarded import A_ON_B, CONFIG, PAIR_A, GuardedNode, at_home, home, run, two_nodes, until

pytestmark = pytest.mark.netns
Pair = tuple[GuardedNode, GuardedNode]


def say(text: str) -> None:
    """Print a measured value past pytest's capture."""
    print(text, file=sys.__stdout__, flush=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with at_home(tmp_path_factory.mktemp("guard")) as nodes:
        yield nodes


@pytest.fixture
def nodes(pair: Pair) -> Iterator[Pair]:
    a, b = pair
    if a.guard is None or a.guard.poll() is not None:
        a.start()
    until(lambda: home(a, b), "both pairs at home")
    yield pair
    assert a.lacks(*A_ON_B) or b.lacks(*A_ON_B)


def moved(a: GuardedNode, b: GuardedNode) -> bool:
    return b.has(*A_ON_B) and a.lacks(*PAIR_A)


@pytest.mark.parametrize(
    ("process", "number"),
    [
        ("keepalived", signal.SIGKILL),
        ("vrrp", signal.SIGKILL),
        ("keepalived", signal.SIGSTOP),
        ("vrrp", signal.SIGSTOP),
        ("keepalived", signal.SIGTERM),
        ("vrrp", signal.SIGSEGV),
    ],
)
def test_lost_keepalived_leaves_nothing_and_comes_home(nodes: Pair, process: str, number: signal.Signals) -> None:
    a, b = nodes
    restarts = a.status().restarts
    os.kill(a.pid(process), number)
    began = time.monotonic()
    released = until(lambda: a.lacks(*PAIR_A), "the pair is off the node")
    until(lambda: b.has(*A_ON_B), "the other node has the pair")
    took = time.monotonic() - began
    say(f"{process} {number.name}: off after {released * 1000:.0f} ms, taken over after {took * 1000:.0f} ms")
    until(lambda: a.status().restarts == restarts + 1, "one restart")
    until(lambda: home(a, b), "both pairs at home again")


def test_routes_are_there_only_while_a_pair_is_held(nodes: Pair) -> None:
    a, b = nodes
    assert a.routes() == {"default via 4.5.6.62 dev ens3 src 4.5.6.10 metric 15 onlink"}
    os.kill(a.pid("keepalived"), signal.SIGKILL)
    until(lambda: moved(a, b), "pair a on b")
    assert not a.routes()
    second = "default via 4.5.6.62 dev ens3 src 4.5.6.10 metric 16 onlink"
    until(lambda: second in b.routes(), "b has a's route too, after its own")


def test_killed_guard_takes_keepalived_along_and_release_leaves_nothing(nodes: Pair) -> None:
    a, b = nodes
    keepalived = a.pid("keepalived")
    began = time.monotonic()
    a.signal(signal.SIGKILL)
    assert a.guard is not None
    a.guard.wait()
    a.release()
    assert a.lacks(*PAIR_A)
    until(lambda: b.has(*A_ON_B), "the other node has the pair")
    say(f"guard SIGKILL: taken over after {(time.monotonic() - began) * 1000:.0f} ms")
    assert process_state(keepalived) in ("", "Z")


def test_frozen_keepalived_of_a_killed_guard_is_released_too(nodes: Pair) -> None:
    a, b = nodes
    for name in ("vrrp", "keepalived"):
        os.kill(a.pid(name), signal.SIGSTOP)
    a.signal(signal.SIGKILL)
    assert a.guard is not None
    a.guard.wait()
    a.release()
    assert a.lacks(*PAIR_A)
    until(lambda: b.has(*A_ON_B), "the other node has the pair")


def test_new_guard_releases_what_it_finds(nodes: Pair) -> None:
    a, b = nodes
    os.kill(a.pid("vrrp"), signal.SIGSTOP)
    a.signal(signal.SIGKILL)
    assert a.guard is not None
    a.guard.wait()
    a.start()
    until(lambda: moved(a, b), "pair a on b")
    until(lambda: home(a, b), "both pairs at home again")


@pytest.mark.parametrize("options", [[], ["--release"]], ids=["second guard", "release by hand"])
def test_running_guard_is_not_disturbed(nodes: Pair, options: list[str]) -> None:
    a, b = nodes
    before = (a.pid("keepalived"), a.pid("vrrp"), a.status().restarts)
    argv = [sys.executable, "-m", "appliance.system.guard", "--root", str(a.root), *options]
    result = subprocess.run(["ip", "netns", "exec", a.netns, *argv], capture_output=True, timeout=30, check=False)
    assert result.returncode == (0 if options else 1)
    assert (a.pid("keepalived"), a.pid("vrrp"), a.status().restarts) == before
    assert home(a, b)


def test_guard_spares_a_stranger_behind_a_stale_pid_file(nodes: Pair) -> None:
    a, b = nodes
    a.stop()
    stranger = b.pid("vrrp")
    a.files.pid_files["vrrp"].write_text(str(stranger))
    a.start()
    until(lambda: home(a, b), "both pairs at home")
    assert b.pid("vrrp") == stranger


def test_flushed_ruleset_gets_its_counter_back(nodes: Pair) -> None:
    a, _b = nodes
    restarts = a.status().restarts
    run("ip", "netns", "exec", a.netns, "nft", "delete", "table", "inet", "kawaii_guard")
    until(lambda: "kawaii_guard" in run("ip", "netns", "exec", a.netns, "nft", "list", "tables"), "the counter")
    time.sleep(1.0)
    assert a.status().restarts == restarts


def test_terminated_guard_resigns(nodes: Pair) -> None:
    a, b = nodes
    a.signal(signal.SIGTERM)
    took = until(lambda: moved(a, b), "pair a on b")
    say(f"guard SIGTERM: taken over after {took * 1000:.0f} ms")
    assert a.guard is not None
    assert a.guard.wait(10) == 0


def test_dead_upstream_moves_the_pair_and_dead_for_all_leaves_it_home(nodes: Pair) -> None:
    a, b = nodes
    fabric = a.netns.removesuffix("-a") + "-fabric"
    drop = "add table bridge t; add chain bridge t f { type filter hook forward priority 0; }"
    run("ip", "netns", "exec", fabric, "nft", f"{drop}; add chain bridge t i {{ type filter hook input priority 0; }}")
    run("ip", "netns", "exec", fabric, "nft", 'add rule bridge t i iifname "public-a" ether type arp drop')
    took = until(lambda: moved(a, b), "pair a on b")
    say(f"upstream dead for one: moved after {took * 1000:.0f} ms")
    run("ip", "netns", "exec", fabric, "nft", 'add rule bridge t i iifname "public-b" ether type arp drop')
    until(lambda: home(a, b), "both pairs at home, for it is no better elsewhere")
    run("ip", "netns", "exec", fabric, "nft", "delete table bridge t")
    until(lambda: a.files.upstream.read_text() == b.files.upstream.read_text() == "0\n", "the gateway is seen alive")
    assert home(a, b)


# -- what kawaiid asks of it ------------------------------------------------------------------------------------------


class Guards:
    """The `ServiceManager` of one guard."""

    def __init__(self, node: GuardedNode) -> None:
        self._node = node

    def start(self, daemon: str) -> None:
        self._node.start()

    def stop(self, daemon: str) -> None:
        self._node.stop()

    def restart(self, daemon: str) -> None:
        self._node.stop()
        self._node.start()

    def status(self, daemon: str) -> ServiceState:
        guard = self._node.guard
        running = guard is not None and guard.poll() is None
        return ServiceState(running, guard.pid if guard is not None and running else None)


@pytest.fixture
def port(nodes: Pair) -> Keepalived:
    return port_of(nodes[0])


def port_of(node: GuardedNode) -> Keepalived:
    return Keepalived(node.paths, Guards(node), DurableFiles())


def test_unchanged_text_gives_no_signal(nodes: Pair, port: Keepalived) -> None:
    a, _b = nodes
    before = a.status()
    text = port.configured()
    assert text == a.text()
    port.configure(text)
    after = a.status()
    assert (after.reloads, after.keepalived, after.restarts) == (before.reloads, before.keepalived, before.restarts)


def test_changed_text_is_read_without_a_transition(nodes: Pair, port: Keepalived) -> None:
    a, b = nodes
    before = a.status()
    third = "    - {zone: c, public_ip: 4.5.6.12, private_ip: 10.50.201.254, vrid: 3, peer: 10.50.201.13}\nha:"
    port.configure(a.text(CONFIG.replace("ha:", third, 1)))
    assert a.status().keepalived == before.keepalived
    assert port.generation() == before.reloads + 1
    until(lambda: {entry["data"]["vrid"] for entry in port.instances()} == {1, 2, 3}, "three instances")
    assert a.has(*PAIR_A)
    port.configure(a.text())
    until(lambda: {entry["data"]["vrid"] for entry in port.instances()} == {1, 2}, "two instances")
    until(lambda: a.lacks("4.5.6.12/26"), "the third pair is gone")
    assert home(a, b)


def test_broken_file_never_reaches_keepalived(nodes: Pair, port: Keepalived) -> None:
    a, b = nodes
    broken = a.text() + "vrrp_instance {\n  nonsense\n}\n"
    with pytest.raises(Refused, match="must have a name"):
        port.check(broken)
    with pytest.raises(ApplyFailed, match="must have a name"):
        port.configure(broken)
    os.kill(a.pid("keepalived"), signal.SIGKILL)
    until(lambda: moved(a, b), "pair a on b")
    until(lambda: home(a, b), "home again with the last good file")
    port.configure(a.text())
    assert port.service().running


def test_no_pairs_no_keepalived(nodes: Pair, port: Keepalived) -> None:
    a, b = nodes
    text = a.text()
    port.configure(None)
    assert not port.service().running
    assert port.configured() is None
    assert port.instances() == []
    assert moved(a, b) or a.lacks(*PAIR_A)
    port.configure(text)
    assert port.service().running


def test_missing_peering_nic_holds_back_only_its_part(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (a, _b):
        subnet = "subnets:\n  other: {cidr: 10.50.205.0/24, device: ens6, gateways: [10.50.205.252]}\n"
        peering = "vpc_peerings:\n  - subnet: other\n    netcfg: [{zone: a, private_ip: 10.50.205.70}]\n"
        port = port_of(a)
        text = a.text(CONFIG + subnet + peering)
        port.check(text)
        port.configure(text)
        until(lambda: a.has(*PAIR_A), "the pair is up without the missing NIC")
        assert a.routes() == {"default via 4.5.6.62 dev ens3 src 4.5.6.10 metric 15 onlink"}
