"""Checks of peerings and of the subnets they name."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.schema.checks.finding import Findings, error, warning, words
from appliance.schema.checks.plan import misplaced, nic_subnets
from appliance.schema.interfaces import Application, Consent, PeerSubnet, Via
from appliance.schema.problem import Path, Problem
from appliance.schema.root import Config
from appliance.schema.types import Policy


def find_subnet(config: Config, name: str) -> tuple[str, PeerSubnet] | None:
    """Find the subnet a peering names, by name or by id, with its name."""
    if name in config.subnets:
        return name, config.subnets[name]
    return next(((key, subnet) for key, subnet in config.subnets.items() if subnet.id == name), None)


def _peered(config: Config) -> Iterator[tuple[str, str, PeerSubnet]]:
    """List the peerings whose subnet is known as (peering, name of the subnet, subnet)."""
    for name in config.vpc_peerings:
        found = find_subnet(config, name)
        if found is not None:
            yield name, *found


def peered_subnets_known(config: Config) -> Findings:
    """A peering names a subnet by name or id, and no two name the same."""
    seen: dict[str, str] = {}
    for name in config.vpc_peerings:
        found = find_subnet(config, name)
        if found is None:
            known = words(config.subnets, "an entry of subnets")
            yield error(("vpc_peerings", name), "no such subnet", name, known)
            continue
        first = seen.setdefault(found[0], name)
        if first != name:
            yield error(("vpc_peerings", name), f"the subnet of vpc_peerings {first} too", name, "a peering of its own")


def peering_addresses(config: Config) -> Findings:
    """A zone's address in a peer's subnet lies in it, is its own, and is there for every zone that has none yet."""
    for name, subnet_name, subnet in _peered(config):
        peering = config.vpc_peerings[name]
        networks = tuple(network for network in (subnet.cidr, subnet.cidr6) if network is not None)
        seen: dict[object, str] = {}
        for zone, plan in peering.netcfg.items():
            for attribute in ("private_ip", "private_ip6"):
                address = getattr(plan, attribute)
                if address is None:
                    continue
                path = ("vpc_peerings", name, "netcfg", zone, attribute)
                yield from misplaced(address, networks, path, "the address")
                if address in subnet.gateways:
                    yield error(path, f"a gateway of subnets {subnet_name}", address, "an address of its own")
                first = seen.setdefault(address, zone)
                if first != zone:
                    yield error(path, f"the address of zone {first} too", address, "an address of its own")
        if subnet.device is None and subnet.mac is None:
            continue
        for zone in config.netcfg.zones:
            if zone not in peering.netcfg:
                message = "no address in the peer's subnet: the peering works in the other zones only"
                yield warning(("vpc_peerings", name, "netcfg"), f"zone {zone} has {message}")


def peer_gateways(config: Config) -> Findings:
    """A subnet's gateways lie in it, or in the private subnet where it is reached there; some are needed to peer."""
    for name, subnet in config.subnets.items():
        path = ("subnets", name, "gateways")
        own_nic = subnet.device is not None or subnet.mac is not None
        cidrs = tuple(network for network in (subnet.cidr, subnet.cidr6) if network is not None)
        reach = cidrs if own_nic else nic_subnets(config, "private")
        if own_nic and subnet.via is Via.KIWI:
            yield error(("subnets", name, "via"), "beside a NIC of our own", subnet.via, "either device or via")
        for gateway in subnet.gateways:
            if reach and subnet.via is None:
                yield from misplaced(gateway, reach, path, "the gateway")


def peers_can_agree(config: Config) -> Findings:
    """The other end has someone to agree: its gateways, or the provider of a service subnet."""
    for name, subnet_name, subnet in _peered(config):
        provided = subnet.application is not Application.NONE or subnet.consent is Consent.PROVIDER
        if not subnet.gateways and subnet.via is None and not provided:
            yield warning(
                ("vpc_peerings", name),
                f"nobody can agree at the other end: subnets {subnet_name} has no gateways",
                accepted="gateways, via: kiwi or consent: provider",
            )


def peering_rules_matter(config: Config) -> Findings:
    """Rules beside policy accept change nothing."""
    for name, peering in config.vpc_peerings.items():
        if peering.policy is Policy.ACCEPT and (peering.ingress_rules or peering.egress_rules):
            yield _without_effect(("vpc_peerings", name))


def _without_effect(path: Path) -> Problem:
    return warning((*path, "policy"), "the rules change nothing, for all is accepted", "accept", "drop, or no rules")
