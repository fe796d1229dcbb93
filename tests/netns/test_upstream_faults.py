"""Faults measured in the upstream agent, each asked of this product (semantics, section 4).

Rows that others prove by packets already: deny-all, ``ingress_rules`` by destination port, one ``egress_rules`` entry,
udp ``nat_rules`` (test_forwarding, test_firewall_packets), the VRRP daemon killed (test_failover, test_guard), peerings
between two projects' gateways and a peering changed while they run (test_peering).
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.lab.region import Lab
from tests.netns.node import call, commit, pings, reach, reached, serving
from tests.netns.one_gateway import OneGateway
from tests.netns.raw import overhear, sweep
from tests.unit.subsystems.firewall_cases import example, rules_of, two_zones

pytestmark = pytest.mark.netns

INTERNET = "198.51.100.10"
VIP_A, VIP_B = "4.5.6.10", "4.5.6.11"
PAIR_A, PAIR_B = (VIP_A, "10.50.201.252"), (VIP_B, "10.50.201.253")
IA, PRIVATE_A = "10.50.201.20", "10.50.201.252"
PEER, WE_AT_PEER = "10.50.205.252", "10.50.205.70"
OFFICE, DESK, OTHER_DESK = "172.16.1.0/24", "172.16.1.10", "172.16.1.11"
MOVE = 10.0
"""Seconds after which a pair that has not moved never will."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[OneGateway]:
    with OneGateway() as made:
        made.load(rules_of(two_zones()).text())
        for node, host in (("ia", PRIVATE_A), ("peer", WE_AT_PEER), ("out", VIP_A)):
            made.pings(node, host)  # nothing is asked of caches later
        yield made


# -- the rules alone --------------------------------------------------------------------------------------------------


def peering(**more: Any) -> dict[str, Any]:
    """Give a peering with the other project's gateway."""
    addresses = {"a": {"private_ip": WE_AT_PEER}, "b": {"private_ip": "10.50.205.71"}}
    subnets = {"marvelous": {"cidr": "10.50.205.0/24", "device": "ens6", "gateways": [PEER]}}
    return {"subnets": subnets, "vpc_peerings": {"marvelous": {"netcfg": addresses, **more}}}


WAYS = [
    (one, other, kind, port, seen)
    for one, other, seen in (("ia", PEER, WE_AT_PEER), ("peer", IA, PRIVATE_A))
    for kind, port in (("tcp", 22), ("tcp", 443), ("udp", 53), ("udp", 443))
]


@pytest.mark.parametrize(("one", "other", "kind", "port", "seen"), WAYS)
def test_peering_that_drops_and_has_no_rules_is_closed_both_ways(
    gateway: OneGateway, one: str, other: str, kind: str, port: int, seen: str
) -> None:
    gateway.load(rules_of(two_zones(**peering(policy="accept"))).text())
    assert gateway.seen(one, kind, other, port) == seen
    gateway.load(rules_of(two_zones(**peering())).text())
    assert gateway.seen(one, kind, other, port) is None
    assert gateway.pings(one, other)


@pytest.mark.parametrize(("one", "other", "kind", "port", "seen"), WAYS)
def test_the_pages_marvelous_peering_passes_all(
    gateway: OneGateway, one: str, other: str, kind: str, port: int, seen: str
) -> None:
    gateway.load(rules_of(example("acme-user-data.yaml"), "eu-west-a").text())
    gateway.run("gw", ["nft", "add element inet kawaii consent_eu-west-marvelous { ipv4 timeout 60s }"])
    assert gateway.seen(one, kind, other, port) == seen


def test_no_udp_port_of_the_gateway_is_reached_from_source_port_53(gateway: OneGateway) -> None:
    gateway.load(rules_of(two_zones(ingress_rules={10: {"ports": "443"}})).text())
    with overhear(gateway, "gw", "udp") as heard:
        gateway.run("out", sweep(VIP_A, 53))
    assert heard == []
    gateway.load(rules_of(two_zones(ingress_rules={10: {"ports": "101-200", "protocol": "udp"}})).text())
    with overhear(gateway, "gw", "udp") as heard:
        gateway.run("out", sweep(VIP_A, 53))
    assert len(heard) == 100
    assert gateway.seen("gw", "udp", "4.5.6.40", 53) == VIP_A


@contextlib.contextmanager
def office(gateway: OneGateway) -> Iterator[None]:
    """Have what is behind a tunnel on `peer`, by a device named as a tunnel's."""
    far = gateway.netns("peer")
    gateway.run("gw", ["ip", "link", "add", "xfrm-1", "type", "veth", "peer", "name", "eth1", "netns", far])
    try:
        for words in ("link set eth1 up", f"addr add {DESK}/24 dev eth1", f"addr add {OTHER_DESK}/24 dev eth1"):
            gateway.run("peer", ["ip", *words.split()])
        gateway.run("peer", ["ip", "route", "add", f"{IA}/32", "via", "172.16.1.1", "dev", "eth1"])
        gateway.run("gw", ["ip", "addr", "add", "172.16.1.1/24", "dev", "xfrm-1"])
        gateway.run("gw", ["ip", "link", "set", "xfrm-1", "up"])
        yield
    finally:
        gateway.run("gw", ["ip", "link", "del", "xfrm-1"])


