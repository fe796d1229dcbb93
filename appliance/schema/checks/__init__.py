"""Every check across the tree: what no single value can tell about itself."""

from __future__ import annotations

from functools import partial

from appliance.schema.checks import overlap, peering, plan, rules, tunnels
from appliance.schema.checks.check import Changes, Check, EntryCheck, Verdicts
from appliance.schema.root import Config

_PLAN = ("interfaces", "netcfg")

CHECKS: tuple[Check | EntryCheck, ...] = (
    Check("families", plan.families, ("interfaces", "subnets", "netcfg", "vpc_peerings")),
    Check("subnet of a NIC", plan.nic_subnet_agrees, ("interfaces",), ("netcfg",)),
    Check("NICs", plan.nics_found_once, ("interfaces", "subnets")),
    Check("VIPs", plan.vips_in_subnet, ("netcfg",), ("interfaces",)),
    Check("addresses", plan.addresses_unique, ("netcfg",)),
    Check("VRIDs", plan.vrids_unique, ("netcfg",)),
    Check("zones", plan.zones_known, ("system", "vpc_peerings", "ipsec", "remote_access"), ("netcfg",)),
    Check("own address", plan.own_address_agrees, ("system",), _PLAN),
    EntryCheck("next hops", plan.next_hops_reachable, "routes", (*_PLAN, "subnets")),
    Check("networks", overlap.networks_apart, ("subnets", "ipsec", "remote_access"), _PLAN),
    *(
        EntryCheck(f"groups in {section}", partial(rules.groups_known, section), section, ("groups",))
        for section in ("ingress_rules", "egress_rules", "nat_rules", "vpc_peerings", "ipsec")
    ),
    EntryCheck("NAT destinations", rules.nat_destinations, "nat_rules", _PLAN),
    EntryCheck("NAT public addresses", rules.nat_public_ips, "nat_rules", ("netcfg", "groups")),
    EntryCheck("NAT sources kept", rules.nat_source_kept, "nat_rules", ("netcfg",)),
    EntryCheck("NAT conflicts", rules.nat_rules_apart, "nat_rules", ("groups",)),
    EntryCheck("shadowed ingress", rules.ingress_shadowed, "ingress_rules", ("nat_rules", "groups")),
    Check("peered subnets", peering.peered_subnets_known, ("vpc_peerings",), ("subnets",)),
    Check("peering addresses", peering.peering_addresses, ("vpc_peerings",), ("subnets", "netcfg")),
    Check("peer gateways", peering.peer_gateways, ("subnets",), _PLAN),
    Check("consent", peering.peers_can_agree, ("vpc_peerings",), ("subnets",)),
    Check("peering rules", peering.peering_rules_matter, ("vpc_peerings",)),
    Check("tunnels", tunnels.tunnel_complete, ("ipsec",)),
    Check("remote peers", tunnels.remote_peers, ("ipsec",), _PLAN),
    Check("tunnel ends", tunnels.tunnel_ends, ("ipsec",), ("netcfg",)),
    Check("cryptography", tunnels.weak_cryptography, ("ipsec",)),
    Check("rekeying", tunnels.rekey_in_time, ("ipsec",)),
    Check("durations", tunnels.durations_positive, ("ipsec",)),
    Check("remote access", tunnels.remote_access_complete, ("remote_access",), ("netcfg",)),
    Check("service ports", tunnels.service_ports_apart, ("services",)),
)


def run_checks(
    config: Config, previous: Config | None, known: Verdicts, damaged: frozenset[str] = frozenset()
) -> Verdicts:
    """Judge what changed since `previous`, and take over what is `known` of the rest.

    Checks that must know a `damaged` section in full are left out.
    """
    changes = Changes(config, previous)
    return {
        check.name: check.verdict(changes, known.get(check.name))
        for check in CHECKS
        if not damaged.intersection(check.reads)
    }
