"""What a datasource says of the node itself: meta-data and network-config (cloud-init's NoCloud and its kin)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
class NetworkConfig:
    """The fixed address that the platform gave to each NIC, by the NIC's device name or its MAC address."""

    addresses: Mapping[str, IPInterface]


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


def parse_network_config(text: str, source: str = "network-config") -> NetworkConfig:
    """Read a network-config of version 1 or 2 (netplan's form); of a NIC's addresses the first, and no dynamic one.

    Raises `InvalidFile` where an address is none, or the version is another.
    """
    root = _mapping(text, source)
    root = _children(root.get("network")) or root
    version = to_plain(root["version"]) if "version" in root else None
    if not root or (version is None and _text(root, "config") == "disabled"):
        return NetworkConfig({})
    if version == 1:
        return NetworkConfig(dict(_fixed_v1(_items(root.get("config")), source)))
    if version == 2:
        return NetworkConfig(dict(_fixed_v2(_children(root.get("ethernets")), source)))
    raise InvalidFile((FileProblem(source, 1, Problem(("version",), "not a version", spell_found(version), "1 or 2")),))


def _fixed_v1(entries: list[Node], source: str) -> Iterator[tuple[str, IPInterface]]:
    for entry in entries:
        nic = _children(entry)
        key = _text(nic, "name") or (_text(nic, "mac_address") or "").lower()
        if _text(nic, "type") != "physical" or not key:
            continue
        for subnet in map(_children, _items(nic.get("subnets"))):
            address = subnet.get("address")
            if address is not None and (_text(subnet, "type") or "").startswith("static"):
                yield key, _interface(address, _text(subnet, "netmask"), ("config", key), source)
                break


def _fixed_v2(entries: dict[str, Node], source: str) -> Iterator[tuple[str, IPInterface]]:
    for name, entry in entries.items():
        nic = _children(entry)
        items = _items(nic.get("addresses"))
        if items:
            # An address with options is a mapping of one key.
            options = items[0].value
            first = Node(next(iter(options)), items[0].line) if isinstance(options, dict) and options else items[0]
            yield _matched_name(name, nic), _interface(first, None, ("ethernets", name, "addresses"), source)


def _matched_name(name: str, nic: dict[str, Node]) -> str:
    """Give the device that an entry is about, or its MAC address: the entry's name is one only without `match`."""
    match = _children(nic.get("match"))
    mac, matched = _text(match, "macaddress"), _text(match, "name")
    if _text(nic, "set-name"):
        return _text(nic, "set-name") or name
    if mac:
        return mac.lower()
    return matched if matched and not set(matched) & set("*?[") else name


def _interface(node: Node, netmask: str | None, path: Path, source: str) -> IPInterface:
    text = str(node.value)
    try:
        return ip_interface(f"{text}/{netmask}" if netmask and "/" not in text else text)
    except ValueError:
        problem = Problem(path, "not an address with its prefix length", spell_found(to_plain(node)), "192.0.2.1/24")
        raise InvalidFile((FileProblem(source, node.line, problem),)) from None
