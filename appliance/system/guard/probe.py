"""Ask the upstream gateway by ARP, as a node without a public address can (RFC 5227: the sender is 0.0.0.0)."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from appliance.system.guard.facts import Probe

ETH_P_ARP = 0x0806
REQUEST, REPLY = 1, 2
BROADCAST = b"\xff" * 6
_ARP = struct.Struct(">HHBBH6s4s6s4s")
ALIVE, DEAD = "0", "-100"
"""What keepalived adds to every priority (keepalived.conf(5), track_file with weight 1)."""


def request(mac: bytes, gateway: str) -> bytes:
    """Give an ARP probe for `gateway`."""
    return _ARP.pack(1, 0x0800, 6, 4, REQUEST, mac, bytes(4), bytes(6), socket.inet_aton(gateway))


def is_answer(packet: bytes, gateway: str) -> bool:
    """Tell whether an ARP packet is `gateway`'s answer."""
    if len(packet) < _ARP.size:
        return False
    _hardware, protocol, _hlen, _plen, operation, _mac, sender, _tmac, _target = _ARP.unpack_from(packet)
    return bool(protocol == 0x0800 and operation == REPLY and sender == socket.inet_aton(gateway))


class Verdict:
    """Counts answers: dead after `fall` probes without one, alive after `rise` with; alive to begin with."""

    def __init__(self, fall: int, rise: int) -> None:
        self._fall, self._rise = fall, rise
        self._run = 0
        self.alive = True

    def count(self, *, answered: bool) -> bool:
        """Take a probe's outcome; True if that changed the verdict."""
        self._run = self._run + 1 if answered != self.alive else 0
        if self._run < (self._fall if self.alive else self._rise):
            return False
        self.alive, self._run = not self.alive, 0
        return True


class Prober:
    """Probes one gateway and writes the verdict into keepalived's track file; used from one event loop."""

    def __init__(self, probe: Probe, track_file: Path, now: float) -> None:
        self.probe = probe
        self._file = track_file
        self._verdict = Verdict(probe.fall, probe.rise)
        self._socket: socket.socket | None = None
        self._answered = True
        self.due = now
        self._write()

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def tick(self, now: float) -> str | None:
        """Judge the last probe and send the next when it is due; gives a change of the verdict in words."""
        self._receive()
        if now < self.due:
            return None
        late = now - self.due > self.probe.interval  # we were kept waiting: that says nothing of the gateway
        self.due = now + self.probe.interval
        changed = not late and self._verdict.count(answered=self._answered)
        if changed:
            self._write()
        self._answered = False
        self._send()
        return f"gateway {self.probe.gateway} is {'alive' if self._verdict.alive else 'dead'}" if changed else None

    def _write(self) -> None:
        self._file.write_text(f"{ALIVE if self._verdict.alive else DEAD}\n", encoding="ascii")

    def _send(self) -> None:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                self._socket.bind((self.probe.device, ETH_P_ARP))
            mac = self._socket.getsockname()[4]
            self._socket.sendto(request(mac, self.probe.gateway), (self.probe.device, ETH_P_ARP, 0, 1, BROADCAST))
        except OSError:  # no device, or it is down: no answer either
            self.close()

    def _receive(self) -> None:
        try:
            while self._socket is not None:
                if is_answer(self._socket.recv(128), self.probe.gateway):
                    self._answered = True
        except BlockingIOError:
            return
        except OSError:
            self.close()
