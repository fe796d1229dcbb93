"""The rendered rules against packets, on a gateway that has nothing but them (semantics S1 to S6, S11, S13)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from appliance.subsystems.firewall.render import render_closed
from tests.netns.one_gateway import OneGateway
from tests.unit.subsystems.firewall_cases import V6, rules_of, two_zones

pytestmark = pytest.mark.netns

INTERNET, PUBLIC_HOST = "198.51.100.10", "4.5.6.40"
VIP_A, VIP_B = "4.5.6.10", "4.5.6.11"
IA, IB = "10.50.201.20", "10.50.201.21"
PRIVATE_A, PRIVATE_B = "10.50.201.252", "10.50.201.253"
PEER, WE_AT_PEER = "10.50.205.252", "10.50.205.70"


@pytest.fixture(scope="module")
def gateway() -> Iterator[OneGateway]:
    with OneGateway() as made:
        made.load(rules_of(two_zones()).text())
        for node in ("ia", "ib", "out", "peer"):  # nothing is asked of caches later
            made.pings(node, {"out": VIP_A, "peer": WE_AT_PEER}.get(node, PRIVATE_A))
        yield made


def use(gateway: OneGateway, **sections: Any) -> OneGateway:
    gateway.load(rules_of(two_zones(**sections)).text())
    return gateway


@pytest.mark.parametrize(("instance", "vip"), [("ia", VIP_A), ("ib", VIP_B)])
@pytest.mark.parametrize(("kind", "host", "port"), [("tcp", INTERNET, 443), ("udp", PUBLIC_HOST, 53)])
def test_source_is_the_vip_of_the_zone_that_was_sent_to_on_a_stand_in_too(
    gateway: OneGateway, instance: str, vip: str, kind: str, host: str, port: int
) -> None:
    assert use(gateway).seen(instance, kind, host, port) == vip


def test_zone_without_a_public_address_borrows_none(gateway: OneGateway) -> None:
    tree = two_zones()
    zone_b = {key: value for key, value in tree["netcfg"]["zones"]["b"].items() if key != "public_ip"}
    tree["netcfg"] = {"zones": {**tree["netcfg"]["zones"], "b": zone_b}}
    gateway.load(rules_of(tree).text())
    assert gateway.seen("ib", "tcp", INTERNET, 443) is None
    assert gateway.seen("ia", "tcp", INTERNET, 443) == VIP_A


def test_nothing_comes_in_from_the_internet_without_a_rule(gateway: OneGateway) -> None:
    use(gateway)
    for vip in (VIP_A, VIP_B):
        for port in (22, 80, 443, 8080):
            assert gateway.seen("out", "tcp", vip, port) is None
        assert gateway.seen("out", "udp", vip, 443, source_port=53) is None
        assert not gateway.pings("out", vip)
    assert gateway.seen("out", "tcp", IA, 22) is None
    assert gateway.seen("out", "tcp", PRIVATE_A, 22) is None


def test_ingress_rule_opens_its_port_from_its_source(gateway: OneGateway) -> None:
    use(gateway, ingress_rules={10: {"ports": "443"}, 20: {"ports": "8080", "source": "192.0.2.0/24"}})
    assert gateway.seen("out", "tcp", VIP_A, 443) == PUBLIC_HOST
    assert gateway.seen("out", "tcp", VIP_A, 8080) is None
    assert gateway.seen("out", "udp", VIP_A, 443) is None
    assert gateway.seen("out", "tcp", PRIVATE_A, 443) is None


def test_limit_holds_per_source(gateway: OneGateway) -> None:
    use(gateway, ingress_rules={10: {"ports": "443", "limit": "3/hour"}})
    answers = [gateway.seen("out", "tcp", VIP_A, 443) for _ in range(5)]
    assert answers == [PUBLIC_HOST] * 3 + [None] * 2
    assert gateway.seen("out", "tcp", VIP_A, 443, source=INTERNET) == INTERNET


def test_icmp_rule_opens_pings(gateway: OneGateway) -> None:
    assert use(gateway, ingress_rules={10: {"protocol": "icmp"}}).pings("out", VIP_A)


@pytest.mark.parametrize("source", ["10.50.201.77", "10.1.2.3", "172.16.9.9", "192.168.1.1"])
def test_spoofed_sources_are_dropped_where_a_rule_is_open_to_all(gateway: OneGateway, source: str) -> None:
    use(gateway, ingress_rules={10: {"ports": "443"}})
    before = spoofed(gateway)
    with gateway.address("out", "eth0", f"{source}/32"):
        assert gateway.seen("out", "tcp", VIP_A, 443, source=source) is None
    assert spoofed(gateway) > before


def spoofed(gateway: OneGateway) -> int:
    words = gateway.run("gw", ["nft", "list", "counter", "inet", "kawaii", "spoofed"]).split()
    return int(words[words.index("packets") + 1])


NAT: dict[int, dict[str, Any]] = {
    10: {"destination": IA, "ports": "80", "to_port": 8080},
    20: {"destination": IA, "ports": "443", "protocol": "udp"},
}


def test_forwarded_ports_enter_by_every_public_vip_and_return_by_it(gateway: OneGateway) -> None:
    use(gateway, nat_rules=NAT)
    for vip, entered_by in ((VIP_A, PRIVATE_A), (VIP_B, PRIVATE_B)):
        assert gateway.seen("out", "tcp", vip, 80) == entered_by
        assert gateway.seen("out", "udp", vip, 443) == entered_by
        assert gateway.seen("out", "tcp", vip, 443) is None
        assert gateway.seen("out", "tcp", vip, 8080) is None
    assert gateway.seen("out", "tcp", IA, 8080) is None


def test_preserved_source_is_the_clients(gateway: OneGateway) -> None:
    use(gateway, nat_rules={10: {**NAT[10], "source_nat": "preserve"}})
    assert gateway.seen("out", "tcp", VIP_A, 80) == PUBLIC_HOST


def test_nat_source_is_honoured(gateway: OneGateway) -> None:
    use(gateway, nat_rules={10: {**NAT[10], "source": "192.0.2.0/24"}})
    assert gateway.seen("out", "tcp", VIP_A, 80) is None


@pytest.mark.parametrize("preserve", ["auto", "preserve"])
@pytest.mark.parametrize("instance", ["ia", "ib"])
def test_instances_reach_forwarded_ports_by_the_public_vip(gateway: OneGateway, instance: str, preserve: str) -> None:
    use(gateway, nat_rules={10: {**NAT[10], "source_nat": preserve}})
    assert gateway.seen(instance, "tcp", VIP_A, 80) == {"ia": PRIVATE_A, "ib": PRIVATE_B}[instance]


def test_nat_wins_over_an_ingress_rule_for_the_same_port(gateway: OneGateway) -> None:
    use(gateway, nat_rules=NAT, ingress_rules={10: {"ports": "80"}})
    assert gateway.seen("out", "tcp", VIP_A, 80) == PRIVATE_A


def test_egress_rules_are_dropped_under_accept_and_pass_alone_under_drop(gateway: OneGateway) -> None:
    rules = {10: {"ports": "25"}}
    use(gateway, egress_rules=rules)
    assert gateway.seen("ia", "tcp", INTERNET, 25) is None
    assert gateway.seen("ia", "tcp", INTERNET, 443) == VIP_A
    assert gateway.pings("ia", INTERNET)
    use(gateway, egress_policy="drop", egress_rules=rules)
    assert gateway.seen("ia", "tcp", INTERNET, 25) == VIP_A
    assert gateway.seen("ia", "tcp", INTERNET, 443) is None
    assert gateway.seen("ia", "udp", INTERNET, 53) is None
    assert not gateway.pings("ia", INTERNET)
    assert gateway.seen("gw", "udp", PUBLIC_HOST, 53) == VIP_A


def test_a_left_over_route_by_another_nic_is_no_way_out(gateway: OneGateway) -> None:
    use(gateway)
    gateway.run("gw", ["ip", "route", "add", "192.0.2.0/24", "via", PEER, "dev", "ens6", "onlink"])
    with gateway.address("peer", "eth0", "192.0.2.1/32"):
        assert gateway.seen("ia", "tcp", "192.0.2.1", 80) is None
    gateway.run("gw", ["ip", "route", "del", "192.0.2.0/24"])


def test_own_address_as_a_source_is_dropped(gateway: OneGateway) -> None:
    use(gateway, ingress_rules={10: {"ports": "53", "protocol": "udp"}})
    before = spoofed(gateway)
    gateway.run("out", [sys.executable, "-I", "-S", "-c", FORGE, VIP_B, VIP_A])
    assert spoofed(gateway) == before + 1


FORGE = """
import socket, struct, sys
source, destination = (socket.inet_aton(address) for address in sys.argv[1:3])
udp = struct.pack("!HHHH", 4444, 53, 9, 0) + b"x"
header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, source, destination)
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(header + udp, (sys.argv[2], 0))
"""


def test_foreign_source_behind_the_private_nic_does_not_leave(gateway: OneGateway) -> None:
    use(gateway)
    with gateway.address("ia", "eth0", "10.66.0.1/32"):
        assert gateway.seen("ia", "tcp", INTERNET, 443, source="10.66.0.1") is None


def test_gateways_own_traffic_keeps_its_source(gateway: OneGateway) -> None:
    assert use(gateway).seen("gw", "tcp", INTERNET, 443, source=VIP_B) == VIP_B


def test_management_is_open_from_inside_only(gateway: OneGateway) -> None:
    use(gateway)
    assert gateway.seen("ia", "tcp", PRIVATE_A, 22) == IA
    assert gateway.seen("ib", "tcp", PRIVATE_B, 22) == IB
    assert gateway.seen("ia", "tcp", PRIVATE_A, 443) is None
    assert gateway.seen("peer", "tcp", WE_AT_PEER, 22) is None


def test_closed_node_is_reached_by_ssh_from_its_private_network_only(gateway: OneGateway) -> None:
    gateway.load(render_closed("ens4", (ip_network("10.50.201.0/24"),)).text())
    assert gateway.seen("ia", "tcp", "10.50.201.11", 22) == IA
    assert gateway.seen("ia", "tcp", "10.50.201.11", 443) is None
    assert gateway.seen("out", "tcp", VIP_A, 22) is None
    assert gateway.seen("ia", "tcp", INTERNET, 443) is None


SUBNETS = {"marvelous": {"cidr": "10.50.205.0/24", "device": "ens6", "gateways": [PEER]}}
CONSENT = "add element inet kawaii consent_marvelous { ipv4 timeout 60s }"


def peering(**more: Any) -> dict[str, Any]:
    address = {"a": {"private_ip": WE_AT_PEER}, "b": {"private_ip": "10.50.205.71"}}
    return {"subnets": SUBNETS, "vpc_peerings": {"marvelous": {"netcfg": address, **more}}}


def test_peering_accept_passes_all_both_ways_translated(gateway: OneGateway) -> None:
    use(gateway, **peering(policy="accept"))
    assert gateway.seen("ia", "tcp", PEER, 80) == WE_AT_PEER
    assert gateway.seen("peer", "tcp", IA, 80) == PRIVATE_A
    assert gateway.pings("peer", IA)
    assert gateway.pings("ia", PEER)
    assert gateway.pings("peer", WE_AT_PEER)


def test_peering_drop_passes_its_rules_and_icmp_only(gateway: OneGateway) -> None:
    use(gateway, **peering(ingress_rules={10: {"ports": "80"}}, egress_rules={10: {"ports": "443"}}))
    assert gateway.seen("peer", "tcp", IA, 80) == PRIVATE_A
    assert gateway.seen("peer", "tcp", IA, 443) is None
    assert gateway.seen("ia", "tcp", PEER, 443) == WE_AT_PEER
    assert gateway.seen("ia", "tcp", PEER, 80) is None
    assert gateway.pings("peer", IA)
    assert gateway.pings("ia", PEER)


def test_only_the_peers_gateway_is_a_sender(gateway: OneGateway) -> None:
    use(gateway, **peering(policy="accept"))
    with gateway.address("peer", "eth0", "10.50.205.20/24"):
        assert gateway.seen("peer", "tcp", IA, 80, source="10.50.205.20") is None
    assert gateway.seen("peer", "tcp", IA, 80) == PRIVATE_A


def test_peer_gets_to_the_internet_by_transit_only_under_egress_control(gateway: OneGateway) -> None:
    use(gateway, **peering(policy="accept"))
    assert gateway.seen("peer", "tcp", INTERNET, 443) is None
    use(gateway, **peering(policy="accept", transit=True), egress_rules={10: {"ports": "25"}})
    assert gateway.seen("peer", "tcp", INTERNET, 443) == VIP_A
    assert gateway.seen("peer", "tcp", INTERNET, 25) is None


def test_peering_with_a_key_passes_while_there_is_consent(gateway: OneGateway) -> None:
    use(gateway, **peering(policy="accept", consent_key="a key"))
    assert gateway.seen("ia", "tcp", PEER, 80) is None
    assert gateway.seen("peer", "tcp", IA, 80) is None
    assert not gateway.pings("ia", PEER)
    gateway.run("gw", ["nft", CONSENT])
    assert gateway.seen("ia", "tcp", PEER, 80) == WE_AT_PEER
    assert gateway.seen("peer", "tcp", IA, 80) == PRIVATE_A
    gateway.run("gw", ["nft", "flush", "set", "inet", "kawaii", "consent_marvelous"])
    assert gateway.seen("ia", "tcp", PEER, 80) is None


def test_a_peering_that_is_not_configured_passes_nothing(gateway: OneGateway) -> None:
    use(gateway)
    assert gateway.seen("ia", "tcp", PEER, 80) is None
    assert gateway.seen("peer", "tcp", IA, 80) is None
    assert not gateway.pings("peer", IA)


def test_ipv6_is_closed_without_configuration(gateway: OneGateway) -> None:
    use(gateway, ingress_rules={10: {"protocol": "any"}})
    assert gateway.seen("out", "tcp", "2001:db8:1::10", 443) is None
    assert gateway.seen("ia", "tcp", "2001:db8:9::1", 443) is None
    assert not gateway.pings("ia", "fd00:50::252")


def test_ipv6_passes_by_the_same_rules(gateway: OneGateway) -> None:
    deadline = time.monotonic() + 20
    gateway.load(rules_of(V6).text())
    while not gateway.pings("ia", "2001:db8:9::1"):  # neighbours that were closed so far are found again in time
        assert time.monotonic() < deadline
    assert gateway.seen("ia", "tcp", "2001:db8:9::1", 443) == "2001:db8:1::10"
    assert gateway.seen("ia", "tcp", "2001:db8:9::1", 25) is None
    assert gateway.seen("out", "tcp", "2001:db8:1::10", 443) == "2001:db8:1::40"
    assert gateway.seen("out", "tcp", "2001:db8:1::10", 22) is None
    assert gateway.pings("ia", "fd00:50::252")
    assert not gateway.pings("out", "2001:db8:1::10")
    assert gateway.seen("out", "tcp", "2001:db8:1::10", 80) == "fd00:50::252"


def test_log_names_section_rule_and_action(gateway: OneGateway) -> None:
    ruleset = rules_of(two_zones(ingress_rules={10: {"ports": "443", "log": True}})).text()
    assert 'log prefix "kawaii ingress_rules 10 accept "' in ruleset
    gateway.load(ruleset)
    assert gateway.seen("out", "tcp", VIP_A, 443) == PUBLIC_HOST
