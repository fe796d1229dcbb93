"""Peerings by packets: two projects' gateways, both rules, both ends' consent (semantics S4)."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from appliance.lab.region import Lab
from appliance.lab.seeds import load_peer
from tests.netns.conftest import lab_name
from tests.netns.node import call, flow, pings, reach, reached, serving

pytestmark = pytest.mark.netns

NODES = frozenset({"gw-a", "gw-b", "inst-a", "inst-b", "kiwi-1", "kiwi-2", "ceph", "peer-gw", "peer-inst"})
ADDRESS = {"inst-a": "10.50.201.20", "inst-b": "10.50.201.21", "peer-inst": "10.50.205.20", "ceph": "10.50.102.10"}
ACME, MARVELOUS = ("gw-a", "gw-b"), ("peer-gw",)
PEERING = {"gw-a": "eu-west-marvelous", "gw-b": "eu-west-marvelous", "peer-gw": "eu-west-acme"}
CEPH_PORTS = (111, 2049, 3300, 6789, 6800, 7568)
OTHER_PORTS = (22, 112, 3301, 6799, 7569)
SERVERS = {
    "inst-a": ("tcp:80", "tcp:443", "udp:443", "udp:9000", "tcp:6789"),
    "inst-b": ("tcp:80", "tcp:443", "udp:443"),
    "peer-inst": ("tcp:80", "tcp:443", "udp:443", "udp:9000"),
    "ceph": tuple(f"tcp:{port}" for port in (*CEPH_PORTS, *OTHER_PORTS)),
}
WAYS = (
    ("inst-a", "peer-inst", "10.50.205.252"),
    ("inst-b", "peer-inst", "10.50.205.252"),
    ("peer-inst", "inst-a", "10.50.201.252"),
    ("peer-inst", "inst-b", "10.50.201.252"),
)
"""From, to, and as whom one is seen there: the private VIP of the gateway that the flow enters by."""


@pytest.fixture(scope="module")
def peered() -> Iterator[Lab]:
    """Acme's two zones, its Ceph subnet, and project marvelous."""
    with Lab(lab_name(), nodes=NODES, timeout=60) as lab, contextlib.ExitStack() as stack:
        for node, specs in SERVERS.items():
            stack.enter_context(serving(lab, node, *specs))
        yield lab


@pytest.fixture
def agreed(peered: Lab) -> Lab:
    """The region with every pair of gateways agreed."""
    peered.wait_for(lambda: not peered.missing(), 30, "every pair at home")
    peered.wait_for(lambda: all_agree(peered), 15, "the gateways' agreement")
    return peered


def consent(lab: Lab, node: str) -> dict[str, str]:
    """Give what `show peering` says of consent, by the other end's address."""
    tables = call(lab, node, "GET", "/v1/op/show/peering")["tables"]
    rows = next(table["rows"] for table in tables if table["title"] == "Consent")
    return {row["remote"]: row["consent"] for row in rows if row["peering"] == PEERING[node]}


def all_agree(lab: Lab) -> bool:
    """Whether each gateway has the agreement of all it talks to."""
    said = [words for node in (*ACME, *MARVELOUS) for words in consent(lab, node).values()]
    return set(said) == {"agreed"} and len(consent(lab, "peer-gw")) == 2


def tree_of(lab: Lab, node: str) -> dict[str, Any]:
    """Give the configuration that a gateway was seeded with."""
    if node == "peer-gw":
        peer = load_peer(lab.topology, lab.seeded)
        assert peer is not None
        return copy.deepcopy(peer.tree)
    return copy.deepcopy(lab.seeded.tree)


def put(lab: Lab, node: str, tree: dict[str, Any]) -> None:
    """Commit a whole configuration."""
    call(lab, node, "POST", "/v1/commit", {"text": yaml.safe_dump(tree), "merge": False, "name": "test"})


@contextlib.contextmanager
def changed(lab: Lab, nodes: tuple[str, ...], change: Callable[[dict[str, Any], str], None]) -> Iterator[None]:
    """Have gateways configured otherwise inside the context; `change` gets the tree and the peering's name."""
    try:
        for node in nodes:
            tree = tree_of(lab, node)
            change(tree, PEERING[node])
            put(lab, node, tree)
        yield
    finally:
        for node in nodes:
            put(lab, node, tree_of(lab, node))


