"""The tunnel to the office by packets: from both zones, where its VIP goes, with a far end that fails (I03-I08)."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.lab.region import Lab
from tests.netns.conftest import lab_name
from tests.netns.node import call, commit, flow, pings, reach, reached, serving

pytestmark = pytest.mark.netns

NODES = frozenset({"gw-a", "gw-b", "inst-a", "inst-b", "kiwi-1", "kiwi-2", "office-gw", "office-host"})
OFFICE = "ACME Office"
ADDRESS = {"inst-a": "10.50.201.20", "inst-b": "10.50.201.21", "office-host": "172.16.1.10"}
SERVERS = {
    "inst-a": ("tcp:80", "tcp:8080", "udp:53"),
    "inst-b": ("tcp:80", "tcp:8080", "udp:53"),
    "office-host": ("tcp:80", "udp:53", "chatty:9000"),
}
UP_WITHIN = 15.0


@pytest.fixture(scope="module")
def served(soon_home: Path) -> Iterator[Lab]:
    """Two zones, the office, and servers on either side."""
    with Lab(lab_name(), config=soon_home, nodes=NODES, timeout=60) as lab, contextlib.ExitStack() as stack:
        for node, specs in SERVERS.items():
            stack.enter_context(serving(lab, node, *specs))
        yield lab


@pytest.fixture
def region(served: Lab, soon_home: Path) -> Iterator[Lab]:
    """The region with both pairs at home, the tunnel up and its settings as seeded, now and after the test."""
    served.wait_for(lambda: not served.missing(), 30, "the region whole before the test")
    yield served
    text = yaml.safe_dump(yaml.safe_load(soon_home.read_text(encoding="utf-8"))["kawaii"], allow_unicode=True)
    for node in ("gw-a", "gw-b"):
        commit(served, node, text, merge=False)
    served.wait_for(lambda: not served.missing(), 30, "the region whole after the test")


def state(lab: Lab, node: str = "gw-a") -> dict[str, Any]:
    """Give the tunnel's row of `show ipsec`."""
    (row,) = call(lab, node, "GET", "/v1/op/show/ipsec")["rows"]
    found: dict[str, Any] = row
    return found


def set_office(lab: Lab, **settings: Any) -> None:
    """Commit other settings of the tunnel on both gateways."""
    for node in ("gw-a", "gw-b"):
        commit(lab, node, json.dumps({"ipsec": [{"name": OFFICE, **settings}]}))


def wait_established(lab: Lab) -> None:
    """Wait until the tunnel carries packets."""
    lab.wait_for(lambda: state(lab)["state"] == "established", UP_WITHIN, "the tunnel")
    lab.wait_for(lambda: pings(lab, "inst-a", ADDRESS["office-host"]), UP_WITHIN, "an answer from the office")


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("instance", ["inst-a", "inst-b"])
def test_both_ways_from_both_zones_by_their_own_addresses(region: Lab, instance: str, kind: str) -> None:
    port = 80 if kind == "tcp" else 53
    assert reached(region, instance, kind, ADDRESS["office-host"], port) == ADDRESS[instance]
    assert reached(region, "office-host", kind, ADDRESS[instance], port) == ADDRESS["office-host"]


@pytest.mark.parametrize("instance", ["inst-a", "inst-b"])
def test_pings_pass_both_ways(region: Lab, instance: str) -> None:
    assert pings(region, instance, ADDRESS["office-host"])
    assert pings(region, "office-host", ADDRESS[instance])


def test_large_packets_pass(region: Lab) -> None:
    for node in ("inst-a", "inst-b"):
        argv = ["ping", "-n", "-q", "-c", "2", "-W", "2", "-s", "1400", ADDRESS["office-host"]]
        assert region.exec(node, argv, check=False).returncode == 0


