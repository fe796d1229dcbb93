"""Two charons that know nothing of gateways, a cable between them: what one is given, the other has mirrored."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from appliance.engine.ports import Host
from appliance.lab.charon import render_strongswan
from appliance.schema.value import Secret
from appliance.subsystems.ipsec.connection import Connection, connections_of
from appliance.subsystems.ipsec.subsystem import Ipsec
from appliance.system.vici import Charon
from tests.unit.subsystems.ipsec_cases import node, office

NEAR, FAR = IPv4Address("10.1.0.0"), IPv4Address("10.2.0.1")
BOTH_READY = 10.0


@dataclass(frozen=True, slots=True)
class Pair:
    """The near charon as a gateway drives it, and the far one."""

    near: Host
    far: Charon

    def load(self, connections: Sequence[Connection]) -> None:
        """Have both know these connections."""
        subsystem = Ipsec()
        for item in connections:
            far = mirrored(item)
            self.far.load_connection(far.wire, far.tree(xfrm=False))
            assert item.secret is not None
            self.far.load_secret(far.secret_id, item.secret.reveal().encode(), far.owners)
            subsystem.put(self.near, item)

    def up(self) -> dict[str, tuple[str, str]]:
        """Give the near end's connections that are up: number of the IKE association, SPI of the child."""
        found = {}
        for name, association in self.near.vici.associations():
            for child in association["child-sas"].values():
                if association["state"] == "ESTABLISHED" and child["state"] == "INSTALLED":
                    found[name] = (association["uniqueid"], child["spi-in"])
        return found


def connection(number: int, name: str = "", /, **settings: Any) -> Connection:
    """Give a connection from an address of its own to the far end; `number` counts from 1."""
    view = node("a", **{name or f"site {number}": office(remote_peer=str(FAR), **settings)})
    (found,) = connections_of(view)
    here = str(NEAR + number)
    subnet = f"172.{16 + number // 256}.{number % 256}.0/24"
    (network,) = connections_of(node("a", x=office(remote_peer=str(FAR), remote_subnet=subnet)))
    return replace(found, local=(here,), local_id=here, remote_networks=network.remote_networks)


def mirrored(item: Connection) -> Connection:
    """Give the far end's side of a connection."""
    return replace(
        item,
        local=(item.remote,),
        remote=item.local[0],
        local_id=item.remote_id,
        remote_id=item.local_id,
        local_networks=item.remote_networks,
        remote_networks=item.local_networks,
        secret=item.secret or Secret("none"),
    )


@contextlib.contextmanager
def two_charons(directory: Path, addresses: int) -> Iterator[Pair]:
    """Start both in namespaces of their own; the near end has so many addresses."""
    stem = f"ike{os.getpid()}{uuid.uuid4().hex[:4]}"
    names = (f"{stem}n", f"{stem}f")
    with contextlib.ExitStack() as stack:
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        _ip("-n", names[0], "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", names[1])
        lines = [f"address add {NEAR + number}/16 dev wire" for number in range(1, addresses + 1)]
        # User-space ESP wants an address of ours inside each side's subnets.
        _lines(
            names[0], ["address add 10.50.201.11/24 dev lo", *lines, "route add default via 10.2.0.1 dev wire onlink"]
        )
        _lines(names[1], [f"address add {FAR}/16 dev wire", "route add default via 10.1.0.1 dev wire onlink"])
        _lines(names[1], [f"address add 172.{16 + n // 256}.{n % 256}.1/24 dev lo" for n in range(1, addresses + 1)])
        far, near = (stack.enter_context(_charon(directory, name)) for name in reversed(names))
        blank: Any = None
        ports = [name for name in Host.__dataclass_fields__ if name not in {"vici", "features"}]
        yield Pair(Host(**dict.fromkeys(ports, blank), vici=near), far)


@contextlib.contextmanager
def _charon(directory: Path, netns: str) -> Iterator[Charon]:
    socket, settings, log = (directory / f"{netns}.{suffix}" for suffix in ("vici", "conf", "log"))
    settings.write_text(render_strongswan(socket, esp=False))
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["ip", "netns", "exec", netns, "charon-systemd"],
            env={**os.environ, "STRONGSWAN_CONF": str(settings)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        charon = Charon(socket)
        assert charon.ready(BOTH_READY), log.read_text()
        yield charon
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Poll until something holds; tells whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _lines(netns: str, lines: Sequence[str]) -> None:
    text = "\n".join(["link set lo up", "link set wire up", *lines])
    subprocess.run(["ip", "-n", netns, "-batch", "-"], input=text, text=True, check=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