def withdraw(tree: dict[str, Any], peering: str) -> None:
    del tree["vpc_peerings"][peering]["consent_key"]


def use_another_key(tree: dict[str, Any], peering: str) -> None:
    tree["vpc_peerings"][peering]["consent_key"] = "something else"


def remove(tree: dict[str, Any], peering: str) -> None:
    del tree["vpc_peerings"][peering]


def nothing_passes(lab: Lab) -> bool:
    """Whether no way of tcp, udp or icmp is open."""
    tried = [reach(lab, one, kind, ADDRESS[other], 443).ok for one, other, _ in WAYS[::3] for kind in ("tcp", "udp")]
    return not any(tried) and not any(pings(lab, one, ADDRESS[other]) for one, other, _ in WAYS)


@pytest.mark.parametrize(("one", "other", "seen"), WAYS)
@pytest.mark.parametrize(("kind", "port"), [("tcp", 443), ("tcp", 80), ("udp", 443)])
def test_instances_of_both_projects_reach_each_other(
    agreed: Lab, one: str, other: str, seen: str, kind: str, port: int
) -> None:
    assert reached(agreed, one, kind, ADDRESS[other], port) == seen


@pytest.mark.parametrize(("one", "other", "seen"), WAYS)
def test_pings_pass_between_peered_subnets(agreed: Lab, one: str, other: str, seen: str) -> None:
    assert pings(agreed, one, ADDRESS[other])


def test_an_instance_that_bypasses_its_gateway_reaches_nothing(agreed: Lab) -> None:
    assert reached(agreed, "peer-inst", "tcp", ADDRESS["inst-a"], 443)
    agreed.exec("peer-inst", ["ip", "route", "add", "10.50.201.0/24", "via", "10.50.205.70"])
    try:
        assert not reach(agreed, "peer-inst", "tcp", ADDRESS["inst-a"], 443).ok
        assert not pings(agreed, "peer-inst", ADDRESS["inst-a"])
    finally:
        agreed.exec("peer-inst", ["ip", "route", "del", "10.50.201.0/24"])


@pytest.mark.parametrize("instance", ["inst-a", "inst-b"])
def test_ceph_is_reached_on_its_ports_and_no_other(agreed: Lab, instance: str) -> None:
    own = {"inst-a": "10.50.102.70", "inst-b": "10.50.102.71"}[instance]
    assert {reached(agreed, instance, "tcp", ADDRESS["ceph"], port) for port in CEPH_PORTS} == {own}
    assert [port for port in OTHER_PORTS if reach(agreed, instance, "tcp", ADDRESS["ceph"], port, timeout=0.5).ok] == []


def test_ceph_opens_nothing_towards_the_instances(agreed: Lab) -> None:
    assert reached(agreed, "inst-b", "tcp", ADDRESS["inst-a"], 6789)
    agreed.exec("ceph", ["ip", "route", "add", "10.50.201.0/24", "via", "10.50.102.70"])
    try:
        assert not reach(agreed, "ceph", "tcp", ADDRESS["inst-a"], 6789).ok
    finally:
        agreed.exec("ceph", ["ip", "route", "del", "10.50.201.0/24"])


@pytest.mark.parametrize("ends", [ACME, MARVELOUS])
@pytest.mark.parametrize("change", [withdraw, use_another_key, remove])
def test_nothing_passes_once_either_end_takes_its_consent_back(
    agreed: Lab, ends: tuple[str, ...], change: Callable[[dict[str, Any], str], None]
) -> None:
    with changed(agreed, ends, change):
        assert nothing_passes(agreed)
        for node in {*ACME, *MARVELOUS} - set(ends):
            assert "agreed" not in consent(agreed, node).values()
    agreed.wait_for(lambda: all_agree(agreed), 10, "the agreement after the key came back")
    assert all(pings(agreed, one, ADDRESS[other]) for one, other, _ in WAYS)