def test_nothing_of_it_is_seen_on_the_way(region: Lab) -> None:
    plain = f"host {ADDRESS['office-host']} or net 10.50.201.0/24"
    argv = ["tcpdump", "-n", "-i", "wan", "-c", "1", plain]
    process = region.popen("office-gw", argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        while "listening on" not in process.stderr.readline():
            assert process.poll() is None
        assert pings(region, "inst-a", ADDRESS["office-host"])
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_each_gateway_says_where_the_tunnel_is(region: Lab) -> None:
    here, there = state(region, "gw-a"), state(region, "gw-b")
    assert (here["name"], here["zone"], here["peer"]) == (OFFICE, "eu-west-a", "5.6.7.8")
    assert (here["owner"], here["state"], bool(here["spi_in"])) == (True, "established", True)
    assert (there["owner"], there["state"], there["spi_in"]) == (False, "elsewhere", None)
    before = state(region)["bytes_out"]
    assert pings(region, "inst-b", ADDRESS["office-host"])
    assert state(region)["bytes_out"] > before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("instance", ["inst-a", "inst-b"])
def test_the_tunnel_follows_its_vip(
    region: Lab, number: signal.Signals, instance: str, record_property: Callable[[str, object], None]
) -> None:
    with flow(region, instance, "tcp", ADDRESS["office-host"], 80, seconds=8.0) as traffic:
        region.kill("gw-a", "keepalived", number)
        region.wait_for(lambda: state(region, "gw-b")["state"] == "established", UP_WITHIN, "the tunnel on gw-b")
        result = traffic.result()
    record_property("measured", f"tunnel moves there and back, {instance}: silence {result.longest_gap * 1000:.0f} ms")
    assert result.error is None
    assert result.longest_gap < 5.0


def test_a_healed_split_leaves_a_tunnel_that_works(region: Lab) -> None:
    region.silence("gw-a", "private")
    try:
        region.wait_for(lambda: state(region, "gw-b")["owner"], UP_WITHIN, "the pair on gw-b too")
        time.sleep(1.0)
    finally:
        region.silence("gw-a", "private", silent=False)
    region.wait_for(lambda: not state(region, "gw-b")["owner"], UP_WITHIN, "the pair gone from gw-b")
    for instance in ("inst-a", "inst-b"):
        region.wait_for(partial(pings, region, instance, ADDRESS["office-host"]), 5.0, "an answer")


@pytest.mark.parametrize("daemon", ["kawaiid", "charon"])
def test_what_dies_comes_back_with_the_tunnel(region: Lab, daemon: str) -> None:
    before = state(region)["spi_in"]
    region.kill("gw-a", daemon)
    if daemon == "kawaiid":
        assert pings(region, "inst-a", ADDRESS["office-host"])
        region.wait_for(lambda: _answers(region), UP_WITHIN, "kawaiid again")
        assert state(region)["spi_in"] == before
    else:
        wait_established(region)
        assert state(region)["spi_in"] != before


def _answers(lab: Lab) -> bool:
    try:
        return bool(state(lab)["name"])
    except OSError:
        return False


def test_reset_starts_it_anew(region: Lab) -> None:
    before = state(region)["spi_in"]
    call(region, "gw-a", "POST", "/v1/op/reset/ipsec?name=ACME%20Office")
    region.wait_for(lambda: state(region)["spi_in"] not in {None, before}, UP_WITHIN, "another association")
    assert pings(region, "inst-b", ADDRESS["office-host"])


def test_ingress_rules_of_a_tunnel(region: Lab) -> None:
    set_office(region, ingress_rules=[{"ports": "80", "source": "172.16.1.0/28"}])
    for instance in ("inst-a", "inst-b"):
        assert reached(region, "office-host", "tcp", ADDRESS[instance], 80) == ADDRESS["office-host"]
        assert not reach(region, "office-host", "tcp", ADDRESS[instance], 8080).ok
        assert not pings(region, "office-host", ADDRESS[instance])
        assert reached(region, instance, "tcp", ADDRESS["office-host"], 80) == ADDRESS[instance]
        assert pings(region, instance, ADDRESS["office-host"])
    set_office(region, ingress_rules=[{"ports": "80", "source": "172.16.1.128/25"}])
    assert not reach(region, "office-host", "tcp", ADDRESS["inst-a"], 80).ok


def test_rekeying_loses_nothing(region: Lab) -> None:
    set_office(region, phase1_lifetime="24s", phase2_lifetime="12s")
    wait_established(region)
    first = state(region)["spi_in"]
    with flow(region, "inst-b", "udp", ADDRESS["office-host"], 53, seconds=26.0, interval=0.02) as traffic:
        result = traffic.result()
    assert result.sent == result.received
    assert state(region)["spi_in"] != first


@pytest.mark.parametrize("action", ["restart", "clear"])
def test_a_dead_peer_is_noticed_in_time(region: Lab, action: str) -> None:
    set_office(region, dpd_timeout="8s", dpd_action=action)
    wait_established(region)
    region.kill("office-gw", "charon", signal.SIGSTOP)
    began = time.monotonic()
    try:
        region.wait_for(lambda: state(region)["state"] != "established", 15, "the peer's death noticed")
        took = time.monotonic() - began
        # what was heard last may be a probe interval ago
        assert 5.5 < took < 8 + 2 + 1.5
        assert state(region)["reason"]
        time.sleep(3.0)
        assert state(region)["state"] == ("connecting" if action == "restart" else "down")
    finally:
        region.kill("office-gw", "charon", signal.SIGCONT)
    if action == "clear":
        time.sleep(3.0)
        assert state(region)["state"] == "down"
        call(region, "gw-a", "POST", "/v1/op/reset/ipsec?name=ACME%20Office")
    wait_established(region)


def test_a_wrong_key_says_so_and_a_right_one_helps(region: Lab) -> None:
    key = 'k#9} "quoted" ünïcode'
    set_office(region, pre_shared_key="another")
    region.wait_for(lambda: "key" in (state(region)["reason"] or ""), UP_WITHIN, "the reason")
    assert state(region)["state"] in {"down", "connecting"}
    assert not pings(region, "inst-a", ADDRESS["office-host"])
    set_office(region, pre_shared_key=key)
    wait_established(region)


def test_algorithms_that_the_peer_does_not_have_say_so(region: Lab) -> None:
    set_office(region, phase1_dh_group_number=15)
    region.wait_for(lambda: "phase 1" in (state(region)["reason"] or ""), UP_WITHIN, "the reason")


def test_a_disabled_connection_is_gone(region: Lab) -> None:
    set_office(region, disabled=True)
    assert state(region)["state"] == "disabled"
    assert not pings(region, "inst-a", ADDRESS["office-host"])


def test_no_secret_is_in_any_log_or_answer(region: Lab) -> None:
    for log in (region.state.directory / "log").iterdir():
        assert "quoted" not in log.read_text(encoding="utf-8", errors="replace")
    for path in ("/v1/op/show/ipsec", "/v1/config"):
        assert "quoted" not in json.dumps(call(region, "gw-a", "GET", path), ensure_ascii=False)
