"""A lab's namespaces, bridges and cables, made with ip(8) in batches, and the faults that can be put on them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from appliance.lab.process import Identity, start_time
from appliance.lab.topology import FABRIC, NODE_NAME, LabError, NodePlan, Topology, bridge

NETNS_DIRECTORY = Path("/run/netns")

FORWARDING = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.default.rp_filter": "0"}


def namespace(lab: str, node: str) -> str:
    """Name a node's network namespace."""
    return f"kw-{lab}-{node}"


def namespaces(lab: str) -> list[str]:
    """Find the namespaces of a lab that exist."""
    prefix = namespace(lab, "")
    names = (path.name for path in NETNS_DIRECTORY.glob(f"{prefix}*"))
    return sorted(name for name in names if NODE_NAME.fullmatch(name.removeprefix(prefix)))


def build(lab: str, topology: Topology) -> None:
    """Make every namespace, bridge and cable, and configure the nodes that are not gateways; raises `LabError`."""
    fabric = namespace(lab, FABRIC)
    names = [namespace(lab, node) for node in topology.nodes]
    _batch(None, [f"netns add {name}" for name in (fabric, *names)])
    lines = ["link set lo up"]
    for segment in topology.segments:
        lines.append(f"link add {bridge(segment)} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        lines.append(f"link set {bridge(segment)} up")
    for node in topology.nodes.values():
        for index, nic in enumerate(node.nics):
            port, inside = node.port(index), namespace(lab, node.name)
            lines.append(f"link add {port} type veth peer name {nic.device} netns {inside}")
            lines.append(f"link set {port} master {bridge(nic.segment)} up")
    # Nothing of ours speaks on the bridges themselves: no router solicitations from the fabric.
    sysctl(fabric, {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"})
    _batch(fabric, lines)
    for node in topology.nodes.values():
        _configure(namespace(lab, node.name), node)


def _configure(netns: str, node: NodePlan) -> None:
    """Do what the node's operating system would: for a gateway only its loopback."""
    lines = ["link set lo up"]
    if not node.gateway:
        if node.forwards:
            sysctl(netns, FORWARDING)
        for nic in node.nics:
            lines += [f"address add {address} dev {nic.device}" for address in nic.addresses]
            lines.append(f"link set {nic.device} up")
        lines += [f"route add {way.destination} via {way.via} metric {way.metric}" for way in node.routes]
    _batch(netns, lines)


def add_addresses(netns: str, by_device: dict[str, tuple[str, ...]]) -> None:
    """Add addresses with their prefix lengths to devices."""
    _batch(netns, [f"address add {item} dev {device}" for device, items in by_device.items() for item in items])


def destroy(lab: str) -> None:
    """Kill every process in a lab's namespaces and remove them; what is gone already is fine."""
    names = namespaces(lab)
    for name in names:
        for identity in processes(name):
            identity.kill()
    for name in names:
        _ip("netns", "del", name, check=False)


def processes(netns: str) -> list[Identity]:
    """Find the processes that run inside a namespace."""
    output = _ip("netns", "pids", netns, check=False)
    return [Identity(int(pid), start_time(int(pid))) for pid in output.split()]


def set_port(lab: str, port: str, *, up: bool) -> None:
    """Plug a cable in or out: the node sees its carrier come or go."""
    _ip("-n", namespace(lab, FABRIC), "link", "set", port, "up" if up else "down")


def set_silent(lab: str, port: str, *, silent: bool) -> None:
    """Lose (or carry again) all that passes a port, while the carrier stays."""
    state = "0" if silent else "3"
    _run(["bridge", "-n", namespace(lab, FABRIC), "link", "set", "dev", port, "state", state])


def sysctl(netns: str, values: dict[str, str]) -> None:
    """Set kernel parameters of a namespace; raises `LabError`."""
    _run(["ip", "netns", "exec", netns, "sysctl", "-q", "-w", *(f"{name}={value}" for name, value in values.items())])


def load_ruleset(netns: str, text: str) -> None:
    """Load an nftables ruleset in a namespace; raises `LabError`."""
    _run(["ip", "netns", "exec", netns, "nft", "-f", "-"], text)


def has_esp(netns: str) -> bool:
    """Tell whether the kernel can do ESP; a policy is accepted even where it cannot, so a state is tried."""
    selector = ["src", "127.0.0.1", "dst", "127.0.0.1", "proto", "esp", "spi", "0x1"]
    keys = ["mode", "tunnel", "auth", "hmac(sha256)", "0x" + "00" * 32, "enc", "cbc(aes)", "0x" + "00" * 32]
    argv = ["ip", "-n", netns, "xfrm", "state"]
    done = subprocess.run([*argv, "add", *selector, *keys], capture_output=True, timeout=10, check=False)
    if done.returncode == 0:
        _run([*argv, "delete", *selector])
    return done.returncode == 0


def _batch(netns: str | None, lines: Iterable[str]) -> None:
    where = ["-n", netns] if netns is not None else []
    _run(["ip", *where, "-batch", "-"], "\n".join(lines) + "\n")


def _ip(*arguments: str, check: bool = True) -> str:
    return _run(["ip", *arguments], check=check)


def _run(argv: list[str], text: str = "", *, check: bool = True) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout
