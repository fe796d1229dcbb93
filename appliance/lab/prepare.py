"""What daemons find when a lab starts: gateways' seeds and roots, and the configurations of everybody else's nodes."""

from __future__ import annotations

from pathlib import Path

from appliance.lab import network, seeds
from appliance.lab.charon import render_strongswan
from appliance.lab.daemons import DaemonSpec, GatewayPaths, gateway_daemons
from appliance.lab.kiwi import RULESET, keepalived_daemon, render_keepalived, shared_addresses
from appliance.lab.office import connections_to_office, office_daemon
from appliance.lab.seeds import Seeded
from appliance.lab.state import State
from appliance.lab.topology import FABRIC, NodePlan, Topology


def prepare(state: State, topology: Topology, ours: Seeded, programs: Path | None) -> list[DaemonSpec]:
    """Write every node's files and give the daemons to run; without `programs` gateways stay bare."""
    specs: list[DaemonSpec] = []
    esp = network.has_esp(network.namespace(state.lab, FABRIC))
    peer = seeds.load_peer(topology, ours)
    for node in topology.nodes.values():
        root = state.root(node.name)
        root.mkdir()
        if node.gateway:
            seeded = ours if node.zone is not None else peer
            if programs is not None and seeded is not None:
                specs += _gateway(state, node, seeded, programs, esp=esp)
        elif node.name.startswith("kiwi-"):
            specs += _kiwi(state, topology, node)
        elif node.name == "office-gw" and connections_to_office(ours):
            specs.append(office_daemon(node.name, network.namespace(state.lab, node.name), root, ours, esp=esp))
    return specs


def _gateway(state: State, node: NodePlan, seeded: Seeded, programs: Path, *, esp: bool) -> list[DaemonSpec]:
    root = state.root(node.name)
    paths = GatewayPaths(root)
    for directory in ("etc/kawaii", "var/lib/kawaii", "run/kawaii"):
        (root / directory).mkdir(parents=True)
    zone = node.zone if node.zone is not None else next(iter(seeded.config.netcfg.zones))
    seeds.write_seed(paths.seed, seeded, f"{state.lab}-{node.name}", zone)
    paths.strongswan.write_text(render_strongswan(paths.vici, esp=esp))
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
