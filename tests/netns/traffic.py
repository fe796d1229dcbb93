"""Packets for the tests, run inside nodes: servers that tell a client who it is seen as, clients that report it.

``serve SPEC…`` (``tcp:80``, ``udp:443``; ``chatty:9000`` is a TCP server that speaks first and goes on speaking)
prints ``ready`` once all are bound.  ``tcp HOST PORT`` and ``udp HOST PORT`` make one exchange; ``flow tcp|udp HOST
PORT`` exchanges one numbered message every ``--interval`` seconds for ``--seconds`` over one socket, ``flow fresh …``
each by a new UDP socket; ``listen HOST PORT`` reads from a chatty server.  Clients print one JSON object::

    {"ok": true, "seen": "4.5.6.10", "error": null}
    {"sent": 500, "received": 498, "longest_gap": 0.02, "seen": ["4.5.6.10"], "error": null}
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable

LINE = 256


def serve(specs: list[str]) -> None:
    """Serve for ever, each spec in threads of its own."""
    for spec in specs:
        kind, _, port = spec.partition(":")
        stream = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
        listener = socket.socket(socket.AF_INET, stream)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", int(port)))
        if kind == "udp":
            threading.Thread(target=_serve_udp, args=(listener,), daemon=True).start()
        else:
            listener.listen(256)
            answer = _chat if kind == "chatty" else _echo
            threading.Thread(target=_accept, args=(listener, answer), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


def _serve_udp(listener: socket.socket) -> None:
    while True:
        data, peer = listener.recvfrom(LINE)
        listener.sendto(f"{peer[0]} {data.decode()}".encode(), peer)


def _accept(listener: socket.socket, answer: Callable[[socket.socket, str], None]) -> None:
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=answer, args=(connection, peer[0]), daemon=True).start()


def _echo(connection: socket.socket, peer: str) -> None:
    with connection, connection.makefile("rb") as lines:
        try:
            for line in lines:
                connection.sendall(f"{peer} {line.decode()}".encode())
        except OSError:
            return


def _chat(connection: socket.socket, peer: str) -> None:
    with connection:
        number = 0
        try:
            while True:
                connection.sendall(f"{peer} {number}\n".encode())
                number += 1
                time.sleep(0.01)
        except OSError:
            return


def once(kind: str, host: str, port: int, timeout: float, source: int) -> dict[str, object]:
    """Make one exchange and tell as whom the server saw this client."""
    try:
        with _connect(kind, host, port, timeout, source) as client:
            client.sendall(b"0\n")
            seen = client.recv(LINE).decode().split()[0]
    except OSError as error:
        return {"ok": False, "seen": None, "error": "timeout" if isinstance(error, TimeoutError) else str(error)}
    except IndexError:
        return {"ok": False, "seen": None, "error": "closed"}
    return {"ok": True, "seen": seen, "error": None}


def _connect(kind: str, host: str, port: int, timeout: float, source: int = 0) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    client.settimeout(timeout)
    if source:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("0.0.0.0", source))
    client.connect((host, port))
    return client


class Tally:
    """What came back when, and from whom the server thought it came."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.seen: set[str] = set()
        self.longest_gap = 0.0
        self.error: str | None = None
        self.end: float | None = None
        self._last = time.monotonic()

    def answer(self, message: str) -> None:
        """Count one answer."""
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now
        self.received += 1
        self.seen.add(message.split(maxsplit=1)[0])

    def result(self) -> dict[str, object]:
        """Give the summary; a silence that lasts to the end of the sending counts."""
        end = time.monotonic() if self.end is None else self.end
        self.longest_gap = max(self.longest_gap, end - self._last)
        return {
            "sent": self.sent,
            "received": self.received,
            "longest_gap": round(self.longest_gap, 3),
            "seen": sorted(self.seen),
            "error": self.error,
        }


def flow(kind: str, host: str, port: int, interval: float, seconds: float) -> dict[str, object]:
    """Exchange numbered messages at a steady pace; answers are waited for a second longer than the sending lasts."""
    tally = Tally()
    selector = selectors.DefaultSelector()
    buffers: dict[int, bytes] = {}

    def plug() -> socket.socket:
        client = _connect("udp" if kind == "fresh" else kind, host, port, 5.0)
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ)
        return client

    client = plug()
    start = time.monotonic()
    tally.end = start + seconds
    print("started", file=sys.stderr, flush=True)
    while (now := time.monotonic()) < start + seconds + 1.0:
        due = start + tally.sent * interval
        if now >= due and due < start + seconds:
            if kind == "fresh" and tally.sent:
                client = plug()
            try:
                client.send(f"{tally.sent}\n".encode())
            except OSError as error:
                tally.error = str(error)
            tally.sent += 1
        elif tally.received >= tally.sent and due >= start + seconds:
            break
        for key, _ in selector.select(max(0.0, min(due - time.monotonic(), interval))):
            _receive(key.fileobj, buffers, tally, selector)  # type: ignore[arg-type]
    return tally.result()


def _receive(client: socket.socket, buffers: dict[int, bytes], tally: Tally, selector: selectors.BaseSelector) -> None:
    try:
        data = client.recv(65536)
    except OSError as error:
        tally.error = str(error)
        data = b""
    if not data:
        selector.unregister(client)
        return
    *lines, rest = (buffers.get(client.fileno(), b"") + data).split(b"\n")
    buffers[client.fileno()] = rest
    for line in lines:
        tally.answer(line.decode())


def listen(host: str, port: int, seconds: float) -> dict[str, object]:
    """Connect to a server that speaks by itself, say nothing, and count what it says."""
    tally = Tally()
    end = time.monotonic() + seconds
    try:
        with _connect("tcp", host, port, 5.0) as client, client.makefile("rb") as lines:
            client.settimeout(seconds)
            print("started", file=sys.stderr, flush=True)
            while time.monotonic() < end and (line := lines.readline()):
                tally.answer(line.decode())
    except OSError as error:
        tally.error = str(error)
    tally.sent = tally.received
    return tally.result()


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("serve").add_argument("specs", nargs="+")
    for verb in ("tcp", "udp", "flow", "listen"):
        client = verbs.add_parser(verb)
        if verb == "flow":
            client.add_argument("kind", choices=("tcp", "udp", "fresh"))
        client.add_argument("host")
        client.add_argument("port", type=int)
        client.add_argument("--timeout", type=float, default=1.0)
        client.add_argument("--source", type=int, default=0)
        client.add_argument("--interval", type=float, default=0.01)
        client.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    if options.verb == "serve":
        serve(options.specs)
    elif options.verb == "flow":
        print(json.dumps(flow(options.kind, options.host, options.port, options.interval, options.seconds)))
    elif options.verb == "listen":
        print(json.dumps(listen(options.host, options.port, options.seconds)))
    else:
        print(json.dumps(once(options.verb, options.host, options.port, options.timeout, options.source)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
