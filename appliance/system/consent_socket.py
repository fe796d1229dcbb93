"""UDP between gateways that agree to a peering: one socket for each address that this node holds (ip(7), socket(7))."""

from __future__ import annotations

import logging
import os
import selectors
import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from appliance.engine.ports import Address

log = logging.getLogger(__name__)

SO_BINDTODEVICE = 25
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75
LONGEST = 512

Place = tuple[Address, str]
"""A local address and the device that it is on."""


class ConsentSockets:
    """The sockets, and a pipe that wakes whoever waits for them.  One thread uses it; only `wake` is for others.

    A socket is bound to its address whether or not the kernel has that yet or still (IP_TRANSPARENT), and to its
    device: so the last word can be said when address and route have just been taken away.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[Place, socket.socket] = {}
        self._missing: set[Place] = set()
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def use(self, places: Iterable[Place]) -> None:
        """Have sockets for these places and no others; one that cannot be had is logged and tried again next time."""
        wanted = set(places)
        for place in [place for place in self._sockets if place not in wanted]:
            self._drop(place)
        for place in wanted - self._sockets.keys():
            try:
                opened = _open(*place, self._port)
            except OSError as error:
                if place not in self._missing:
                    log.warning("peering consent on %s, %s: %s", place[0], place[1], error.strerror)
                self._missing.add(place)
                continue
            self._missing.discard(place)
            self._sockets[place] = opened
            self._selector.register(opened, selectors.EVENT_READ, place)

    def send(self, place: Place, remote: Address, data: bytes) -> bool:
        """Send a datagram; tells whether it left."""
        sender = self._sockets.get(place)
        if sender is None:
            return False
        try:
            sender.sendto(data, (str(remote), self._port))
        except OSError as error:
            log.debug("peering consent from %s to %s: %s", place[0], remote, error.strerror)
            # The device may have gone and come back: a new socket is bound to the new one.
            self._drop(place)
            return False
        return True

    def wait(self, seconds: float) -> list[tuple[Place, Address, bytes]]:
        """Wait for datagrams, or for `wake`; gives (where it came in, sender, data)."""
        found: list[tuple[Place, Address, bytes]] = []
        for key, _events in self._selector.select(seconds):
            if key.fileobj == self._wake:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                continue
            with suppress(OSError):
                data, sender = self._sockets[key.data].recvfrom(LONGEST)
                found.append((key.data, ip_address(sender[0]), data))
        return found

    def wake(self) -> None:
        """Have `wait` return at once; any thread may call it."""
        with suppress(BlockingIOError):
            os.write(self._waker, b"x")

    def close(self) -> None:
        """Close everything."""
        for place in list(self._sockets):
            self._drop(place)
        self._selector.close()
        os.close(self._wake)
        os.close(self._waker)

    def _drop(self, place: Place) -> None:
        closing = self._sockets.pop(place)
        self._selector.unregister(closing)
        closing.close()


def _open(address: Address, device: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, device.encode() + b"\0")
        if address.version == 4:
            opened.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        opened.bind((str(address), port))
    except OSError:
        opened.close()
        raise
    return opened
