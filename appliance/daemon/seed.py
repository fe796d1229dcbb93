"""The node's first configuration: where the seed is found, what it says of the node, and how it is judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path

from appliance.engine.ports import Files, Link
from appliance.sources.metadata import MetaData, NetworkConfig, parse_metadata, parse_network_config
from appliance.subsystems.view import NodeFacts


@dataclass(frozen=True, slots=True)
class Seed:
    """What the datasource handed over: texts as they were, and where they came from."""

    origin: str
    user_data: bytes
    meta_data: MetaData
    network: NetworkConfig


@dataclass(frozen=True, slots=True)
class Known:
    """What a node remembers of its datasource between boots."""

    instance_id: str | None = None
    zone: str | None = None
    public_keys: tuple[str, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()
    """(device name or MAC, address with prefix length)"""
    mtus: tuple[tuple[str, int], ...] = ()
    """(MAC, the MTU it had when it was first seen)"""


def find_seed(directories: Sequence[str], alone: str) -> Seed | None:
    """Read the first seed that is there: NoCloud directories in order, else a lone configuration file."""
    for directory in directories:
        user_data = Path(directory, "user-data")
        if user_data.is_file():
            return Seed(
                str(user_data),
                user_data.read_bytes(),
                parse_metadata(_read(Path(directory, "meta-data"))),
                parse_network_config(_read(Path(directory, "network-config"))),
            )
    lone = Path(alone)
    if lone.is_file():
        return Seed(alone, lone.read_bytes(), parse_metadata(""), parse_network_config(""))
    return None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def remember(seed: Seed | None, links: dict[str, Link], files: Files, path: str) -> Known:
    """Merge what the datasource and the NICs say now with what was known before, and keep it."""
    text = files.read(path)
    before = _parse(text) if text else Known()
    first = {link.mac: link.mtu for name, link in links.items() if name != "lo"} | dict(before.mtus)
    now = replace(_merged(before, seed) if seed else before, mtus=tuple(first.items()))
    if now != before:
        fields = {name: getattr(now, name) for name in Known.__slots__}
        files.write(path, json.dumps(fields), 0o600)
    return now


def _merged(before: Known, seed: Seed) -> Known:
    meta = seed.meta_data
    addresses = tuple((name, str(address)) for name, address in seed.network.addresses.items())
    return Known(
        instance_id=meta.instance_id or before.instance_id,
        zone=meta.zone or before.zone,
        public_keys=tuple(meta.public_keys) or before.public_keys,
        addresses=addresses or before.addresses,
    )


def _parse(text: str) -> Known:
    stored = json.loads(text)
    return Known(
        stored["instance_id"],
        stored["zone"],
        tuple(stored["public_keys"]),
        tuple((name, address) for name, address in stored["addresses"]),
        tuple((mac, mtu) for mac, mtu in stored.get("mtus", ())),
    )


def nics_by_mac(links: dict[str, Link]) -> dict[str, str]:
    """Give the NICs' names by MAC address: every link but the loopback and what was made upon another."""
    return {link.mac: name for name, link in links.items() if name != "lo" and link.kind in {"", "veth"}}


def facts_of(known: Known, links: dict[str, Link]) -> NodeFacts:
    """Give the node's facts: its zone, its NICs by MAC, the datasource's addresses by device name."""
    by_mac = nics_by_mac(links)
    addresses: dict[str, IPv4Interface | IPv6Interface] = {}
    for name, text in known.addresses:
        device = name if name in links else by_mac.get(name.lower())
        if device is not None:
            addresses[device] = ip_interface(text)
    mtus = {by_mac[mac]: mtu for mac, mtu in known.mtus if mac in by_mac}
    return NodeFacts(known.zone, by_mac, addresses, mtus, known.public_keys)
