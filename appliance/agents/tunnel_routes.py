"""Where packets for a tunnel's far side go from a gateway: into the tunnel, or to the gateway that has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from appliance.engine.errors import EngineError
from appliance.engine.ports import AGENT_PROTOCOL, Hop, Netlink, RouteTo
from appliance.schema.types import IPAddress, IPNetwork
from appliance.subsystems.ipsec.connection import Connection
from appliance.subsystems.view import NodeView

METRIC = 50
"""Of these routes; an agent that sets others with the same protocol number has other metrics."""


def tunnel_routes(view: NodeView, connection: Connection, *, mine: bool, xfrm: bool) -> Iterator[RouteTo]:
    """Give the routes to a connection's far side.

    Where the tunnel is here it is its interface's; user-space ESP has none of its own, and sets its routes itself.
    Elsewhere it is the owner's private VIP, wherever that is just now.
    """
    if view.private is None:
        return
    plan = view.config.netcfg.zones.get(connection.zone)
    owners = (plan.private_ip, plan.private_ip6) if plan is not None else ()
    for network in connection.remote_networks:
        if mine and xfrm:
            own = _of(network, (item.ip for item in view.private.addresses))
            inside = own is not None and any(own in local for local in connection.local_networks)
            yield RouteTo(network, (Hop(None, connection.device),), METRIC, source=own if inside else None)
        owner = _of(network, owners)
        if not mine and owner is not None:
            yield RouteTo(network, (Hop(owner, view.private.device),), METRIC)


def replace_routes(netlink: Netlink, wanted: Iterable[RouteTo], unknown: Iterable[IPNetwork]) -> list[str]:
    """Make the kernel have exactly these routes, but for `unknown` destinations; gives what could not be."""
    kept = frozenset(unknown)
    present = {r for r in netlink.routes(AGENT_PROTOCOL) if r.metric == METRIC and r.destination not in kept}
    by_destination = {route.destination: route for route in wanted}
    for route in present:
        if route.destination not in by_destination:
            netlink.delete_route(route, AGENT_PROTOCOL)
    failures = []
    for route in by_destination.values():
        if route not in present:
            try:
                netlink.replace_route(route, AGENT_PROTOCOL)
            except EngineError as error:
                failures.append(str(error))
    return failures


def _of(network: IPNetwork, addresses: Iterable[IPAddress | None]) -> IPAddress | None:
    return next((ip for ip in addresses if ip is not None and ip.version == network.version), None)
