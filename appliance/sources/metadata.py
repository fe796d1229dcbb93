"""What a datasource says of the node itself: meta-data and network-config (cloud-init's NoCloud and its kin)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from appliance.config.document import to_plain
from appliance.config.load import FileProblem, InvalidFile, parse_text
from appliance.config.strict_yaml import Node
from appliance.schema.problem import Path, Problem
from appliance.schema.refusal import spell_found

IPInterface = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class MetaData:
    """An instance's own facts; what the datasource does not tell is None or empty."""

    instance_id: str | None = None
    zone: str | None = None
    region: str | None = None
    public_keys: tuple[str, ...] = ()
    hostname: str | None = None


@dataclass(frozen=True, slots=True)
class FixedNic:
    """A NIC with the fixed addresses that the platform gave it, found by device name or by MAC address."""

    name: str | None
    mac: str | None
    addresses: tuple[IPInterface, ...]


def parse_metadata(text: str, source: str = "meta-data") -> MetaData:
    """Read meta-data, YAML or JSON, with the keys' usual spellings; unknown keys do not matter.

    Raises `InvalidFile` where it is no mapping.
    """
    root = _mapping(text, source)
    placement = _children(root.get("placement"))
    return MetaData(
        instance_id=_text(root, "instance-id", "instance_id", "uuid"),
        zone=_text(root, "availability-zone", "availability_zone", "zone")
        or _text(placement, "availability-zone", "availability_zone"),
        region=_text(root, "region") or _text(placement, "region"),
        public_keys=tuple(_keys(root.get("public-keys") or root.get("public_keys"))),
        hostname=_text(root, "local-hostname", "local_hostname", "hostname"),
    )


def _mapping(text: str, source: str) -> dict[str, Node]:
    root = parse_text(text, source).root
    if root.value is None:
        return {}
    if not isinstance(root.value, dict):
        raise InvalidFile((FileProblem(source, root.line, Problem((), "not a mapping")),))
    return root.value


def _children(node: Node | None) -> dict[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _text(mapping: dict[str, Node], *names: str) -> str | None:
    for name in names:
        node = mapping.get(name)
        if node is not None and node.value is not None and not isinstance(node.value, dict | list):
            return node.written if node.written is not None else str(node.value)
    return None


def _keys(node: Node | None) -> Iterator[str]:
    """Give SSH keys out of a list, a mapping by name, or one text with a key a line."""
    if node is None:
        return
    if isinstance(node.value, dict):
        for child in node.value.values():
            yield from _keys(child)
    elif isinstance(node.value, list):
        for child in node.value:
            yield from _keys(child)
    elif isinstance(node.value, str):
        yield from (line.strip() for line in node.value.split("\n") if line.strip())


# -- network-config ----------------------------------------------------------------------------------------------


def parse_network_config(text: str, source: str = "network-config") -> tuple[FixedNic, ...]:
    """Read a network-config of version 1 or 2 (netplan's form); dynamic addresses are left out.

    Raises `InvalidFile` where an address is none, or the version is another.
    """
    root = _mapping(text, source)
    root = _children(root.get("network")) or root
    version = to_plain(root["version"]) if "version" in root else None
    if not root or (version is None and _text(root, "config") == "disabled"):
        return ()
    if version == 1:
        return tuple(_nics_v1(_items(root.get("config")), source))
    if version == 2:
        return tuple(_nics_v2(_children(root.get("ethernets")), source))
    raise InvalidFile((FileProblem(source, 1, Problem(("version",), "not a version", spell_found(version), "1 or 2")),))


def _nics_v1(entries: list[Node], source: str) -> Iterator[FixedNic]:
    for entry in entries:
        nic = _children(entry)
        if _text(nic, "type") != "physical":
            continue
        path = ("config", _text(nic, "name") or "")
        addresses = []
        for subnet in map(_children, _items(nic.get("subnets"))):
            address, netmask = subnet.get("address"), _text(subnet, "netmask")
            if address is not None and (_text(subnet, "type") or "").startswith("static"):
                addresses.append(_interface(address, netmask, path, source))
        yield FixedNic(_text(nic, "name"), _mac(_text(nic, "mac_address")), tuple(addresses))


def _nics_v2(entries: dict[str, Node], source: str) -> Iterator[FixedNic]:
    for key, entry in entries.items():
        nic = _children(entry)
        match = _children(nic.get("match"))
        matched = _text(match, "name")
        name = _text(nic, "set-name") or (matched if matched and "*" not in matched else None)
        addresses = []
        for item in _items(nic.get("addresses")):
            # An address with options is a mapping of one key.
            address = Node(next(iter(item.value)), item.line) if isinstance(item.value, dict) and item.value else item
            addresses.append(_interface(address, None, ("ethernets", key, "addresses"), source))
        yield FixedNic(name if match else name or key, _mac(_text(match, "macaddress")), tuple(addresses))


def _interface(node: Node, netmask: str | None, path: Path, source: str) -> IPInterface:
    text = str(node.value)
    try:
        return ip_interface(f"{text}/{netmask}" if netmask and "/" not in text else text)
    except ValueError:
        problem = Problem(path, "not an address with its prefix length", spell_found(to_plain(node)), "192.0.2.1/24")
        raise InvalidFile((FileProblem(source, node.line, problem),)) from None


def _mac(text: str | None) -> str | None:
    return text.lower() if text else None
