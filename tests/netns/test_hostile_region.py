"""Attackers on the segments of running gateways: no pair, route or neighbour is theirs to turn (S5, S8, S13, V06)."""

from __future__ import annotations

import json
import struct
import time

import pytest

from appliance.lab.region import Lab
from tests.netns.node import call, commit, reached
from tests.netns.raw import PYTHON, forge, overhear, packet

pytestmark = pytest.mark.netns

INTERNET, PUBLIC_HOST = "198.51.100.10", "4.5.6.40"
VIP_A = "4.5.6.10"
IA, PRIVATE_A, FIXED_A, FIXED_B = "10.50.201.20", "10.50.201.252", "10.50.201.11", "10.50.201.12"
UDP, VRRP, ICMP = 17, 112, 1


def checksum(data: bytes) -> int:
    """Sum as RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def usurping(heard: bytes, source: str) -> bytes:
    """Rewrite gw-a's own advertisement as one of priority 255 from another address (RFC 9568, section 5.2)."""
    text = heard[:2] + b"\xff" + heard[3:6] + b"\0\0" + heard[8:]
    ends = b"".join(bytes(int(part) for part in host.split(".")) for host in (source, FIXED_A))
    total = checksum(ends + struct.pack("!BBH", 0, VRRP, len(text)) + text)
    return text[:6] + struct.pack("!H", total) + text[8:]


def forged(own: bytes, source: str, ttl: int) -> list[str]:
    """Spell a command that sends a usurping advertisement to gw-a."""
    return forge(packet(source, FIXED_A, VRRP, usurping(own, source), ttl=ttl))


def test_forged_advertisements_move_no_pair_and_the_neighbours_own_do(whole: Lab) -> None:
    mac = json.loads(whole.exec("gw-b", ["ip", "-j", "link", "show", "ens4"]).stdout)[0]["address"]
    before = call(whole, "gw-a", "GET", "/v1/config?secrets=1&format=yaml")["text"]
    commit(whole, "gw-a", f"netcfg: {{zones: {{eu-west-b: {{mac: '{mac}'}}}}}}")
    with overhear(whole, "gw-b", "vrrp") as heard:
        time.sleep(0.5)
    own = next(data[20:] for data in heard if data[21] == 1)
    attempts = (("inst-a", FIXED_B, 255), ("inst-a", FIXED_B, 64), ("inst-a", IA, 255), ("gw-b", FIXED_B, 64))
    try:
        for node, source, ttl in attempts:
            for _ in range(5):
                whole.exec(node, forged(own, source, ttl))
                assert {VIP_A, PRIVATE_A} <= set(whole.addresses("gw-a")), (node, source, ttl)
        whole.exec("gw-b", forged(own, FIXED_B, 255))
        whole.wait_for(lambda: VIP_A not in whole.addresses("gw-a"), 3, "pair a gone at its neighbour's word")
    finally:
        commit(whole, "gw-a", before, merge=False)


REDIRECT = """
import socket, struct, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.bind((sys.argv[1], 5555)); client.connect((sys.argv[2], 443)); client.send(b"x")
print("ready", flush=True); sys.stdin.readline()
"""


def test_redirects_from_the_public_segment_turn_no_route(region: Lab) -> None:
    inner = struct.pack("!BBHHHBBH", 0x45, 0, 29, 1, 0, 64, UDP, 0)
    inner += bytes((4, 5, 6, 10)) + bytes((198, 51, 100, 10)) + struct.pack("!HHHH", 5555, 443, 9, 0)
    rest = bytes((4, 5, 6, 40)) + inner
    message = struct.pack("!BBH", 5, 1, checksum(b"\5\1\0\0" + rest)) + rest
    with region.popen("gw-a", [*PYTHON, REDIRECT, VIP_A, INTERNET], stdin=-1, stdout=-1) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        routers = [packet(router, VIP_A, ICMP, message) for router in ("4.5.6.62", "4.5.6.61")]
        region.exec("public-host", forge(*routers))
        time.sleep(0.3)
        route = region.exec("gw-a", ["ip", "route", "get", INTERNET, "from", VIP_A]).stdout
        client.communicate("\n", timeout=10)
    assert "4.5.6.40" not in route
    assert "redirected" not in route


def test_the_gateway_sends_no_redirects(region: Lab) -> None:
    before = forwarded_and_redirected(region)
    region.exec("inst-a", ["ip", "route", "add", "10.50.201.21/32", "via", PRIVATE_A])
    try:
        region.exec("inst-a", ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", "10.50.201.21"], check=False)
    finally:
        region.exec("inst-a", ["ip", "route", "del", "10.50.201.21/32"])
    forwarded, redirected = forwarded_and_redirected(region)
    assert forwarded >= before[0] + 3
    assert redirected == before[1]


def forwarded_and_redirected(lab: Lab) -> tuple[int, int]:
    """Read how much gw-a has forwarded, or tried to, and how many redirects it has made (SNMP, RFC 2011)."""
    names = ("IpForwDatagrams", "IcmpOutRedirects")
    counts = json.loads(lab.exec("gw-a", ["nstat", "-a", "-s", "-z", "-j", *names]).stdout)["kernel"]
    return int(counts[names[0]]), int(counts[names[1]])


RA = """
import socket, struct, sys
index = socket.if_nametoindex(sys.argv[1])
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
advert = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
for _ in range(3): s.sendto(advert, ("ff02::1", 0, 0, index))
"""


@pytest.mark.parametrize(("node", "nic"), [("public-host", "ens3"), ("inst-a", "ens4")])
def test_router_advertisements_give_a_gateway_nothing(region: Lab, node: str, nic: str) -> None:
    region.exec(node, [*PYTHON, RA, "ens3"])
    time.sleep(0.5)
    assert "2001:db8:bad" not in region.exec("gw-a", ["ip", "-6", "addr", "show", "dev", nic]).stdout
    assert "default" not in region.exec("gw-a", ["ip", "-6", "route", "show", "dev", nic]).stdout


@pytest.mark.parametrize(
    ("node", "asked", "answers"),
    [
        ("public-host", VIP_A, 1),
        ("public-host", PRIVATE_A, 0),
        ("public-host", FIXED_A, 0),
        ("public-host", "4.5.6.20", 0),
        ("inst-a", PRIVATE_A, 1),
        ("inst-a", "10.50.201.253", 1),
        ("inst-a", VIP_A, 0),
        ("inst-a", "4.5.6.11", 0),
    ],
)
def test_arp_is_answered_where_the_address_is_and_by_one(whole: Lab, node: str, asked: str, answers: int) -> None:
    reached(whole, "inst-a", "tcp", INTERNET, 443)
    source = {"public-host": PUBLIC_HOST, "inst-a": IA}[node]
    output = whole.exec(node, ["arping", "-c", "2", "-w", "2", "-s", source, "-I", "ens3", asked], check=False).stdout
    macs = {line.split("[")[1].split("]")[0] for line in output.splitlines() if "reply from" in line}
    assert len(macs) == answers, output
