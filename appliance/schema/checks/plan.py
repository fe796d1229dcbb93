"""Checks of the plan of addresses: NICs, subnets, zones and their virtual addresses, routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_interface
from itertools import chain

from appliance.schema.checks.finding import Findings, error, spell_networks, words
from appliance.schema.interfaces import Interface
from appliance.schema.problem import Path
from appliance.schema.root import Config
from appliance.schema.routes import Route
from appliance.schema.types import IPAddress, IPNetwork, spell_network
from appliance.schema.zones import ZonePlan

ROLES = ("public", "private")


def nic_subnets(config: Config, role: str) -> tuple[IPNetwork, ...]:
    """Give the subnets of a NIC, the IPv4 one by `mask` from its gateway or a virtual address where need be."""
    interface: Interface | None = getattr(config.interfaces, role)
    if interface is None:
        return ()
    subnets = [subnet for subnet in (interface.subnet, interface.subnet6) if subnet is not None]
    if interface.subnet is None and interface.mask is not None:
        vips = (getattr(plan, f"{role}_ip") for plan in config.netcfg.zones.values())
        anchor = next((ip for ip in chain([interface.gateway], vips) if ip is not None and ip.version == 4), None)
        if anchor is not None:
            subnets.insert(0, ip_interface(f"{anchor}/{interface.mask}").network)
    return tuple(subnets)


def edge_of(address: IPAddress, subnet: IPNetwork) -> str | None:
    """Say which address of its subnet no host may have: network or broadcast (IPv4, RFC 3021 apart)."""
    if subnet.version != 4 or subnet.prefixlen >= 31:
        return None
    if address == subnet.network_address:
        return "the network address"
    return "the broadcast address" if address == subnet.broadcast_address else None


def misplaced(address: IPAddress, subnets: tuple[IPNetwork, ...], path: Path, what: str) -> Findings:
    """Find fault with a host's address that lies in none of the subnets, or is one no host may have."""
    home = next((subnet for subnet in subnets if address in subnet), None)
    if home is None:
        yield error(path, f"{what} lies outside the subnet", address, spell_networks(subnets) or "a subnet")
    elif edge := edge_of(address, home):
        yield error(path, f"{what} is {edge} of {home}", address, "an address for a host")


def families(config: Config) -> Findings:
    """Attributes named …6 are IPv6, their plain counterparts IPv4."""
    for role in ROLES:
        interface: Interface | None = getattr(config.interfaces, role)
        if interface is not None:
            yield from _families(interface, ("subnet", "gateway", "address"), ("interfaces", role))
    for name, subnet in config.subnets.items():
        yield from _families(subnet, ("cidr",), ("subnets", name))
    for zone, plan in config.netcfg.zones.items():
        yield from _families(plan, ("public_ip", "private_ip"), ("netcfg", "zones", zone))
    for name, peering in config.vpc_peerings.items():
        for zone, address in peering.netcfg.items():
            yield from _families(address, ("private_ip",), ("vpc_peerings", name, "netcfg", zone))


def _families(section: object, attributes: tuple[str, ...], path: Path) -> Findings:
    for attribute in attributes:
        for name, version in ((attribute, 4), (f"{attribute}6", 6)):
            value = getattr(section, name)
            if value is not None and value.version != version:
                yield error((*path, name), f"not IPv{version}", value, f"an IPv{version} value")


def nic_subnet_agrees(config: Config) -> Findings:
    """A NIC's mask, where given beside its subnet, is the subnet's; its own address lies in the subnet."""
    for role in ROLES:
        interface: Interface | None = getattr(config.interfaces, role)
        if interface is None:
            continue
        path = ("interfaces", role)
        if interface.subnet is not None and interface.mask not in (None, interface.subnet.prefixlen):
            yield error((*path, "mask"), "disagrees with the subnet", interface.mask, interface.subnet.prefixlen)
        subnets = nic_subnets(config, role)
        for name in ("address", "address6"):
            address = getattr(interface, name)
            if address is not None and subnets:
                yield from misplaced(address, subnets, (*path, name), "the NIC's address")


def nics_found_once(config: Config) -> Findings:
    """Two NICs of the tree are never the same device or MAC address."""
    nics: list[tuple[Path, str | None, str | None]] = [
        (("interfaces", role), interface.device, interface.mac)
        for role in ROLES
        if (interface := getattr(config.interfaces, role)) is not None
    ]
    nics += [(("subnets", name), subnet.device, subnet.mac) for name, subnet in config.subnets.items()]
    seen: dict[str, Path] = {}
    for path, device, mac in nics:
        for attribute, value in (("device", device), ("mac", mac)):
            if value is None:
                continue
            first = seen.setdefault(value, path)
            if first != path:
                yield error((*path, attribute), f"the NIC of {' '.join(first)} too", value, "a NIC of its own")


