"""Advertisements of our own: with which a master resigns, or tells another that it was one too (RFC 9568, 5, 6.4.3)."""

from __future__ import annotations

import contextlib
import socket
import struct
from ipaddress import ip_interface

from appliance.system.guard.facts import Facts, Instance

PROTOCOL = 112
MULTICAST = "224.0.0.18"
VERSION_AND_TYPE = 0x31


LOWEST = 1
"""The lowest priority of a node that takes part."""


def resignation(instance: Instance, source: str, destination: str, advert_int: float) -> bytes:
    """Give a VRRPv3 packet of priority 0 for IPv4; `advert_int` in seconds."""
    return advertisement(instance, source, destination, advert_int, 0)


def advertisement(instance: Instance, source: str, destination: str, advert_int: float, priority: int) -> bytes:
    """Give a VRRPv3 packet for IPv4; `advert_int` in seconds."""
    addresses = [ip_interface(text).ip.packed for text, _device in instance.addresses if ":" not in text]
    centiseconds = max(1, min(4095, round(advert_int * 100)))
    head = struct.pack(">BBBBH", VERSION_AND_TYPE, instance.vrid, priority, len(addresses), centiseconds)
    body = b"".join(addresses)
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination)
    pseudo += struct.pack(">BBH", 0, PROTOCOL, len(head) + 2 + len(body))
    return head + struct.pack(">H", checksum(pseudo + head + b"\0\0" + body)) + body


def checksum(data: bytes) -> int:
    """Give the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def resign(facts: Facts, instances: list[Instance]) -> None:
    """Tell the peers that we have given up these instances; a peer that cannot be reached waits for its timer."""
    _send(facts, instances, 0)


def contest(facts: Facts, instances: list[Instance]) -> None:
    """Tell a master that we were one too: it refreshes its neighbours' tables, and its agents what depends on them.

    With the lowest priority it changes nobody's state; priority 0 would have a third node stand in.
    """
    _send(facts, instances, LOWEST)


def _send(facts: Facts, instances: list[Instance], priority: int) -> None:
    if facts.source is None:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL) as sender:
        sender.setblocking(False)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        with contextlib.suppress(OSError):
            sender.bind((facts.source, 0))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(facts.source))
        for instance in instances:
            for peer in facts.peers or (MULTICAST,):
                with contextlib.suppress(OSError):
                    packet = advertisement(instance, facts.source, peer, facts.advert_int, priority)
                    sender.sendto(packet, (peer, 0))
