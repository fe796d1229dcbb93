"""One gateway's kernel between four networks, without any daemon: what passes it depends on its rules alone.

``out`` is on the public segment and stands for the Internet, ``ia`` and ``ib`` are instances of zones a and b, ``peer``
is a gateway of another project.  The gateway ``gw`` holds both zones' pairs, zone b's as a stand-in.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence

SERVER = """
import socket, sys, threading
def tcp(port):
    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", port)); s.listen(64)
    while True:
        c, peer = s.accept()
        try: c.sendall(peer[0].encode()); c.close()
        except OSError: pass
def udp(port):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, 49, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))
    while True:
        _, peer = s.recvfrom(99); s.sendto(peer[0].encode(), peer)
for spec in sys.argv[1:]:
    kind, port = spec.split(":")
    threading.Thread(target={"tcp": tcp, "udp": udp}[kind], args=(int(port),), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""
CLIENT = """
import json, socket, sys
kind, host, port, source, source_port = sys.argv[1:6]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(0.5)
try:
    if source: s.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
    s.bind((source or ("::" if ":" in host else "0.0.0.0"), int(source_port)))
    s.connect((host, int(port)))
    if kind == "udp": s.send(b"x")
    print(json.dumps(s.recv(99).decode().removeprefix("::ffff:")))
except OSError: print("null")
"""
FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0")
QUIET = ("net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv6.conf.all.accept_dad=0")
VIPS = {
    "ens3": ("4.5.6.10/26", "4.5.6.11/26", "2001:db8:1::10/64", "2001:db8:1::11/64"),
    "ens4": ("10.50.201.11/24", "10.50.201.252/24", "fd00:50::252/64"),
    "vip2": ("10.50.201.253/32",),
    "ens6": ("10.50.205.70/32",),
}


class OneGateway:
    """The namespaces, made on entering and gone on leaving the context."""

    def __init__(self) -> None:
        self._stem = f"fw{os.getpid()}{uuid.uuid4().hex[:4]}"
        self._servers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> OneGateway:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.kill()
            server.communicate()
        for node in ("gw", "out", "lan", "ia", "ib", "peer"):
            subprocess.run(["ip", "netns", "del", self.netns(node)], capture_output=True, check=False)

    def netns(self, node: str) -> str:
        """Give a node's namespace by name."""
        return f"{self._stem}-{node}"

    def run(self, node: str, argv: Sequence[str], text: str = "", *, check: bool = True) -> str:
        """Run a command on a node and give what it prints."""
        full = ["ip", "netns", "exec", self.netns(node), *argv]
        result = subprocess.run(full, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert not check or result.returncode == 0, (argv, result.stderr)
        return result.stdout

    def load(self, text: str) -> None:
        """Load rules on the gateway; flows of earlier rules are forgotten."""
        self.run("gw", ["nft", "-f", "-"], text)
        self.run("gw", ["conntrack", "-F"], check=False)

    def seen(self, node: str, kind: str, host: str, port: int, *, source: str = "", source_port: int = 0) -> str | None:
        """Make one exchange; gives the address that the server saw, None if there was no answer."""
        argv = [sys.executable, "-I", "-S", "-c", CLIENT, kind, host, str(port), source, str(source_port)]
        seen: str | None = json.loads(self.run(node, argv))
        return seen

    def pings(self, node: str, host: str) -> bool:
        """Tell whether an echo request is answered."""
        argv = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "0.5", host]
        return " 0 received" not in self.run(node, argv, check=False)

    @contextlib.contextmanager
    def address(self, node: str, device: str, address: str) -> Iterator[None]:
        """Have one more address on a node inside the context."""
        self._ip(node, f"addr add {address} dev {device}")
        try:
            yield
        finally:
            self._ip(node, f"addr del {address} dev {device}")

    def _build(self) -> None:
        for node in ("gw", "out", "lan", "ia", "ib", "peer"):
            self._ip(None, f"netns add {self.netns(node)}")
            for setting in QUIET:
                self.run(node, ["sysctl", "-qw", setting])
            self._ip(node, "link set lo up")
        for setting in FORWARDING:
            self.run("gw", ["sysctl", "-qw", setting])
        self._wire("gw", "ens3", "out", "eth0")
        self._wire("gw", "ens6", "peer", "eth0")
        self._ip("lan", "link add sw type bridge")
        self._ip("lan", "link set sw up")
        for node, device in (("gw", "ens4"), ("ia", "eth0"), ("ib", "eth0")):
            self._wire(node, device, "lan", node)
            self._ip("lan", f"link set {node} master sw")
        self._ip("gw", "link add vip2 link ens4 type macvlan mode bridge")
        self._ip("gw", "link set vip2 up")
        for device, addresses in VIPS.items():
            for address in addresses:
                self._ip("gw", f"addr add {address} dev {device}")
        self._ip("gw", "route add default via 4.5.6.40")
        self._ip("gw", "-6 route add default via 2001:db8:1::40")
        self._ip("gw", "route add 10.50.205.0/24 via 10.50.205.252 dev ens6 onlink")
        self._hosts()

    def _hosts(self) -> None:
        for address in ("4.5.6.40/26", "198.51.100.10/32", "2001:db8:1::40/64", "2001:db8:9::1/128"):
            self._ip("out", f"addr add {address} dev eth0")
        self._ip("out", "route add 10.50.201.0/24 via 4.5.6.10")
        for node, last, gateway in (("ia", 20, 252), ("ib", 21, 253)):
            self._ip(node, f"addr add 10.50.201.{last}/24 dev eth0")
            self._ip(node, f"addr add fd00:50::{last}/64 dev eth0")
            self._ip(node, f"route add default via 10.50.201.{gateway}")
            self._ip(node, "-6 route add default via fd00:50::252")
        self._ip("peer", "addr add 10.50.205.252/24 dev eth0")
        self._ip("peer", "route add 10.50.201.0/24 via 10.50.205.70")
        self._ip("peer", "route add 198.51.100.0/24 via 10.50.205.70")
        services = ("tcp:22", "tcp:25", "tcp:80", "tcp:443", "tcp:8080", "udp:53", "udp:443", "tcp:3300")
        for node in ("out", "ia", "ib", "peer", "gw"):
            self._serve(node, services)

    def _wire(self, one: str, device: str, other: str, far: str) -> None:
        self._ip(None, f"link add {device} netns {self.netns(one)} type veth peer name {far} netns {self.netns(other)}")
        self._ip(one, f"link set {device} up")
        self._ip(other, f"link set {far} up")

    def _ip(self, node: str | None, words: str) -> None:
        where = ["-n", self.netns(node)] if node else []
        result = subprocess.run(["ip", *where, *words.split()], capture_output=True, text=True, check=False)
        assert result.returncode == 0, (words, result.stderr)

    def _serve(self, node: str, services: Sequence[str]) -> None:
        argv = ["ip", "netns", "exec", self.netns(node), sys.executable, "-I", "-S", "-c", SERVER, *services]
        server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