def _addresses(plan: ZonePlan) -> Iterator[tuple[str, IPAddress, str]]:
    """List a zone's addresses as (attribute, address, NIC)."""
    for name in ("public_ip", "public_ip6", "private_ip", "private_ip6", "peer"):
        address = getattr(plan, name)
        if address is not None:
            yield name, address, "public" if name.startswith("public") else "private"


def vips_in_subnet(config: Config) -> Findings:
    """A zone's addresses lie in their NIC's subnet and are no network, broadcast or gateway address."""
    for zone, plan in config.netcfg.zones.items():
        for name, address, role in _addresses(plan):
            path = ("netcfg", "zones", zone, name)
            interface: Interface | None = getattr(config.interfaces, role)
            if interface is None:
                yield error(path, f"no NIC for it: interfaces {role} is missing", address)
                continue
            yield from misplaced(address, nic_subnets(config, role), path, "the address")
            if address in (interface.gateway, interface.gateway6):
                yield error(path, f"the gateway of interfaces {role}", address, "an address of its own")


def addresses_unique(config: Config) -> Findings:
    """No address stands twice in the plan."""
    seen: dict[IPAddress, Path] = {}
    for zone, plan in config.netcfg.zones.items():
        for name, address, _role in _addresses(plan):
            path = ("netcfg", "zones", zone, name)
            first = seen.setdefault(address, path)
            if first != path:
                yield error(path, f"the address of {' '.join(first)} too", address, "an address of its own")


def vrids_unique(config: Config) -> Findings:
    """Every zone has a virtual router id of its own (RFC 9568)."""
    seen: dict[int, str] = {}
    for zone, plan in config.netcfg.zones.items():
        first = seen.setdefault(plan.vrid, zone)
        if first != zone:
            yield error(("netcfg", "zones", zone, "vrid"), f"the VRID of zone {first} too", plan.vrid, "one of its own")


def zones_known(config: Config) -> Findings:
    """Wherever a zone is named it is one of netcfg zones; a zone does not stand in for itself."""
    zones = config.netcfg.zones
    named: list[tuple[Path, str | None]] = [(("remote_access", "zone"), config.remote_access.zone)]
    if zones:
        named.append((("system", "zone"), config.system.zone))
    named += [(("ipsec", name, "zone"), connection.zone) for name, connection in config.ipsec.items()]
    for name, peering in config.vpc_peerings.items():
        named += [(("vpc_peerings", name, "netcfg", zone), zone) for zone in peering.netcfg]
    for zone, plan in zones.items():
        path = ("netcfg", "zones", zone, "standby")
        named += [(path, other) for other in plan.standby]
        if zone in plan.standby:
            yield error(path, "a zone that stands in for itself", zone, words((z for z in zones if z != zone), "none"))
    for where, given in named:
        if given is not None and given not in zones:
            yield error(where, "no such zone", given, words(zones, "an entry of netcfg zones"))


def own_address_agrees(config: Config) -> Findings:
    """The private NIC's address, where given for a known zone, is that zone's peer address."""
    private, zone = config.interfaces.private, config.system.zone
    plan = config.netcfg.zones.get(zone) if zone else None
    if private is None or plan is None or plan.peer is None:
        return
    own = private.address6 if plan.peer.version == 6 else private.address
    if own is not None and own != plan.peer:
        yield error(("interfaces", "private", "address"), f"disagrees with netcfg zones {zone} peer", own, plan.peer)


def next_hops_reachable(config: Config, routes: Mapping[IPNetwork, Route]) -> Findings:
    """A route has next hops, of its destination's family, each in the subnet of a NIC of the tree."""
    nics = {role: nic_subnets(config, role) for role in ROLES if getattr(config.interfaces, role) is not None}
    devices = {i.device: role for role in ROLES if (i := getattr(config.interfaces, role)) is not None and i.device}
    for name, subnet in config.subnets.items():
        if subnet.device is not None or subnet.mac is not None:
            nics[name] = tuple(network for network in (subnet.cidr, subnet.cidr6) if network is not None)
            if subnet.device is not None:
                devices[subnet.device] = name
    for destination, route in routes.items():
        path = ("routes", spell_network(destination))
        if not route.next_hops:
            yield error((*path, "next_hops"), "a route without next hops", accepted="at least one next hop")
        for via, hop in route.next_hops.items():
            here = (*path, "next_hops", str(via))
            role = hop.dev if hop.dev in nics else devices.get(hop.dev)
            if via.version != destination.version:
                yield error(here, f"not IPv{destination.version}, as the destination is", via)
            elif role is None:
                yield error((*here, "dev"), "no such NIC", hop.dev, words(nics, "an entry of interfaces"))
            elif nics[role]:
                yield from misplaced(via, nics[role], here, "the next hop")