@pytest.mark.parametrize("ends", [ACME, MARVELOUS, ("gw-a",)])
def test_an_established_flow_ends_with_the_consent(agreed: Lab, ends: tuple[str, ...]) -> None:
    running_flow = flow(agreed, "inst-a", "udp", ADDRESS["peer-inst"], 9000, seconds=6.0)
    with running_flow as running, changed(agreed, ends, withdraw):
        assert not reach(agreed, "inst-a", "udp", ADDRESS["peer-inst"], 9000).ok
        result = running.result()
    assert result.received > 0
    assert result.longest_gap > 1.0


def test_show_peering_names_the_end_that_is_missing(agreed: Lab) -> None:
    with changed(agreed, MARVELOUS, withdraw):
        withdrawn = {"10.50.205.252": "the other end has withdrawn its key"}
        agreed.wait_for(lambda: consent(agreed, "gw-a") == withdrawn, 5, "gw-a to hear that the key was withdrawn")
    with changed(agreed, ("gw-a",), withdraw):
        agreed.wait_for(
            lambda: consent(agreed, "peer-gw")["10.50.205.70"] == "the other end has withdrawn its key",
            5,
            "peer-gw to hear that the key was withdrawn",
        )
    with changed(agreed, MARVELOUS, use_another_key):
        agreed.wait_for(lambda: "another key" in consent(agreed, "peer-gw")["10.50.205.71"], 10, "the other key's name")


def test_the_other_ends_daemon_may_restart(agreed: Lab) -> None:
    with flow(agreed, "inst-a", "udp", ADDRESS["peer-inst"], 9000, seconds=8.0) as running:
        agreed.kill("peer-gw", "kawaiid")
        result = running.result()
    assert result.error is None
    assert result.longest_gap < 0.5


def test_a_take_over_takes_the_peering_along(agreed: Lab, record_property: Callable[[str, object], None]) -> None:
    with flow(agreed, "inst-a", "fresh", ADDRESS["peer-inst"], 443, seconds=6.0) as running:
        agreed.isolate("gw-a")
        try:
            result = running.result()
        finally:
            agreed.isolate("gw-a", silent=False)
    record_property("measured", f"take-over: fresh flows to the peer stopped for {result.longest_gap * 1000:.0f} ms")
    assert result.received > 0
    assert result.longest_gap < 3.0


def test_a_gateway_of_theirs_that_is_dead_is_passed_over(agreed: Lab) -> None:
    assert reached(agreed, "peer-inst", "tcp", ADDRESS["inst-b"], 443) == "10.50.201.252"
    agreed.silence("gw-a", "marvelous")
    try:
        way = ["ip", "route", "get", ADDRESS["inst-b"]]
        agreed.wait_for(lambda: "via 10.50.205.71" in agreed.exec("peer-gw", way).stdout, 10, "the way by gw-b")
        assert reached(agreed, "peer-inst", "tcp", ADDRESS["inst-b"], 443) == "10.50.201.253"
    finally:
        agreed.silence("gw-a", "marvelous", silent=False)
    agreed.wait_for(lambda: "via 10.50.205.70" in agreed.exec("peer-gw", way).stdout, 10, "the way by gw-a again")


def test_a_peers_rules_hold_in_their_direction(agreed: Lab) -> None:
    def restrict(tree: dict[str, Any], peering: str) -> None:
        tree["vpc_peerings"][peering] |= {
            "policy": "drop",
            "egress_rules": [{"protocol": "tcp", "ports": "443"}],
            "ingress_rules": [{"protocol": "tcp", "ports": "80"}],
        }

    with changed(agreed, ACME, restrict):
        agreed.wait_for(lambda: all_agree(agreed), 10, "the gateways' agreement")
        assert reached(agreed, "inst-a", "tcp", ADDRESS["peer-inst"], 443)
        assert not reach(agreed, "inst-a", "tcp", ADDRESS["peer-inst"], 80).ok
        assert not reach(agreed, "inst-a", "udp", ADDRESS["peer-inst"], 443).ok
        assert reached(agreed, "peer-inst", "tcp", ADDRESS["inst-a"], 80)
        assert not reach(agreed, "peer-inst", "tcp", ADDRESS["inst-a"], 443).ok
        assert pings(agreed, "inst-a", ADDRESS["peer-inst"])
        assert pings(agreed, "peer-inst", ADDRESS["inst-b"])
