"""What daemons find when a lab starts: gateways' seeds and roots, and the configurations of everybody else's nodes."""

from __future__ import annotations

from pathlib import Path

from appliance.lab import network, seeds
from appliance.lab.daemons import DaemonSpec, GatewayPaths, gateway_daemons
from appliance.lab.kiwi import RULESET, keepalived_daemon, render_keepalived, shared_addresses
from appliance.lab.seeds import Seeded
from appliance.lab.state import State
from appliance.lab.topology import NodePlan, Topology

CHARON_PLUGINS = (
    "random nonce aes des sha1 sha2 sha3 md5 mgf1 hmac kdf gcm ccm ctr chapoly curve25519 openssl gmp gcrypt pem pkcs1 "
    "pkcs8 x509 pubkey revocation constraints kernel-libipsec kernel-netlink socket-default updown vici"
)
"""kernel-libipsec (user-space ESP, for kernels without) has to come before kernel-netlink."""


def prepare(state: State, topology: Topology, ours: Seeded, programs: Path | None) -> list[DaemonSpec]:
    """Write every node's files and give the daemons to run; without `programs` gateways stay bare."""
    specs: list[DaemonSpec] = []
    peer = seeds.load_peer(topology, ours)
    for node in topology.nodes.values():
        root = state.root(node.name)
        root.mkdir()
        if node.gateway:
            seeded = ours if node.zone is not None else peer
            if programs is not None and seeded is not None:
                specs += _gateway(state, node, seeded, programs)
        elif node.name.startswith("kiwi-"):
            specs += _kiwi(state, topology, node)
    return specs


def _gateway(state: State, node: NodePlan, seeded: Seeded, programs: Path) -> list[DaemonSpec]:
    root = state.root(node.name)
    paths = GatewayPaths(root)
    for directory in ("etc/kawaii", "var/lib/kawaii", "run/kawaii"):
        (root / directory).mkdir(parents=True)
    zone = node.zone if node.zone is not None else next(iter(seeded.config.netcfg.zones))
    seeds.write_seed(paths.seed, seeded, f"{state.lab}-{node.name}", zone)
    paths.strongswan.write_text(render_strongswan(paths.vici))
    return gateway_daemons(node.name, network.namespace(state.lab, node.name), root, programs, state.socket)


def _kiwi(state: State, topology: Topology, node: NodePlan) -> list[DaemonSpec]:
    netns, root = network.namespace(state.lab, node.name), state.root(node.name)
    network.load_ruleset(netns, RULESET)
    other = topology.nodes.get("kiwi-2" if node.name == "kiwi-1" else "kiwi-1")
    if other is None:
        network.add_addresses(netns, shared_addresses(topology))
        return []
    (root / "keepalived.conf").write_text(render_keepalived(topology, node, other))
    return [keepalived_daemon(node.name, netns, root)]


def render_strongswan(vici: Path) -> str:
    """Render a charon's own settings (strongswan.conf(5))."""
    return (
        "charon-systemd {\n"
        f"  load = {CHARON_PLUGINS}\n"
        f"  plugins {{\n    vici {{\n      socket = unix://{vici}\n    }}\n  }}\n"
        "  journal {\n    default = -1\n  }\n"
        "}\n"
    )
