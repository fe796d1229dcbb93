"""Who has which address, asked of the kernel so cheaply that it can be asked all the time (rtnetlink(7))."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

from appliance.lab.topology import LabError
from appliance.system.namespace import enter

NLMSG_DONE, RTM_NEWADDR, RTM_GETADDR = 3, 20, 22
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
IFA_ADDRESS, IFA_LOCAL = 1, 2
SCOPE_GLOBAL = 0
HEADER = struct.Struct("=IHHII")
IFADDRMSG = struct.Struct("=BBBBI")
ATTRIBUTE = struct.Struct("=HH")
RECEIVE = 65536


class AddressReader:
    """Reads namespaces' addresses over one socket each, opened once and good for as long as the namespace lives."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self._lock = threading.Lock()

    def read(self, netns: str) -> list[str]:
        """Give the addresses of global scope in a namespace, without prefix lengths; raises `LabError`."""
        with self._lock:
            try:
                connection = self._sockets.get(netns) or self._open(netns)
                request = HEADER.pack(HEADER.size + IFADDRMSG.size, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
                connection.send(request + IFADDRMSG.pack(0, 0, 0, 0, 0))
                return [text for message in _messages(connection) if (text := _address(message)) is not None]
            except OSError as error:
                raise LabError(f"{netns}: {error.strerror or error}") from error

    def close(self) -> None:
        """Forget all namespaces."""
        with self._lock:
            while self._sockets:
                self._sockets.popitem()[1].close()

    def _open(self, netns: str) -> socket.socket:
        """Open a socket inside a namespace: a socket stays where it was made, and so does only the thread."""
        opened: list[socket.socket] = []
        failed: list[OSError] = []

        def open_inside() -> None:
            try:
                enter(netns)
                opened.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE))
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=open_inside)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        opened[0].settimeout(5.0)
        self._sockets[netns] = opened[0]
        return opened[0]


def _messages(connection: socket.socket) -> Iterator[bytes]:
    """Give the bodies of a dump's address messages."""
    while True:
        data = connection.recv(RECEIVE)
        at = 0
        while at < len(data):
            length, kind, *_ = HEADER.unpack_from(data, at)
            if kind == NLMSG_DONE:
                return
            if kind == RTM_NEWADDR:
                yield data[at + HEADER.size : at + length]
            at += length + 3 & ~3


def _address(message: bytes) -> str | None:
    """Read the address of one message, None for one that is not global."""
    family, _, _, scope, _ = IFADDRMSG.unpack_from(message)
    found: dict[int, bytes] = {}
    at = IFADDRMSG.size
    while at + ATTRIBUTE.size <= len(message):
        length, kind = ATTRIBUTE.unpack_from(message, at)
        found[kind] = message[at + ATTRIBUTE.size : at + length]
        at += max(length, ATTRIBUTE.size) + 3 & ~3
    raw = found.get(IFA_LOCAL, found.get(IFA_ADDRESS))
    return socket.inet_ntop(family, raw) if raw is not None and scope == SCOPE_GLOBAL else None
