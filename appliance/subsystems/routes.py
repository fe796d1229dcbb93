"""The routes that are not bound to a VIP, and the gateway's own way out (semantics S3, S7).

Routes through the public NIC exist only while a VIP is held: they are in keepalived's configuration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_network

from appliance.engine.ports import MAIN_TABLE, SELF_TABLE, Hop, Host, PolicyRule, RouteTo
from appliance.engine.step import Impact, Phase
from appliance.subsystems.items import ItemSubsystem
from appliance.subsystems.view import NodeView

SELF_PRIORITY = 33000
"""After the main table's rule (32766): the gateway's own traffic uses the private gateway when main has no answer."""

RouteItem = RouteTo | PolicyRule
METRIC_BASE = {4: 0, 6: 1024}
"""IPv6 has no metric 0: the kernel takes 1024 for it (linux/ipv6_route.h, IP6_RT_PRIO_USER)."""

ANYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


def device_of(view: NodeView, name: str) -> str:
    """Give the device a next hop names: public, private, a subnet's, or the device itself."""
    nics = {nic.role: nic.device for nic in (view.public, view.private) if nic}
    subnets = {peering.name: peering.device for peering in view.peerings}
    subnet = view.config.subnets.get(name)
    return nics.get(name) or subnets.get(name) or (subnet.device if subnet and subnet.device else name)


def configured_routes(view: NodeView) -> Iterator[RouteTo]:
    """Give the routes of `routes`, one per destination and metric; none given for a family: the public gateway's."""
    for destination, route in view.config.routes.items():
        by_metric: dict[int, list[Hop]] = defaultdict(list)
        for gateway, hop in route.next_hops.items():
            device = device_of(view, hop.dev)
            public = view.public is not None and device == view.public.device
            by_metric[hop.metric].append(Hop(gateway, device, hop.weight, onlink=public))
        for metric, hops in sorted(by_metric.items()):
            yield RouteTo(destination, tuple(hops), METRIC_BASE[destination.version] + metric)
    if view.public is None:
        return
    for gateway in view.public.gateways:
        destination = ANYWHERE[gateway.version]
        if destination not in view.config.routes:
            way = Hop(gateway, view.public.device, onlink=True)
            yield RouteTo(destination, (way,), METRIC_BASE[gateway.version])


def by_public_nic(view: NodeView, route: RouteTo) -> bool:
    """Tell whether any hop of a route leaves by the public NIC."""
    return view.public is not None and any(hop.device == view.public.device for hop in route.hops)


class Routes(ItemSubsystem[RouteItem]):
    """Adds, replaces and removes routes and rules that carry our protocol number; touches no other."""

    name = "routes"
    put_phase = Phase.ROUTES
    remove_phase = Phase.REMOVE_ROUTES
    impact = Impact.FLOWS

    def render(self, view: NodeView) -> frozenset[RouteItem]:
        """Give the private routes and the gateway's own default."""
        items: set[RouteItem] = {route for route in configured_routes(view) if not by_public_nic(view, route)}
        if view.private is not None:
            for gateway in view.private.gateways:
                if any(gateway == address.ip for address in view.private.addresses):
                    continue
                hop = Hop(gateway, view.private.device)
                metric = METRIC_BASE[gateway.version]
                items.add(RouteTo(ANYWHERE[gateway.version], (hop,), metric, SELF_TABLE))
                items.add(PolicyRule(SELF_PRIORITY, SELF_TABLE, gateway.version, "lo"))
        return frozenset(items)

    def key(self, item: RouteItem) -> str:
        """One route per table, destination and metric; one rule per family and priority."""
        if isinstance(item, PolicyRule):
            return f"rule {item.family} {item.priority} {item.table}"
        return f"route {item.table} {item.destination} {item.metric}"

    def spell(self, item: RouteItem) -> str:
        """Print as ip-route(8) or ip-rule(8) words."""
        if isinstance(item, PolicyRule):
            return _spell_rule(item)
        return spell_route(item)

    def put(self, host: Host, item: RouteItem) -> None:
        """Add or replace."""
        if isinstance(item, PolicyRule):
            host.netlink.add_rule(item)
        else:
            host.netlink.replace_route(item)

    def remove(self, host: Host, item: RouteItem) -> None:
        """Remove."""
        if isinstance(item, PolicyRule):
            host.netlink.delete_rule(item)
        else:
            host.netlink.delete_route(item)

    def observe(self, host: Host, wanted: frozenset[RouteItem]) -> frozenset[RouteItem]:
        """Read all routes and rules that carry our protocol number."""
        return frozenset[RouteItem](host.netlink.routes()) | frozenset[RouteItem](host.netlink.rules())


def spell_route(route: RouteTo) -> str:
    """Print a route as ip-route(8) takes it."""
    words = [str(route.destination)]
    if len(route.hops) == 1:
        words += _spell_hop(route.hops[0])
    if route.source is not None:
        words += ["src", str(route.source)]
    if route.metric:
        words += ["metric", str(route.metric)]
    if route.table != MAIN_TABLE:
        words += ["table", str(route.table)]
    words += ["proto", "250"]
    if len(route.hops) > 1:
        for hop in route.hops:
            words += ["nexthop", *_spell_hop(hop), "weight", str(hop.weight)]
    return " ".join(words)


def _spell_hop(hop: Hop) -> list[str]:
    words = ["via", str(hop.gateway)] if hop.gateway is not None else []
    return [*words, "dev", hop.device, *(["onlink"] if hop.onlink else [])]


def _spell_rule(rule: PolicyRule) -> str:
    words = [f"rule -{rule.family}", "pref", str(rule.priority)]
    if rule.incoming is not None:
        words += ["iif", rule.incoming]
    if rule.mark is not None:
        words += ["fwmark", str(rule.mark)]
    return " ".join([*words, "lookup", str(rule.table)])
