"""Attackers on each segment: what they forge gets nowhere (semantics S1, S5, S8, S13, cases F08, F09, V06)."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from tests.netns.one_gateway import OneGateway
from tests.netns.raw import PYTHON, forge, overhear, packet, sweep
from tests.unit.subsystems.firewall_cases import rules_of, two_zones

pytestmark = pytest.mark.netns

INTERNET, PUBLIC_HOST = "198.51.100.10", "4.5.6.40"
VIP_A, VIP_B = "4.5.6.10", "4.5.6.11"
IA, PRIVATE_A, FIXED_A, FIXED_B = "10.50.201.20", "10.50.201.252", "10.50.201.11", "10.50.201.12"
PEER, WE_AT_PEER, STORE, WE_AT_STORE = "10.50.205.252", "10.50.205.70", "10.50.102.10", "10.50.102.70"
UDP, VRRP = 17, 112


@pytest.fixture(scope="module")
def gateway() -> Iterator[OneGateway]:
    with OneGateway() as made:
        made.load(rules_of(two_zones()).text())
        made.run("ib", ["ip", "addr", "add", f"{FIXED_B}/24", "dev", "eth0"])
        made.run("peer", ["ip", "route", "add", "4.5.6.0/26", "via", WE_AT_PEER])
        for node, host in (("ia", PRIVATE_A), ("peer", WE_AT_PEER), ("out", VIP_A), ("gw", FIXED_B)):
            made.pings(node, host)  # nothing is asked of caches later
        yield made


def use(gateway: OneGateway, **sections: Any) -> OneGateway:
    gateway.load(rules_of(two_zones(**sections)).text())
    return gateway


def datagram(port: int, payload: bytes = b"forged", *, source_port: int = 4444) -> bytes:
    """Write a UDP datagram without a checksum (RFC 768)."""
    return struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload


# -- VRRP -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "source", "ttl", "mac", "heard"),
    [
        pytest.param("ib", FIXED_B, 255, True, True, id="the neighbour"),
        pytest.param("ib", FIXED_B, 254, True, False, id="the neighbour from afar"),
        pytest.param("ia", FIXED_B, 255, True, False, id="its address from another MAC"),
        pytest.param("ia", FIXED_B, 64, False, False, id="its address from afar"),
        pytest.param("ia", IA, 255, False, False, id="a stranger"),
        pytest.param("peer", FIXED_B, 255, False, False, id="its address by a peering"),
        pytest.param("out", FIXED_B, 255, False, False, id="its address from the public segment"),
        pytest.param("out", VIP_B, 255, False, False, id="its public address"),
    ],
)
def test_vrrp_is_heard_from_the_neighbour_only_though_our_own_made_a_flow(
    gateway: OneGateway, node: str, source: str, ttl: int, mac: bool, heard: bool
) -> None:
    tree = two_zones()
    if mac:
        link = json.loads(gateway.run("ib", ["ip", "-j", "link", "show", "eth0"]))[0]
        zones = tree["netcfg"]["zones"]
        tree["netcfg"] = {"zones": {**zones, "b": {**zones["b"], "mac": link["address"]}}}
    gateway.load(rules_of(tree).text())
    if node in ("out", "peer"):
        gateway.run(node, ["ip", "route", "replace", f"{FIXED_A}/32", "via", {"out": VIP_A, "peer": WE_AT_PEER}[node]])
    with overhear(gateway, "gw", "vrrp", FIXED_B) as packets:
        gateway.run(node, forge(packet(source, FIXED_A, VRRP, b"forged", ttl=ttl)))
    assert [data[20:] for data in packets] == ([b"forged"] if heard else [])


# -- the public segment -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("destination", [VIP_A, FIXED_A, PRIVATE_A, WE_AT_PEER, "4.5.6.63", "255.255.255.255"])
def test_no_datagram_from_the_public_segment_gets_in(gateway: OneGateway, destination: str) -> None:
    use(gateway, ingress_rules={10: {"ports": "443"}})
    if destination not in (VIP_A, "4.5.6.63", "255.255.255.255"):
        gateway.run("out", ["ip", "route", "replace", f"{destination}/32", "via", VIP_A])
    ports = (53, 68, 111, 443, 500, 3780, 3781, 4500, 5353, 33434)
    sent = [packet(PUBLIC_HOST, destination, UDP, datagram(port), device="eth0") for port in ports]
    with overhear(gateway, "gw", "udp") as heard:
        gateway.run("out", forge(*sent))
    assert heard == []


def test_fragments_are_judged_whole(gateway: OneGateway) -> None:
    use(gateway, ingress_rules={10: {"ports": "443", "protocol": "udp"}})
    for port, expected in ((5353, 0), (443, 1)):
        whole = datagram(port, b"x" * 40)
        parts = [
            packet(PUBLIC_HOST, VIP_A, UDP, whole[:8], more=True),
            packet(PUBLIC_HOST, VIP_A, UDP, whole[8:], offset=8),
        ]
        with overhear(gateway, "gw", "udp") as heard:
            gateway.run("out", forge(*parts))
        assert len(heard) == expected


def test_overlapping_fragments_cannot_change_a_port_that_was_let_in(gateway: OneGateway) -> None:
    use(gateway, ingress_rules={10: {"ports": "443", "protocol": "udp"}})
    good, bad = datagram(443, b"x" * 24), datagram(5353, b"x" * 24)
    parts = [
        packet(PUBLIC_HOST, VIP_A, UDP, good[:16], more=True),
        packet(PUBLIC_HOST, VIP_A, UDP, bad[:16], more=True),
        packet(PUBLIC_HOST, VIP_A, UDP, good[16:], offset=16),
    ]
    with overhear(gateway, "gw", "udp") as heard:
        gateway.run("out", forge(*parts))
    assert not any(data[22:24] == struct.pack("!H", 5353) for data in heard)


@pytest.mark.parametrize("target", [PEER, STORE])
def test_the_public_segment_does_not_reach_peerings(gateway: OneGateway, target: str) -> None:
    use(gateway, **peerings())
    with Storage(gateway):
        gateway.run("out", ["ip", "route", "replace", f"{target}/32", "via", VIP_A])
        assert gateway.seen("ia", "tcp", target, 3300)
        assert gateway.seen("out", "tcp", target, 3300) is None
        assert not gateway.pings("out", target)


def test_the_gateway_is_no_router_for_the_public_segment(gateway: OneGateway) -> None:
    use(gateway)
    datagrams = [packet("203.0.113.9", INTERNET, UDP, datagram(443))]
    gateway.run("out", ["ip", "addr", "del", f"{INTERNET}/32", "dev", "eth0"])
    gateway.run("out", ["ip", "route", "add", f"{INTERNET}/32", "via", VIP_A])
    try:
        before = count(gateway, "forward_dropped")
        gateway.run("out", forge(*datagrams))
        assert count(gateway, "forward_dropped") == before + 1
    finally:
        gateway.run("out", ["ip", "route", "del", f"{INTERNET}/32"])
        gateway.run("out", ["ip", "addr", "add", f"{INTERNET}/32", "dev", "eth0"])


def count(gateway: OneGateway, counter: str) -> int:
    words = gateway.run("gw", ["nft", "list", "counter", "inet", "kawaii", counter]).split()
    return int(words[words.index("packets") + 1])


def test_a_sweep_of_closed_ports_leaves_no_flow_behind(gateway: OneGateway) -> None:
    use(gateway)
    gateway.run("out", sweep(VIP_A, 1024))
    assert "src=4.5.6.40" not in gateway.run("gw", ["conntrack", "-L", "-p", "udp"])


TCP6 = """
import socket, sys
address, device, ports = sys.argv[1], sys.argv[2], sys.argv[3:]
for port in ports:
    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.settimeout(0.4)
    try: s.connect((address, int(port), 0, socket.if_nametoindex(device))); print("open", port)
    except TimeoutError: pass
    except OSError as error: print(error, port)
