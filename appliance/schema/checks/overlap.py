"""Checks that every network of the tree has its place: private, public, peers', tunnels' and clients'."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.schema.checks.finding import Findings, error
from appliance.schema.checks.plan import ROLES, nic_subnets
from appliance.schema.ipsec import IpsecConnection
from appliance.schema.problem import Path, spell_path
from appliance.schema.root import Config
from appliance.schema.types import IPNetwork, spell_network


def remote_networks(connection: IpsecConnection) -> tuple[IPNetwork, ...]:
    """Give what is behind a tunnel, the single network first."""
    first = (connection.remote_subnet,) if connection.remote_subnet is not None else ()
    return first + connection.remote_subnets


def _networks(config: Config) -> Iterator[tuple[Path, IPNetwork]]:
    for role in ROLES:
        for network in nic_subnets(config, role):
            yield ("interfaces", role, "subnet" if network.version == 4 else "subnet6"), network
    for name, subnet in config.subnets.items():
        yield ("subnets", name, "cidr"), subnet.cidr
        if subnet.cidr6 is not None:
            yield ("subnets", name, "cidr6"), subnet.cidr6
    for name, connection in config.ipsec.items():
        if connection.disabled:
            continue
        single = connection.remote_subnet
        for network in dict.fromkeys(remote_networks(connection)):
            yield ("ipsec", name, "remote_subnet" if network == single else "remote_subnets"), network
    if config.remote_access.pool is not None:
        yield ("remote_access", "pool"), config.remote_access.pool


def networks_apart(config: Config) -> Findings:
    """Private, public, peering and remote networks do not overlap: one address is in one place."""
    ordered = sorted(
        _networks(config), key=lambda item: (item[1].version, int(item[1].network_address), item[1].prefixlen)
    )
    # Networks nest or are apart, so whatever an earlier one still covers overlaps it.
    covering: list[tuple[Path, IPNetwork]] = []
    for path, network in ordered:
        while covering and not _covers(covering[-1][1], network):
            covering.pop()
        if covering:
            first, other = covering[-1]
            yield error(
                path, f"overlaps {spell_path(first)}, {spell_network(other)}", spell_network(network), "a network apart"
            )
        covering.append((path, network))


def _covers(outer: IPNetwork, inner: IPNetwork) -> bool:
    return outer.version == inner.version and inner.network_address in outer
