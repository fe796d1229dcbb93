"""The kernel by raw netlink: which addresses there are, taking one off, and how many advertisements were sent.

rtnetlink(7), linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import subprocess
from collections.abc import Iterator

TABLE = "kawaii_guard"
COUNTER = "adverts"
KEEPALIVED = "18"
"""RTPROT_KEEPALIVED: the protocol number of the routes that keepalived sets (rtnetlink(7))."""
RULESET = f"""add table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  counter {COUNTER} {{ }}
  chain output {{
    type filter hook output priority 300; policy accept;
    meta l4proto 112 counter name "{COUNTER}"
  }}
}}
"""

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_IFADDRMSG = struct.Struct("=BBBBI")
_NFGENMSG = struct.Struct("=BBH")
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NFT, _GETOBJ = 10 << 8, 19
_OBJ_TABLE, _OBJ_NAME, _OBJ_TYPE, _OBJ_DATA = 1, 2, 3, 4
_COUNTER_PACKETS = 2
_INET = 1
_NETFILTER = 12
_TIMEOUT = 2.0


def addresses() -> set[tuple[str, str]]:
    """Give all addresses with prefix length and device."""
    found: set[tuple[str, str]] = set()
    for kind, body in _ask(socket.NETLINK_ROUTE, _GETADDR, _DUMP, _IFADDRMSG.pack(0, 0, 0, 0, 0)):
        if kind != _NEWADDR:
            continue
        family, length, _flags, _scope, index = _IFADDRMSG.unpack_from(body)
        attributes = dict(_attributes(body[_IFADDRMSG.size :]))
        packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
        if packed is not None:
            try:
                found.add((f"{socket.inet_ntop(family, packed)}/{length}", socket.if_indextoname(index)))
            except OSError:
                continue  # the device has gone since
    return found


def delete_address(address: str, device: str) -> bool:
    """Take an address off; False where it or its device was not there.  Raises `OSError`."""
    host, _slash, length = address.partition("/")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host)
    try:
        index = socket.if_nametoindex(device)
        body = _IFADDRMSG.pack(family, int(length), 0, 0, index) + _attribute(_IFA_LOCAL, packed)
        list(_ask(socket.NETLINK_ROUTE, _DELADDR, _ACK, body + _attribute(_IFA_ADDRESS, packed)))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO):
            return False
        raise
    return True


def flush_routes() -> None:
    """Remove the routes that keepalived has set; those with a source address went with it already."""
    for family in ("-4", "-6"):
        with contextlib.suppress(subprocess.TimeoutExpired):  # the addresses, which matter more, are off by now
            subprocess.run(
                ["ip", family, "route", "flush", "table", "all", "proto", KEEPALIVED],
                capture_output=True,
                timeout=_TIMEOUT * 5,
                check=False,
            )


def install_counter() -> None:
    """Count the advertisements that leave this node, in a table of the guard's own; raises `OSError`."""
    result = subprocess.run(
        ["nft", "-f", "-"], input=RULESET, capture_output=True, text=True, timeout=_TIMEOUT * 5, check=False
    )
    if result.returncode != 0:
        raise OSError(f"nft: {result.stderr.strip()}")


def advertisements() -> int | None:
    """Give how many advertisements were sent since the counter was installed, None where there is no counter."""
    body = _NFGENMSG.pack(_INET, 0, 0)
    body += _attribute(_OBJ_TABLE, TABLE.encode() + b"\0") + _attribute(_OBJ_NAME, COUNTER.encode() + b"\0")
    body += _attribute(_OBJ_TYPE, struct.pack(">I", 1))
    try:
        for _kind, answer in _ask(_NETFILTER, _NFT | _GETOBJ, 0, body):
            data = dict(_attributes(answer[_NFGENMSG.size :])).get(_OBJ_DATA, b"")
            return int.from_bytes(dict(_attributes(data))[_COUNTER_PACKETS], "big")
    except FileNotFoundError:
        pass
    return None


def _ask(protocol: int, kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Send one request and give the answers' types and bodies; raises `OSError` for the kernel's refusal."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as netlink:
        netlink.settimeout(_TIMEOUT)
        netlink.bind((0, 0))
        netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body)
        more = True
        while more:
            data = netlink.recv(1 << 17)
            at = 0
            while at + _HEADER.size <= len(data):
                length, answer, _flags, _sequence, _port = _HEADER.unpack_from(data, at)
                payload = data[at + _HEADER.size : at + length]
                at += length + 3 & ~3
                if answer == _ERROR:
                    code = -struct.unpack_from("=i", payload)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                if answer in (_ERROR, _DONE):
                    return
                yield answer, payload
            more = bool(flags & _DUMP)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        yield kind & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]
        at += max(length + 3 & ~3, _ATTRIBUTE.size)
