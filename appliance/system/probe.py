"""Ask next hops by ARP whether they are there, from a NIC that may have no address (RFC 5227)."""

from __future__ import annotations

import contextlib
import socket

from appliance.system.guard.probe import BROADCAST, ETH_P_ARP, is_answer, request

SOURCE_OFFSET, SOURCE_END = 14, 18
"""Where the sender's protocol address stands in an ARP packet (RFC 826)."""


class ArpProber:
    """One socket per device; `ask` sends, `answers` gives who has answered since the last call."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}

    def ask(self, device: str, gateway: str) -> None:
        """Send a probe; a device that is absent or down is nobody's answer, not an error."""
        with contextlib.suppress(OSError):
            opened = self._open(device)
            mac = opened.getsockname()[4]
            opened.sendto(request(mac, gateway), (device, ETH_P_ARP, 0, 0, BROADCAST))

    def answers(self) -> set[tuple[str, str]]:
        """Give the (device, address) pairs that have answered."""
        found = set()
        for device in list(self._sockets):
            try:
                while True:
                    packet = self._sockets[device].recv(256)
                    sender = socket.inet_ntoa(packet[SOURCE_OFFSET:SOURCE_END])
                    if is_answer(packet, sender):
                        found.add((device, sender))
            except BlockingIOError:
                continue
            except OSError:
                self._sockets.pop(device).close()
        return found

    def close(self) -> None:
        """Close all sockets."""
        for opened in self._sockets.values():
            opened.close()
        self._sockets.clear()

    def _open(self, device: str) -> socket.socket:
        found = self._sockets.get(device)
        if found is None:
            found = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP))
            try:
                found.setblocking(False)
                found.bind((device, ETH_P_ARP))
            except OSError:
                found.close()
                raise
            self._sockets[device] = found
        return found
