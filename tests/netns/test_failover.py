"""How the pairs move when something dies, and that nothing is left behind (semantics S8)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.lab.region import Lab
from tests.netns.node import flow, reached

pytestmark = pytest.mark.netns

INTERNET = "198.51.100.10"
PAIR_A = ("4.5.6.10", "10.50.201.252")
TAKE_OVER = 10.0
"""Seconds after which a pair that has not moved never will."""


def on(lab: Lab, node: str) -> list[str]:
    """Give the addresses of pair a that a node has."""
    present = lab.addresses(node)
    return [address for address in PAIR_A if address in present]


def moved_to_b(lab: Lab) -> bool:
    """Whether gw-b has the whole pair a and gw-a nothing of it."""
    return on(lab, "gw-b") == list(PAIR_A) and not on(lab, "gw-a")


@pytest.mark.parametrize(
    ("daemon", "number"),
    [
        pytest.param("keepalived", signal.SIGKILL, id="keepalived killed"),
        pytest.param("keepalived", signal.SIGSTOP, id="keepalived frozen"),
        pytest.param("keepalived", signal.SIGTERM, id="keepalived terminated"),
        pytest.param("guard", signal.SIGKILL, id="guard killed"),
        pytest.param("guard", signal.SIGTERM, id="guard terminated"),
    ],
)
def test_pair_moves_to_b_and_none_is_left_behind(
    whole: Lab, daemon: str, number: int, record_property: Callable[[str, object], None]
) -> None:
    with flow(whole, "inst-a", "fresh", INTERNET, 443, seconds=4.0) as traffic:
        began = time.monotonic()
        whole.kill("gw-a", daemon, number)
        whole.wait_for(lambda: moved_to_b(whole), TAKE_OVER, "pair a on gw-b and gone from gw-a")
        took = time.monotonic() - began
        gap = traffic.result().longest_gap
    name = signal.Signals(number).name
    text = f"{daemon} of gw-a, {name}: pair moved in {took * 1000:.0f} ms, longest silence {gap * 1000:.0f} ms"
    record_property("measured", text)


def test_no_address_is_on_two_nodes_for_long_after_keepalived_froze(
    whole: Lab, record_property: Callable[[str, object], None]
) -> None:
    whole.kill("gw-a", "keepalived", signal.SIGSTOP)
    doubled = 0.0
    began = last = time.monotonic()
    while last - began < 3.0:
        both = bool(set(on(whole, "gw-a")) & set(on(whole, "gw-b")))
        now = time.monotonic()
        doubled += (now - last) if both else 0.0
        last = now
    record_property("measured", f"keepalived of gw-a frozen: pair a on both gateways for {doubled * 1000:.0f} ms")
    assert doubled < 0.5


def test_silent_host_loses_its_pair_and_takes_it_back(whole: Lab) -> None:
    whole.isolate("gw-a")
    try:
        whole.wait_for(lambda: on(whole, "gw-b") == list(PAIR_A), TAKE_OVER, "pair a on gw-b")
        assert reached(whole, "inst-a", "tcp", INTERNET, 443) == "4.5.6.10"
    finally:
        whole.isolate("gw-a", silent=False)
    whole.wait_for(lambda: not on(whole, "gw-b"), 20, "pair a gone from gw-b")
    assert reached(whole, "inst-a", "tcp", INTERNET, 443) == "4.5.6.10"


@pytest.mark.parametrize("segment", ["public", "private"])
def test_lost_link_moves_the_whole_pair(whole: Lab, segment: str) -> None:
    whole.plug("gw-a", segment, up=False)
    try:
        whole.wait_for(lambda: moved_to_b(whole), TAKE_OVER, "pair a on gw-b and gone from gw-a")
        assert reached(whole, "inst-a", "tcp", INTERNET, 443) == "4.5.6.10"
    finally:
        whole.plug("gw-a", segment, up=True)


def test_instance_keeps_its_public_address_through_a_take_over(whole: Lab) -> None:
    assert reached(whole, "inst-a", "tcp", INTERNET, 443) == "4.5.6.10"
    with flow(whole, "inst-a", "fresh", INTERNET, 443, seconds=12.0, interval=0.02) as traffic:
        whole.kill("gw-a", "keepalived", signal.SIGKILL)
        whole.wait_for(lambda: moved_to_b(whole), TAKE_OVER, "pair a on gw-b")
        whole.wait_for(lambda: on(whole, "gw-a") == list(PAIR_A), 20, "pair a home again")
        assert traffic.result().seen == ["4.5.6.10"]


def test_killed_daemon_moves_nothing_and_comes_back(whole: Lab) -> None:
    before = whole.daemons()["gw-a"]
    with flow(whole, "inst-a", "udp", INTERNET, 443, seconds=4.0) as traffic:
        whole.kill("gw-a", "kawaiid", signal.SIGKILL)
        whole.wait_for(
            lambda: whole.daemons().get("gw-a", {}).get("kawaiid", before["kawaiid"]) != before["kawaiid"],
            15,
            "kawaiid restarted",
        )
        result = traffic.result()
    assert result.received == result.sent
    assert on(whole, "gw-a") == list(PAIR_A)
    assert whole.daemons()["gw-a"]["keepalived"] == before["keepalived"]
    assert whole.daemons()["gw-a"]["guard"] == before["guard"]


def test_a_killed_daemon_is_not_keepalived_s_parent(whole: Lab) -> None:
    """kawaiid, its guard and keepalived in three process groups: killing one's group does not take another along."""
    running = whole.daemons()["gw-a"]
    groups = {name: _group(running[name]) for name in ("kawaiid", "guard")}
    assert groups["kawaiid"] != groups["guard"]
    assert _parent(running["keepalived"]) == running["guard"]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _group(pid: int) -> int:
    return int(_stat(pid)[2])


def test_pair_moves_with_kawaiid_dead_too(whole: Lab) -> None:
    whole.kill("gw-a", "kawaiid", signal.SIGKILL)
    whole.kill("gw-a", "keepalived", signal.SIGKILL)
    whole.wait_for(lambda: moved_to_b(whole), TAKE_OVER, "pair a on gw-b and gone from gw-a")
    assert reached(whole, "inst-a", "tcp", INTERNET, 443) == "4.5.6.10"
