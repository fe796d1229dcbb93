"""A lab's configurations: loaded, cut or extended to a number of zones, and written as each gateway's NoCloud seed."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

from appliance.lab.topology import LabError, Topology
from appliance.schema.problem import InvalidConfig
from appliance.schema.root import Config
from appliance.sources.userdata import load_user_data

EXAMPLES = Path(__file__).parents[2] / "cloud-init" / "examples"
ACME = EXAMPLES / "acme-user-data.yaml"
MARVELOUS = EXAMPLES / "marvelous-user-data.yaml"
Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seeded:
    """A project's configuration and the user-data that carries it to all its gateways."""

    user_data: str
    tree: Tree
    config: Config


def load(path: Path, zones: int | None = None) -> Seeded:
    """Load a configuration or user-data file, with its zones cut or extended to `zones`; raises `LabError`."""
    try:
        data = path.read_bytes()
        loaded = load_user_data(data, str(path))
        wanted = with_zones(loaded.tree, zones) if zones is not None else loaded.tree
        if wanted == loaded.tree and data.startswith(b"#cloud-config"):
            return Seeded(data.decode(), loaded.tree, loaded.config)
        return _seed_of(wanted, f"{path} with {len(wanted['netcfg']['zones'])} zones")
    except (OSError, InvalidConfig) as error:
        raise LabError(str(error)) from error


def _seed_of(tree: Tree, source: str) -> Seeded:
    text = as_user_data(tree)
    loaded = load_user_data(text.encode(), source)
    return Seeded(text, loaded.tree, loaded.config)


def load_peer(topology: Topology, ours: Seeded) -> Seeded | None:
    """Load project marvelous if the lab has its subnet, its peering's gateways being those of our zones."""
    peer = load(MARVELOUS)
    node = topology.nodes.get("peer-gw")
    if node is None or not any(peer_of(peer) == str(address.ip) for nic in node.nics for address in nic.addresses):
        return None
    tree = copy.deepcopy(peer.tree)
    names = [name for name, subnet in ours.config.subnets.items() if subnet.device and subnet.gateways]
    addresses = [
        str(plan.private_ip)
        for name in names
        if name in ours.config.vpc_peerings
        for plan in ours.config.vpc_peerings[name].netcfg.values()
    ]
    for name in tree.get("vpc_peerings", {}):
        tree["subnets"][name]["gateways"] = addresses
    return peer if tree == peer.tree else _seed_of(tree, str(MARVELOUS))


def peer_of(seeded: Seeded) -> str:
    """Give the fixed private address of a project's first gateway."""
    return str(next(iter(seeded.config.netcfg.zones.values())).peer)


def with_zones(tree: Tree, number: int) -> Tree:
    """Keep the first zones of a canonical tree, or add more of them by counting on from the last one."""
    tree = copy.deepcopy(tree)
    zones: Tree = tree.get("netcfg", {}).get("zones", {})
    if not zones or number < 1:
        raise LabError("a lab needs at least one zone in netcfg zones")
    for name in list(zones)[number:]:
        del zones[name]
    plans = [zones, *(peering["netcfg"] for peering in tree.get("vpc_peerings", {}).values() if "netcfg" in peering)]
    for plan in plans[1:]:
        for name in [name for name in plan if name not in zones]:
            del plan[name]
    while len(zones) < number:
        last = list(zones)[-1]
        name = f"{last[:-1]}{chr(ord(last[-1]) + 1)}"
        for plan in plans:
            if last in plan:
                plan[name] = {key: _next(key, value) for key, value in plan[last].items() if _next(key, value)}
    return tree


def _next(key: str, value: Any) -> Any:
    """Count on: the zone after gets the address and the VRID after; what cannot be counted is left out."""
    if key == "vrid":
        return value + 1
    return str(ip_address(value) + 1) if key in ("public_ip", "private_ip", "peer") else None


def as_user_data(tree: Tree) -> str:
    """Wrap a tree as user-data."""
    return "#cloud-config\n" + yaml.safe_dump({"kawaii": tree}, sort_keys=False, allow_unicode=True)


def write_seed(directory: Path, seeded: Seeded, instance: str, zone: str) -> None:
    """Write the seed of the gateway of `zone`: user-data, meta-data, network-config (cloud-init's NoCloud)."""
    directory.mkdir(parents=True, exist_ok=True)
    private = seeded.config.interfaces.private
    plan = seeded.config.netcfg.zones[zone]
    network: Tree = {"version": 2}
    if private is not None and private.subnet is not None and plan.peer is not None:
        address = f"{plan.peer}/{private.subnet.prefixlen}"
        network["ethernets"] = {str(private.device): {"addresses": [address]}}
    meta = {"instance-id": instance, "local-hostname": instance, "availability-zone": zone}
    (directory / "user-data").write_text(seeded.user_data, encoding="utf-8")
    (directory / "meta-data").write_text(yaml.safe_dump(meta), encoding="utf-8")
    (directory / "network-config").write_text(yaml.safe_dump(network), encoding="utf-8")
