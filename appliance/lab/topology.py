"""What a lab consists of: segments, nodes, their NICs and addresses, derived purely from one configuration."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from appliance.schema.interfaces import Application, PeerSubnet
from appliance.schema.root import Config
from appliance.schema.zones import ZonePlan

TRANSIT = IPv4Network("198.51.100.0/24")
INTERNET = IPv4Interface("198.51.100.10/24")
OFFICE_UPLINK = IPv4Network("5.6.7.0/24")
OFFICE_GATEWAY = IPv4Interface("5.6.7.8/24")
OFFICE = IPv4Network("172.16.1.0/24")
FABRIC = "fabric"
NODE_NAME = re.compile(r"fabric|(gw|inst)-[a-z]|kiwi-[12]|public-host|internet|ceph|peer-(gw|inst)|office-(gw|host)")


class LabError(Exception):
    """A lab cannot be made, or is not what it should be; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class NicPlan:
    """A NIC: its name inside the node, the segment it is plugged into, its fixed addresses."""

    device: str
    segment: str
    addresses: tuple[IPv4Interface, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """A route that a node of somebody else's has."""

    destination: IPv4Network
    via: IPv4Address
    metric: int = 0


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A node; a gateway's addresses and links are its daemon's business, everybody else's are set with the lab."""

    name: str
    nics: tuple[NicPlan, ...]
    routes: tuple[RoutePlan, ...] = ()
    gateway: bool = False
    zone: str | None = None
    forwards: bool = False

    def port(self, index: int) -> str:
        """Name the far end of a NIC, a port of the segment's bridge (IFNAMSIZ: 15 characters)."""
        return f"{self.name}.{index}"

    def nic_on(self, segment: str) -> int:
        """Find the NIC in a segment; raises `LabError`."""
        for index, nic in enumerate(self.nics):
            if nic.segment == segment:
                return index
        raise LabError(f"{self.name} has no NIC in {segment}")


@dataclass(frozen=True, slots=True)
class ZoneOf:
    """A zone of the lab's region: who is at home there, and its virtual addresses."""

    zone: str
    node: str
    public_ip: IPv4Address
    private_ip: IPv4Address


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole lab."""

    segments: tuple[str, ...]
    nodes: dict[str, NodePlan]
    zones: tuple[ZoneOf, ...]
    public: IPv4Network
    private: IPv4Network
    kiwi_public: IPv4Address
    kiwi_private: IPv4Address
    """What the Kiwis hold together, for whoever knows but one next hop there."""

    def only(self, names: Collection[str]) -> Topology:
        """Give the part of the lab with these nodes; raises `LabError` for one that does not exist."""
        for name in names:
            if name not in self.nodes:
                raise LabError(f"no such node: {name} (there are {', '.join(self.nodes)})")
        nodes = {name: node for name, node in self.nodes.items() if name in names}
        return replace(self, nodes=nodes, zones=tuple(zone for zone in self.zones if zone.node in nodes))


def bridge(segment: str) -> str:
    """Name a segment's bridge in the fabric's namespace."""
    return f"br-{segment}"


def build_topology(config: Config) -> Topology:
    """Derive the lab of a region's configuration; raises `LabError` where it lacks what a lab needs."""
    public, private = _subnet(config, "public"), _subnet(config, "private")
    shared = config.interfaces.private.gateway if config.interfaces.private else None
    kiwi_private = shared if isinstance(shared, IPv4Address) else private[1]
    segments = ["public", "private"]
    extra: list[tuple[str, str, PeerSubnet]] = []
    """(segment, NIC of the gateways in it, subnet)"""
    for name, subnet in config.subnets.items():
        if subnet.device is not None:
            extra.append((_segment_name(config, name), subnet.device, subnet))
    segments += [name for name, _, _ in extra]
    zones = tuple(_zone(name, plan, index) for index, (name, plan) in enumerate(config.netcfg.zones.items()))
    vips = tuple(zone.private_ip for zone in zones)
    nodes: list[NodePlan] = []
    for index, zone in enumerate(zones):
        nodes.append(_gateway(config, zone, extra))
        nodes.append(_instance(index, zone, private, vips))
    kiwis = _next_hops(config, public)
    for index, address in enumerate(kiwis):
        nodes.append(_kiwi(index, address, public, private))
    kiwi_public = next(public[-n] for n in (4, 3, 2) if public[-n] not in kiwis)
    nodes += _outside(public, kiwi_public)
    for segment, _, subnet in extra:
        nodes += _far_side(segment, subnet, config)
    return Topology(
        (*segments, "transit", "office"), {n.name: n for n in nodes}, zones, public, private, kiwi_public, kiwi_private
    )


def _subnet(config: Config, role: str) -> IPv4Network:
    interface = getattr(config.interfaces, role)
    if interface is None or interface.device is None or not isinstance(interface.subnet, IPv4Network):
        raise LabError(f"a lab needs interfaces {role} with a device and a subnet")
    return interface.subnet


def _segment_name(config: Config, subnet: str) -> str:
    return subnet.removeprefix(f"{config.system.region}-")[:12]


def _zone(name: str, plan: ZonePlan, index: int) -> ZoneOf:
    if not isinstance(plan.public_ip, IPv4Address) or not isinstance(plan.private_ip, IPv4Address):
        raise LabError(f"a lab needs netcfg zones {name} with a public_ip and a private_ip")
    return ZoneOf(name, f"gw-{chr(ord('a') + index)}", plan.public_ip, plan.private_ip)


def _next_hops(config: Config, public: IPv4Network) -> tuple[IPv4Address, ...]:
    """Find the Kiwis' public addresses: the public NIC's gateway first, then the other next hops there."""
    found: list[IPv4Address] = []
    gateway = config.interfaces.public.gateway if config.interfaces.public else None
    hops = [via for route in config.routes.values() for via in route.next_hops]
    for address in (gateway, *hops, public[-2], public[-3]):
        if isinstance(address, IPv4Address) and address in public and address not in found:
            found.append(address)
    return tuple(found[:2])


def _gateway(config: Config, zone: ZoneOf, extra: list[tuple[str, str, PeerSubnet]]) -> NodePlan:
    nics = [(getattr(config.interfaces, role).device, role) for role in ("public", "private")]
    nics += [(device, segment) for segment, device, _ in extra]
    return NodePlan(zone.node, tuple(NicPlan(device, segment) for device, segment in nics), (), True, zone.zone)


def _instance(index: int, zone: ZoneOf, private: IPv4Network, vips: tuple[IPv4Address, ...]) -> NodePlan:
    ordered = (vips[index], *vips[index + 1 :], *vips[:index])
    routes = tuple(RoutePlan(IPv4Network("0.0.0.0/0"), vip, 100 * (n + 1)) for n, vip in enumerate(ordered))
    nic = NicPlan("ens3", "private", (_at(private, 20 + index),))
    return NodePlan(f"inst-{zone.node[-1]}", (nic,), routes, zone=zone.zone)


def _kiwi(index: int, address: IPv4Address, public: IPv4Network, private: IPv4Network) -> NodePlan:
    nics = (
        NicPlan("public", "public", (_with_prefix(address, public),)),
        NicPlan("private", "private", (_at(private, 2 + index),)),
        NicPlan("transit", "transit", (_at(TRANSIT, 2 + index), _at(OFFICE_UPLINK, 2 + index))),
    )
    return NodePlan(f"kiwi-{index + 1}", nics, forwards=True)


def _outside(public: IPv4Network, kiwi_public: IPv4Address) -> list[NodePlan]:
    everything = IPv4Network("0.0.0.0/0")
    office_nics = (
        NicPlan("wan", "transit", (OFFICE_GATEWAY,)),
        NicPlan("lan", "office", (_at(OFFICE, 1),)),
    )
    return [
        NodePlan(
            "public-host", (NicPlan("ens3", "public", (_at(public, 40),)),), (RoutePlan(everything, kiwi_public),)
        ),
        NodePlan("internet", (NicPlan("ens3", "transit", (INTERNET,)),), (RoutePlan(everything, TRANSIT[1]),)),
        NodePlan("office-gw", office_nics, (RoutePlan(everything, OFFICE_UPLINK[1]),), forwards=True),
        NodePlan("office-host", (NicPlan("ens3", "office", (_at(OFFICE, 10),)),), (RoutePlan(everything, OFFICE[1]),)),
    ]


def _far_side(segment: str, subnet: PeerSubnet, config: Config) -> list[NodePlan]:
    """Give the nodes of a peered subnet: the Ceph service itself, or the other project's gateway and an instance."""
    network = subnet.cidr
    if not isinstance(network, IPv4Network):
        raise LabError(f"a lab needs an IPv4 cidr for the subnet of {segment}")
    if subnet.application is Application.CEPH:
        return [NodePlan("ceph", (NicPlan("ens3", segment, (_at(network, 10),)),))]
    if not subnet.gateways or not isinstance(subnet.gateways[0], IPv4Address):
        return []
    public = config.interfaces.public.device if config.interfaces.public else None
    private = config.interfaces.private.device if config.interfaces.private else None
    nics = (NicPlan(public or "ens3", "public"), NicPlan(private or "ens4", segment, (_at(network, 11),)))
    way = RoutePlan(IPv4Network("0.0.0.0/0"), subnet.gateways[0])
    return [
        NodePlan("peer-gw", nics, gateway=True),
        NodePlan("peer-inst", (NicPlan("ens3", segment, (_at(network, 20),)),), (way,)),
    ]


def _at(network: IPv4Network, host: int) -> IPv4Interface:
    return _with_prefix(network[host], network)


def _with_prefix(address: IPv4Address, network: IPv4Network) -> IPv4Interface:
    return IPv4Interface(f"{address}/{network.prefixlen}")