def test_tunnel_ingress_rule_honours_its_source_and_lets_replies_pass(gateway: OneGateway) -> None:
    tunnel = {
        "pre_shared_key": "k",
        "remote_peer": "5.6.7.8",
        "remote_subnet": OFFICE,
        **{f"phase{n}_dh_group_number": 14 for n in (1, 2)},
        **{f"phase{n}_integrity_algorithm": "SHA512" for n in (1, 2)},
        **{f"phase{n}_encryption_algorithm": "AES256" for n in (1, 2)},
    }
    rules = {10: {"ports": "22", "source": f"{DESK}/32"}}
    with office(gateway):
        gateway.load(rules_of(two_zones(ipsec={"office": tunnel})).text())
        assert gateway.seen("peer", "tcp", IA, 22, source=OTHER_DESK) == OTHER_DESK
        gateway.load(rules_of(two_zones(ipsec={"office": {**tunnel, "ingress_rules": rules}})).text())
        assert gateway.seen("peer", "tcp", IA, 22, source=DESK) == DESK
        assert gateway.seen("peer", "tcp", IA, 22, source=OTHER_DESK) is None
        assert gateway.seen("peer", "tcp", IA, 443, source=DESK) is None
        assert gateway.seen("ia", "tcp", OTHER_DESK, 443) == IA


# -- running gateways -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def committed(lab: Lab, node: str, text: str) -> Iterator[None]:
    """Have a part committed inside the context, and what ran before again after it."""
    before = call(lab, node, "GET", "/v1/config?secrets=1&format=yaml")["text"]
    commit(lab, node, text)
    try:
        yield
    finally:
        commit(lab, node, before, merge=False)


def packets(lab: Lab, node: str, counter: str) -> int:
    """Read a counter of the gateway's table."""
    listing = json.loads(lab.exec(node, ["nft", "-j", "list", "counter", "inet", "kawaii", counter]).stdout)
    return int(listing["nftables"][1]["counter"]["packets"])


def has(lab: Lab, node: str, *addresses: str) -> bool:
    """Whether a node has all of the addresses."""
    return set(addresses) <= set(lab.addresses(node))


def test_egress_drop_stops_instances_and_neither_vrrp_nor_ike(whole: Lab) -> None:
    with committed(whole, "gw-a", "egress_policy: drop"), serving(whole, "internet", "udp:500", "udp:4500"):
        assert not reach(whole, "inst-a", "tcp", INTERNET, 26).ok
        assert not reach(whole, "inst-a", "udp", INTERNET, 443).ok
        assert not pings(whole, "inst-a", INTERNET)
        assert reached(whole, "gw-a", "udp", INTERNET, 500)
        assert reached(whole, "gw-a", "udp", INTERNET, 4500)
        before = packets(whole, "gw-b", "vrrp")
        whole.wait_for(lambda: packets(whole, "gw-b", "vrrp") > before + 5, MOVE, "gw-a's advertisements on gw-b")
        assert not whole.missing()
    assert reached(whole, "inst-a", "tcp", INTERNET, 26) == VIP_A


def test_diffie_hellman_group_5_is_accepted_with_a_warning(region: Lab) -> None:
    tunnel = "phase1_dh_group_number: 5, phase2_dh_group_number: 5"
    body = {"text": f"ipsec: {{ACME Office: {{{tunnel}}}}}", "merge": True, "check": True}
    answer = json.dumps(call(region, "gw-a", "POST", "/v1/commit", body))
    assert "weak" in answer
    assert "phase1_dh_group_number" in answer


def test_dead_upstream_with_its_links_up_moves_the_pair_and_it_comes_back(whole: Lab) -> None:
    whole.silence("gw-a", "public")
    try:
        whole.wait_for(lambda: has(whole, "gw-b", *PAIR_A), MOVE, "pair a on gw-b")
        assert not has(whole, "gw-a", VIP_A)
        assert reached(whole, "inst-a", "tcp", INTERNET, 443) == VIP_A
        assert "LOWER_UP" in whole.exec("gw-a", ["ip", "link", "show", "ens3"]).stdout
    finally:
        whole.silence("gw-a", "public", silent=False)
    whole.wait_for(lambda: has(whole, "gw-a", *PAIR_A), 20, "pair a home again")
    assert reached(whole, "inst-a", "tcp", INTERNET, 443) == VIP_A


def charons(lab: Lab) -> dict[str, tuple[int, str]]:
    """Give each gateway's charon by process id and start time (proc_pid_stat(5))."""
    pids = {node: lab.daemons()[node]["charon"] for node in ("gw-a", "gw-b")}
    stat = {node: Path(f"/proc/{pid}/stat").read_text(encoding="utf-8") for node, pid in pids.items()}
    return {node: (pids[node], text.rpartition(")")[2].split()[19]) for node, text in stat.items()}


def test_no_transition_restarts_charon(whole: Lab) -> None:
    before = charons(whole)
    whole.kill("gw-a", "keepalived", signal.SIGKILL)
    whole.wait_for(lambda: has(whole, "gw-b", *PAIR_A), MOVE, "pair a on gw-b")
    assert charons(whole) == before
    whole.wait_for(lambda: has(whole, "gw-a", *PAIR_A) and not whole.missing(), 20, "pair a home again")
    assert charons(whole) == before


def test_second_vip_of_a_subnet_outlives_the_first(whole: Lab) -> None:
    whole.isolate("gw-b")
    try:
        whole.wait_for(lambda: has(whole, "gw-a", *PAIR_A, *PAIR_B), MOVE, "both pairs on gw-a")
        whole.exec("gw-a", ["ip", "address", "del", f"{VIP_A}/26", "dev", "ens3"])
        assert has(whole, "gw-a", VIP_B)
        assert reached(whole, "inst-b", "tcp", INTERNET, 443) == VIP_B
    finally:
        whole.isolate("gw-b", silent=False)
        whole.kill("gw-a", "keepalived", signal.SIGKILL)  # only a fresh start brings back what was deleted by hand
