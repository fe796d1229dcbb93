"""Packets written byte by byte, and what is delivered to a node past its rules, heard on raw sockets."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Protocol as Interface

PYTHON = (sys.executable, "-I", "-S", "-c")
SETTLE = "0.3"
"""Seconds for the last packet to arrive."""

LISTEN = """
import json, select, socket, sys, time
kind = {"tcp": 6, "udp": 17, "icmp": 1, "vrrp": 112}[sys.argv[1]]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, kind)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
for target in sys.argv[3:]: s.sendto(b"own", (target, 0))
print("ready", flush=True)
heard, end = [], None
while end is None or time.monotonic() < end:
    ready, _, _ = select.select([s] if end else [s, sys.stdin], [], [], 0.05)
    if s in ready: heard.append(s.recv(65535).hex())
    if sys.stdin in ready and end is None: end = time.monotonic() + float(sys.argv[2])
print(json.dumps(heard))
"""
FORGE = """
import json, socket, struct, sys
for packet in json.loads(sys.argv[1]):
    source, destination = socket.inet_aton(packet["source"]), socket.inet_aton(packet["destination"])
    payload = bytes.fromhex(packet["payload"])
    flags = packet["offset"] // 8 | (0x2000 if packet["more"] else 0)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, flags, packet["ttl"], packet["protocol"], 0,
                         source, destination)
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if packet["device"]: s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, packet["device"].encode())
    s.sendto(header + payload, (packet["destination"], 0))
"""
SWEEP = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
for port in range(1, 65536): s.sendto(struct.pack("!HHHH", int(sys.argv[2]), port, 9, 0) + b"x", (sys.argv[1], 0))
"""


class Node(Interface):
    """What has namespaces with names."""

    def netns(self, node: str) -> str:
        """Give a node's namespace by name."""
        ...


def sweep(host: str, source_port: int) -> list[str]:
    """Spell a command that sends a datagram to each port of a host from one port."""
    return [*PYTHON, SWEEP, host, str(source_port)]


def forge(*packets: dict[str, object]) -> list[str]:
    """Spell a command that sends packets as `packet` gives them."""
    return [*PYTHON, FORGE, json.dumps(packets)]


def packet(
    source: str,
    destination: str,
    protocol: int,
    payload: bytes,
    *,
    ttl: int = 64,
    offset: int = 0,
    more: bool = False,
    device: str = "",
) -> dict[str, object]:
    """Describe an IPv4 packet (RFC 791); `offset` in bytes, a multiple of eight, with `more` fragments to come."""
    return {
        "source": source,
        "destination": destination,
        "protocol": protocol,
        "payload": payload.hex(),
        "ttl": ttl,
        "offset": offset,
        "more": more,
        "device": device,
    }


@contextlib.contextmanager
def overhear(where: Node, node: str, kind: str, *own: str) -> Iterator[list[bytes]]:
    """Collect the packets of a protocol that get past a node's rules; it first sends one to each of `own` itself.

    Gives a list that is filled when the context ends, with headers.
    """
    argv = ["ip", "netns", "exec", where.netns(node), *PYTHON, LISTEN, kind, SETTLE, *own]
    heard: list[bytes] = []
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        yield heard
        output, _ = listener.communicate("end\n", timeout=60)
    heard += [bytes.fromhex(text) for text in json.loads(output)]
