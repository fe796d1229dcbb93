"""One node's view of a region's configuration: what every renderer starts from, derived once and purely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface

from appliance.schema.interfaces import Interface, PeerSubnet
from appliance.schema.peering import VpcPeering
from appliance.schema.problem import InvalidConfig, Problem
from appliance.schema.root import Config
from appliance.schema.types import IPAddress, IPNetwork
from appliance.schema.zones import ZonePlan

HOME_PRIORITY = 200
STANDBY_PRIORITY = 150


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node knows of itself from outside the configuration: its zone, its NICs, its datasource's addresses."""

    zone: str | None = None
    devices: Mapping[str, str] = field(default_factory=dict)
    """Device names by MAC address."""
    addresses: Mapping[str, IPv4Interface | IPv6Interface] = field(default_factory=dict)
    """The datasource's fixed address by device name."""
    mtus: Mapping[str, int] = field(default_factory=dict)
    """The MTU the platform gave each device, which it has again when none is configured."""
    public_keys: tuple[str, ...] = ()
    """The datasource's SSH keys, for the login `kawaii`."""
    keys_directory: str = "/var/lib/kawaii/ssh"
    """Where sshd looks for each login's keys."""
    vrrp_directory: str = "/run/kawaii/vrrp"
    """Where keepalived and its guard keep what they share."""


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC of the tree as this node has it; `addresses` are fixed, never the virtual ones."""

    role: str
    device: str
    subnets: tuple[IPNetwork, ...]
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    gateways: tuple[IPAddress, ...]
    mtu: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A zone's VIP pair as this node takes part in it.

    `private_device` is the private NIC for the home zone and a macvlan of our own, ``vip<vrid>``, for the others, so
    that the kernel can tell which zone's gateway an instance has sent to (semantics S6).
    """

    zone: str
    vrid: int
    home: bool
    priority: int
    private_device: str
    public: tuple[IPv4Interface | IPv6Interface, ...]
    private: tuple[IPv4Interface | IPv6Interface, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another zone's gateway on the private NIC."""

    zone: str
    address: IPAddress
    mac: str | None


@dataclass(frozen=True, slots=True)
class PeeringView:
    """A VPC peering with its subnet resolved; `device` is the NIC it is reached on."""

    name: str
    peering: VpcPeering
    subnet: PeerSubnet
    networks: tuple[IPNetwork, ...]
    device: str
    own_nic: bool
    addresses: Mapping[str, tuple[IPAddress, ...]]
    """Our zones' addresses in the peer's subnet, by zone."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """A configuration seen from one node."""

    config: Config
    zone: str | None
    public: Nic | None
    private: Nic | None
    pairs: tuple[Pair, ...]
    neighbours: tuple[Neighbour, ...]
    peerings: tuple[PeeringView, ...]
    facts: NodeFacts

    @property
    def private_devices(self) -> tuple[str, ...]:
        """The private NIC and our macvlans on it: everything instances' packets come in by."""
        own = (self.private.device,) if self.private else ()
        return own + tuple(pair.private_device for pair in self.pairs if not pair.home)

    @property
    def pair_by_zone(self) -> dict[str, Pair]:
        """The VIP pairs by zone."""
        return {pair.zone: pair for pair in self.pairs}

    @property
    def hostname(self) -> str:
        """The node's host name: as configured, else ``kawaii-PROJECT-ZONE-1``."""
        system = self.config.system
        parts = [part for part in ("kawaii", system.project, self.zone) if part]
        return system.hostname or "-".join([*parts, "1"])


def standby_order(zones: Mapping[str, ZonePlan], home: str) -> tuple[str, ...]:
    """Give the zones that stand in for `home`, nearest first: as stated, then the list's order after `home`."""
    names = list(zones)
    at = names.index(home)
    rest = names[at + 1 :] + names[:at]
    stated = [zone for zone in zones[home].standby if zone in zones and zone != home]
    return tuple(stated + [zone for zone in rest if zone not in stated])


def build_view(config: Config, facts: NodeFacts) -> NodeView:
    """Derive a node's view; raises `InvalidConfig` where the node cannot find its zone, its NICs or its address."""
    problems: list[Problem] = []
    zone = config.system.zone or facts.zone
    zones = config.netcfg.zones
    if zones and zone not in zones:
        problems.append(
            Problem(
                ("system", "zone"),
                "the node's zone is not in netcfg zones" if zone else "the node does not know its zone",
                found=zone,
                accepted=", ".join(zones),
            )
        )
    public = _nic(config, facts, "public", None, problems)
    plan = zones.get(zone) if zone else None
    private = _nic(config, facts, "private", plan, problems)
    if problems:
        raise InvalidConfig(problems)
    pairs = tuple(_pair(config, name, zone, public, private) for name in zones) if zone and private else ()
    neighbours = tuple(
        Neighbour(name, other.peer, other.mac) for name, other in zones.items() if name != zone and other.peer
    )
    peerings = tuple(_peering(config, facts, name, private) for name in config.vpc_peerings)
    return NodeView(config, zone, public, private, pairs, neighbours, peerings, facts)


def device_of(device: str | None, mac: str | None, facts: NodeFacts) -> str | None:
    """Give a NIC's device name: as stated, else found by its MAC address."""
    return device or (facts.devices.get(mac) if mac else None)


def _nic(config: Config, facts: NodeFacts, role: str, plan: ZonePlan | None, problems: list[Problem]) -> Nic | None:
    interface: Interface | None = getattr(config.interfaces, role)
    if interface is None:
        return None
    path = ("interfaces", role)
    device = device_of(interface.device, interface.mac, facts)
    if device is None:
        problems.append(
            Problem(
                (*path, "device"), "no NIC found", found=interface.mac, accepted="a device, or the MAC of a NIC here"
            )
        )
        return None
    subnets = _subnets(config, role, interface)
    found: list[IPv4Interface | IPv6Interface] = []
    for explicit in (interface.address, interface.address6):
        if explicit is not None:
            found.append(_in_subnet(explicit, subnets))
    if plan is not None and plan.peer is not None:
        found.append(_in_subnet(plan.peer, subnets))
    given = facts.addresses.get(device)
    if given is not None and role == "private":
        found.append(given)
    by_family: dict[int, IPv4Interface | IPv6Interface] = {}
    for item in found:
        first = by_family.setdefault(item.version, item)
        if first.ip != item.ip:
            problems.append(
                Problem((*path, "address"), "two addresses that disagree", found=str(item.ip), accepted=str(first.ip))
            )
    gateways = tuple(g for g in (interface.gateway, interface.gateway6) if g is not None)
    return Nic(role, device, subnets, tuple(by_family.values()), gateways, interface.mtu)


def _subnets(config: Config, role: str, interface: Interface) -> tuple[IPNetwork, ...]:
    subnets: list[IPNetwork] = [s for s in (interface.subnet, interface.subnet6) if s is not None]
    if interface.subnet is None and interface.mask is not None:
        plans = config.netcfg.zones.values()
        vips = [plan.public_ip if role == "public" else plan.private_ip for plan in plans]
        anchor = interface.gateway or next((vip for vip in vips if vip is not None), None)
        if anchor is not None:
            subnets.insert(0, ip_interface(f"{anchor}/{interface.mask}").network)
    return tuple(subnets)


def _in_subnet(address: IPAddress, subnets: tuple[IPNetwork, ...]) -> IPv4Interface | IPv6Interface:
    for subnet in subnets:
        if address in subnet:
            return ip_interface(f"{address}/{subnet.prefixlen}")
    return ip_interface(str(address))


def _pair(config: Config, name: str, own: str, public: Nic | None, private: Nic) -> Pair:
    plan = config.netcfg.zones[name]
    home = name == own
    order = standby_order(config.netcfg.zones, name)
    priority = HOME_PRIORITY if home else STANDBY_PRIORITY - order.index(own)
    outside = tuple(
        _in_subnet(ip, public.subnets) for ip in (plan.public_ip, plan.public_ip6) if ip is not None and public
    )
    inside = [ip for ip in (plan.private_ip, plan.private_ip6) if ip is not None]
    return Pair(
        zone=name,
        vrid=plan.vrid,
        home=home,
        priority=priority,
        private_device=private.device if home else f"vip{plan.vrid}",
        public=outside,
        private=tuple(_in_subnet(ip, private.subnets) if home else ip_interface(str(ip)) for ip in inside),
    )


def _peering(config: Config, facts: NodeFacts, name: str, private: Nic | None) -> PeeringView:
    subnet = find_subnet(config, name)
    device = device_of(subnet.device, subnet.mac, facts)
    networks = tuple(n for n in (subnet.cidr, subnet.cidr6) if n is not None)
    addresses = {
        zone: tuple(ip for ip in (plan.private_ip, plan.private_ip6) if ip is not None)
        for zone, plan in config.vpc_peerings[name].netcfg.items()
    }
    return PeeringView(
        name=name,
        peering=config.vpc_peerings[name],
        subnet=subnet,
        networks=networks,
        device=device or (private.device if private else ""),
        own_nic=device is not None,
        addresses=addresses,
    )


def find_subnet(config: Config, name: str) -> PeerSubnet:
    """Find the subnet a peering names, by name or by id; raises `InvalidConfig`."""
    if name in config.subnets:
        return config.subnets[name]
    for subnet in config.subnets.values():
        if subnet.id == name:
            return subnet
    raise InvalidConfig(
        [
            Problem(
                ("vpc_peerings", name),
                "no such subnet",
                found=name,
                accepted=", ".join(config.subnets) or "an entry of subnets",
            )
        ]
    )


def private_networks(view: NodeView) -> tuple[IPNetwork, ...]:
    """Give every network that egress control leaves alone: private, peering, tunnel, management (semantics S3)."""
    config = view.config
    networks: list[IPv4Network | IPv6Network] = list(view.private.subnets) if view.private else []
    for peering in view.peerings:
        networks.extend(peering.networks)
    for connection in config.ipsec.values():
        networks.extend(remote_networks(connection.remote_subnet, connection.remote_subnets))
    networks.extend(config.system.management_networks)
    return tuple(dict.fromkeys(networks))


def remote_networks(first: IPNetwork | None, more: tuple[IPNetwork, ...]) -> tuple[IPNetwork, ...]:
    """Give a tunnel's remote subnets, the single one first."""
    return ((first,) if first is not None else ()) + more