"""


@pytest.mark.parametrize(("node", "nic"), [("out", "ens3"), ("ia", "ens4"), ("peer", "ens6")])
def test_link_local_addresses_are_silent_where_ipv6_is_not_configured(gateway: OneGateway, node: str, nic: str) -> None:
    use(gateway, ingress_rules={10: {"protocol": "any"}})
    link = json.loads(gateway.run("gw", ["ip", "-6", "-j", "addr", "show", "dev", nic, "scope", "link"]))
    mac = json.loads(gateway.run("gw", ["ip", "-j", "link", "show", "dev", nic]))[0]["address"]
    local = next(a["local"] for item in link for a in item.get("addr_info", []) if "local" in a)
    gateway.run(node, ["ip", "-6", "neigh", "flush", "dev", "eth0"])
    assert not gateway.pings(node, f"{local}%eth0")
    neighbours = json.loads(gateway.run(node, ["ip", "-6", "-j", "neigh", "show", "dev", "eth0"]))
    assert not [entry for entry in neighbours if entry["dst"] == local and "lladdr" in entry]
    gateway.run(node, ["ip", "-6", "neigh", "replace", local, "lladdr", mac, "dev", "eth0", "nud", "permanent"])
    try:
        assert not gateway.pings(node, f"{local}%eth0")
        assert gateway.run(node, [*PYTHON, TCP6, local, "eth0", "22", "80", "443"]) == ""
    finally:
        gateway.run(node, ["ip", "-6", "neigh", "del", local, "dev", "eth0"])


# -- the private segment and peerings ---------------------------------------------------------------------------------

SERVICES = {"api": {"enabled": True, "port": 8080}, "metrics": {"enabled": True, "port": 80}}


@pytest.mark.parametrize("port", [22, 80, 8080])
def test_services_are_open_to_the_private_network_alone(gateway: OneGateway, port: int) -> None:
    use(gateway, services=SERVICES, **peerings())
    assert gateway.seen("ia", "tcp", PRIVATE_A, port) == IA
    for host in (VIP_A, VIP_B):
        assert gateway.seen("out", "tcp", host, port) is None
    for host in (WE_AT_PEER, VIP_A, PRIVATE_A):
        assert gateway.seen("peer", "tcp", host, port) is None
    with gateway.address("ia", "eth0", "192.0.2.77/32"):
        gateway.run("gw", ["ip", "route", "add", "192.0.2.77/32", "dev", "ens4"])
        try:
            assert gateway.seen("ia", "tcp", PRIVATE_A, port, source="192.0.2.77") is None
        finally:
            gateway.run("gw", ["ip", "route", "del", "192.0.2.77/32"])


@pytest.mark.parametrize("port", [25, 443])
def test_no_other_port_of_the_gateway_is_open_to_an_instance(gateway: OneGateway, port: int) -> None:
    use(gateway, services=SERVICES, ingress_rules={10: {"ports": "443", "source": "192.0.2.0/24"}})
    for host in (PRIVATE_A, FIXED_A, VIP_A):
        assert gateway.seen("ia", "tcp", host, port) is None


@pytest.mark.parametrize(
    "source", ["10.66.0.1", VIP_A, VIP_B, PUBLIC_HOST, "10.50.205.9", "198.51.100.99", "127.0.0.1"]
)
def test_an_instance_with_a_forged_source_sends_nothing_out(gateway: OneGateway, source: str) -> None:
    use(gateway, **peerings())
    with overhear(gateway, "out", "udp") as heard:
        gateway.run(
            "ia", forge(packet(source, INTERNET, UDP, datagram(9999)), packet(IA, INTERNET, UDP, datagram(8888)))
        )
    assert [data[22:24] for data in heard] == [struct.pack("!H", 8888)]


def test_an_instance_sends_no_protocol_out_untranslated(gateway: OneGateway) -> None:
    use(gateway)
    with overhear(gateway, "out", "vrrp") as heard:
        gateway.run("ia", forge(packet(IA, INTERNET, VRRP, b"x", ttl=255)))
    assert [data[12:16] for data in heard] == [bytes((4, 5, 6, 10))]


def peerings() -> dict[str, Any]:
    """Give a peering with another project and one with a Ceph subnet."""
    return {
        "subnets": {
            "marvelous": {"cidr": "10.50.205.0/24", "device": "ens6", "gateways": [PEER]},
            "ceph": {"cidr": "10.50.102.0/24", "device": "ens5", "application": "ceph"},
        },
        "vpc_peerings": {
            "marvelous": {"policy": "accept", "netcfg": {"a": {"private_ip": WE_AT_PEER}}},
            "ceph": {"netcfg": {"a": {"private_ip": WE_AT_STORE}}},
        },
    }


class Storage:
    """A Ceph subnet by a NIC of its own; the store is where instance ib is, whose servers it has."""

    def __init__(self, gateway: OneGateway) -> None:
        self._gateway = gateway

    def __enter__(self) -> None:
        run = self._gateway.run
        far = self._gateway.netns("ib")
        run("gw", ["ip", "link", "add", "ens5", "type", "veth", "peer", "name", "eth1", "netns", far])
        for node, device, address in (("gw", "ens5", WE_AT_STORE), ("ib", "eth1", STORE)):
            run(node, ["ip", "link", "set", device, "up"])
            run(node, ["ip", "addr", "add", f"{address}/24", "dev", device])
        run("peer", ["ip", "route", "add", "10.50.102.0/24", "via", WE_AT_PEER])

    def __exit__(self, *_: object) -> None:
        self._gateway.run("peer", ["ip", "route", "del", "10.50.102.0/24"])
        self._gateway.run("gw", ["ip", "link", "del", "ens5"])


def test_ceph_is_reached_by_instances_on_its_ports_and_by_nobody_else(gateway: OneGateway) -> None:
    use(gateway, **peerings())
    with Storage(gateway):
        assert gateway.seen("ia", "tcp", STORE, 3300) == WE_AT_STORE
        for port in (22, 443, 8080):
            assert gateway.seen("ia", "tcp", STORE, port) is None
        assert gateway.seen("ia", "udp", STORE, 443) is None
        assert gateway.seen("peer", "tcp", STORE, 3300) is None
        assert gateway.seen("peer", "tcp", STORE, 22) is None
        gateway.run("ib", ["ip", "route", "replace", f"{PEER}/32", "via", WE_AT_STORE])
        assert gateway.seen("ib", "tcp", PEER, 443, source=STORE) is None
        assert gateway.seen("ib", "tcp", WE_AT_STORE, 22, source=STORE) is None


@pytest.mark.parametrize("source", [IA, FIXED_B, STORE, INTERNET, "10.50.205.20"])
def test_a_peer_with_a_forged_source_reaches_no_instance(gateway: OneGateway, source: str) -> None:
    use(gateway, **peerings())
    forged, own = packet(source, IA, UDP, datagram(9999)), packet(PEER, IA, UDP, datagram(8888))
    with overhear(gateway, "ia", "udp") as heard:
        gateway.run("peer", forge(forged, own))
    assert [data[22:24] for data in heard] == [struct.pack("!H", 8888)]


def test_a_peer_does_not_enter_by_forwarded_ports(gateway: OneGateway) -> None:
    use(gateway, nat_rules={10: {"destination": IA, "ports": "80"}}, **peerings())
    assert gateway.seen("out", "tcp", VIP_A, 80) == PRIVATE_A
    assert gateway.seen("peer", "tcp", VIP_A, 80) is None
