"""What passes a gateway and what does not, by packets (semantics S1, S2, S3, S5, S6)."""

from __future__ import annotations

import pytest

from appliance.lab.region import Lab
from tests.netns.node import pings, reach, reached

pytestmark = pytest.mark.netns

INTERNET = "198.51.100.10"
VIP_A, VIP_B = "4.5.6.10", "4.5.6.11"
PRIVATE_A = "10.50.201.252"
INSTANCE_A = "10.50.201.20"
OUTSIDE = ("internet", "public-host")


@pytest.mark.parametrize(("instance", "vip"), [("inst-a", VIP_A), ("inst-b", VIP_B)])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_instance_reaches_the_internet_as_its_zones_public_vip(region: Lab, instance: str, vip: str, kind: str) -> None:
    assert reached(region, instance, kind, INTERNET, 443) == vip


@pytest.mark.parametrize(("instance", "vip"), [("inst-a", VIP_A), ("inst-b", VIP_B)])
def test_instance_reaches_a_host_on_the_public_segment_as_its_zones_public_vip(
    region: Lab, instance: str, vip: str
) -> None:
    assert reached(region, instance, "tcp", "4.5.6.40", 443) == vip


def test_instance_pings_the_internet(region: Lab) -> None:
    assert pings(region, "inst-a", INTERNET)


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize(("kind", "port"), [("tcp", 443), ("tcp", 80), ("udp", 443)])
@pytest.mark.parametrize("vip", [VIP_A, VIP_B])
def test_forwarded_port_of_every_public_vip_reaches_the_instance(
    region: Lab, outside: str, kind: str, port: int, vip: str
) -> None:
    entered_by = {VIP_A: "10.50.201.252", VIP_B: "10.50.201.253"}[vip]
    assert reached(region, outside, kind, vip, port) == entered_by


@pytest.mark.parametrize("outside", OUTSIDE)
def test_port_22_reaches_neither_gateway_nor_instance(region: Lab, outside: str) -> None:
    assert reached(region, "inst-b", "tcp", INSTANCE_A, 22) == "10.50.201.21"
    assert not reach(region, outside, "tcp", VIP_A, 22).ok
    assert not reach(region, outside, "tcp", VIP_B, 22).ok


@pytest.mark.parametrize(("kind", "port"), [("tcp", 8080), ("udp", 53)])
def test_port_that_nobody_forwards_reaches_nothing(region: Lab, kind: str, port: int) -> None:
    assert reached(region, "inst-b", kind, INSTANCE_A, port) == "10.50.201.21"
    assert not reach(region, "internet", kind, VIP_A, port).ok


@pytest.mark.parametrize("port", [22, 80, 443, 8080])
@pytest.mark.parametrize("gateway", [VIP_A, VIP_B])
def test_host_on_the_public_segment_cannot_route_to_an_instance_itself(region: Lab, gateway: str, port: int) -> None:
    region.exec("public-host", ["ip", "route", "replace", f"{INSTANCE_A}/32", "via", gateway])
    try:
        assert not reach(region, "public-host", "tcp", INSTANCE_A, port).ok
    finally:
        region.exec("public-host", ["ip", "route", "del", f"{INSTANCE_A}/32"])


def test_ingress_rule_opens_its_port_on_the_gateway_and_no_other(region: Lab) -> None:
    assert reached(region, "internet", "tcp", VIP_A, 8443) == INTERNET
    assert not reach(region, "internet", "tcp", VIP_A, 2222).ok


@pytest.mark.parametrize("source", [53, 443, 8443])
def test_source_port_opens_nothing(region: Lab, source: int) -> None:
    assert not reach(region, "internet", "udp", VIP_A, 5353, source=source).ok
    assert not reach(region, "internet", "tcp", VIP_A, 2222, source=source).ok


@pytest.mark.parametrize("outside", OUTSIDE)
def test_echo_request_from_outside_is_not_answered(region: Lab, outside: str) -> None:
    assert reached(region, outside, "tcp", VIP_A, 443)
    assert not pings(region, outside, VIP_A)
    assert not pings(region, outside, VIP_B)


def test_instance_pings_its_gateway(region: Lab) -> None:
    assert pings(region, "inst-a", PRIVATE_A)


@pytest.mark.parametrize("instance", ["inst-a", "inst-b"])
def test_denied_port_leaves_to_nowhere_and_its_neighbour_passes(region: Lab, instance: str) -> None:
    assert reached(region, instance, "tcp", INTERNET, 26)
    assert not reach(region, instance, "tcp", INTERNET, 25).ok


def test_denied_tcp_port_is_not_denied_for_udp(region: Lab) -> None:
    assert reached(region, "inst-a", "udp", INTERNET, 25) == VIP_A


@pytest.mark.parametrize("instance", ["inst-a", "inst-b"])
@pytest.mark.parametrize(("kind", "port"), [("tcp", 443), ("tcp", 80), ("udp", 443)])
def test_instances_reach_the_forwarded_ports_by_the_public_vip(
    region: Lab, instance: str, kind: str, port: int
) -> None:
    assert reached(region, instance, kind, VIP_A, port)


def test_instances_reach_each_other_past_the_gateway(region: Lab) -> None:
    assert reached(region, "inst-b", "tcp", INSTANCE_A, 8080) == "10.50.201.21"


@pytest.mark.parametrize("source", ["10.50.201.77", "10.1.2.3", "127.0.0.5", "172.16.9.9", "192.168.3.4", "100.64.0.9"])
def test_spoofed_source_on_the_public_segment_is_dropped(region: Lab, source: str) -> None:
    """The instance would see these: the sender's bridge port is on the gateway's own segment."""
    received = _received_from(region, source)
    assert received == 0


def test_ordinary_source_on_the_public_segment_is_not_dropped_as_spoofed(region: Lab) -> None:
    assert _received_from(region, "203.0.113.9") > 0


def _received_from(region: Lab, source: str) -> int:
    """Send udp/443 with a forged source to VIP a, and count what comes out on the instance's NIC."""
    capture = "udp and dst port 443 and dst host 10.50.201.20"
    with region.popen(
        "inst-a",
        ["timeout", "2", "tcpdump", "-n", "-i", "ens3", "--immediate-mode", "-l", capture],
        stdout=-1,
        stderr=-1,
    ) as sniffer:
        assert sniffer.stderr is not None
        for line in sniffer.stderr:
            if "listening on" in line:
                break
        region.exec("public-host", ["/usr/bin/python3", "-I", "-c", FORGE, source, VIP_A])
        output, _ = sniffer.communicate()
    return len([line for line in output.splitlines() if "UDP" in line])


FORGE = """
import socket, struct, sys
source, destination = (socket.inet_aton(address) for address in sys.argv[1:3])
payload = b"forged"
udp = struct.pack("!HHHH", 4444, 443, 8 + len(payload), 0) + payload
header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, source, destination)
sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(3):
    sender.sendto(header + udp, (sys.argv[2], 0))
"""
