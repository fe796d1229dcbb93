"""Links, addresses, routes and rules by rtnetlink(7), through pyroute2, in the namespace the daemon runs in."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_interface, ip_network
from socket import AF_INET, AF_INET6
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import MAIN_TABLE, ROUTE_PROTOCOL, AddressOn, Hop, Link, Network, PolicyRule, RouteTo

FAMILIES = {4: AF_INET, 6: AF_INET6}
ONLINK = 4
"""RTNH_F_ONLINK, rtnetlink(7)."""
UP = 1
LINK_SCOPE = 253


class Rtnetlink:
    """The `Netlink` port.  One socket, one caller at a time."""

    def __init__(self) -> None:
        self._ip = IPRoute()
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the socket."""
        self._ip.close()

    # -- reading -------------------------------------------------------------------------------------------------

    def links(self) -> dict[str, Link]:
        """Give all interfaces by name."""
        with self._lock:
            messages = list(self._ip.get_links())
        names = {message["index"]: message.get_attr("IFLA_IFNAME") for message in messages}
        return {names[m["index"]]: _link(m, names) for m in messages}

    def addresses(self) -> frozenset[AddressOn]:
        """Give all addresses but link-local ones and loopback's."""
        with self._lock:
            names = {m["index"]: m.get_attr("IFLA_IFNAME") for m in self._ip.get_links()}
            messages = list(self._ip.get_addr())
        found = set()
        for message in messages:
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            device = names.get(message["index"])
            if device is None or device == "lo" or message["scope"] == LINK_SCOPE:
                continue
            found.add(AddressOn(device, ip_interface(f"{address}/{message['prefixlen']}")))
        return frozenset(found)

    def routes(self, protocol: int = ROUTE_PROTOCOL) -> frozenset[RouteTo]:
        """Give the routes marked with a protocol number, of all tables and both families."""
        with self._lock:
            names = {m["index"]: m.get_attr("IFLA_IFNAME") for m in self._ip.get_links()}
            messages = [m for family in FAMILIES.values() for m in self._ip.get_routes(family=family)]
        return frozenset(_route(m, names) for m in messages if m["proto"] == protocol)

    def rules(self, protocol: int = ROUTE_PROTOCOL) -> frozenset[PolicyRule]:
        """Give the policy rules marked with a protocol number."""
        with self._lock:
            messages = [m for family in FAMILIES.values() for m in self._ip.get_rules(family=family)]
        return frozenset(_rule(m) for m in messages if m.get_attr("FRA_PROTOCOL") == protocol)

    # -- links ---------------------------------------------------------------------------------------------------

    def set_link(self, device: str, *, up: bool | None = None, mtu: int | None = None) -> None:
        """Set a link's state or MTU; raises `ApplyFailed` where there is no such device."""
        index = self._index(device)
        with self._doing(f"set link {device}"):
            if mtu is not None:
                self._ip.link("set", index=index, mtu=mtu)
            if up is not None:
                self._ip.link("set", index=index, state="up" if up else "down")

    def add_macvlan(self, name: str, parent: str, mac: str) -> None:
        """Make a macvlan in bridge mode with its own MAC; one of the same name and MAC is kept."""
        found = self.links().get(name)
        if found is not None and (found.kind, found.parent, found.mac) == ("macvlan", parent, mac):
            return
        if found is not None:
            self.delete_link(name)
        index = self._index(parent)
        with self._doing(f"make {name} on {parent}"):
            self._ip.link("add", ifname=name, kind="macvlan", link=index, macvlan_mode="bridge", address=mac)

    def add_xfrm(self, name: str, if_id: int) -> None:
        """Make the interface of an IPsec tunnel (ip-link(8), type xfrm); one of the same name and kind is kept."""
        found = self.links().get(name)
        if found is not None and found.kind == "xfrm":
            return
        with self._doing(f"make {name}"):
            self._ip.link("add", ifname=name, kind="xfrm", xfrm_if_id=if_id)

    def delete_link(self, name: str) -> None:
        """Remove a virtual link; a missing one is fine."""
        found = self._ip_index(name)
        if found is not None:
            with self._doing(f"remove link {name}", errno.ENODEV):
                self._ip.link("del", index=found)

    # -- addresses -----------------------------------------------------------------------------------------------

    def add_address(self, item: AddressOn) -> None:
        """Add an address; one that is there is fine."""
        index = self._index(item.device)
        with self._doing(f"add {item.address} to {item.device}", errno.EEXIST):
            extra: dict[str, Any] = {"IFA_FLAGS": 2} if item.address.version == 6 else {}  # IFA_F_NODAD
            self._ip.addr("add", index=index, address=str(item.address.ip), prefixlen=_prefix(item), **extra)

    def delete_address(self, item: AddressOn) -> None:
        """Remove an address; a missing one, or a missing device, is fine."""
        index = self._ip_index(item.device)
        if index is not None:
            with self._doing(f"remove {item.address} from {item.device}", errno.EADDRNOTAVAIL):
                self._ip.addr("del", index=index, address=str(item.address.ip), prefixlen=_prefix(item))

    # -- routes --------------------------------------------------------------------------------------------------

    def replace_route(self, route: RouteTo, protocol: int = ROUTE_PROTOCOL) -> None:
        """Add a route, or replace the one of the same table, destination and metric."""
        with self._doing(f"route {route.destination} {_ways(route)}"):
            self._ip.route("replace", proto=protocol, **self._route_words(route))

    def delete_route(self, route: RouteTo, protocol: int = ROUTE_PROTOCOL) -> None:
        """Remove a route of ours; a missing one is fine."""
        with self._doing(f"remove route {route.destination}", errno.ESRCH, errno.ENODEV):
            self._ip.route(
                "del",
                family=FAMILIES[route.destination.version],
                dst=str(route.destination),
                table=route.table,
                priority=route.metric,
                proto=protocol,
            )

    def _route_words(self, route: RouteTo) -> dict[str, Any]:
        words: dict[str, Any] = {
            "family": FAMILIES[route.destination.version],
            "dst": str(route.destination),
            "table": route.table,
            "priority": route.metric,
        }
        if route.source is not None:
            words["prefsrc"] = str(route.source)
        if len(route.hops) == 1:
            words.update(self._hop_words(route.hops[0]))
        else:
            words["multipath"] = [{**self._hop_words(hop), "hops": hop.weight - 1} for hop in route.hops]
        return words

    def _hop_words(self, hop: Hop) -> dict[str, Any]:
        words: dict[str, Any] = {"oif": self._index(hop.device)}
        if hop.gateway is not None:
            words["gateway"] = str(hop.gateway)
        if hop.onlink:
            words["flags"] = ONLINK
        return words

    # -- rules ---------------------------------------------------------------------------------------------------

    def add_rule(self, rule: PolicyRule) -> None:
        """Add a policy rule; one that is there is fine."""
        if rule not in self.rules():
            with self._doing(f"add rule {rule.priority}", errno.EEXIST):
                self._ip.rule("add", **_rule_words(rule))

    def delete_rule(self, rule: PolicyRule) -> None:
        """Remove a policy rule of ours; a missing one is fine."""
        with self._doing(f"remove rule {rule.priority}", errno.ENOENT):
            self._ip.rule("del", **_rule_words(rule))

    # -- the socket ----------------------------------------------------------------------------------------------

    def _ip_index(self, device: str) -> int | None:
        with self._lock:
            found = self._ip.link_lookup(ifname=device)
        return int(found[0]) if found else None

    def _index(self, device: str) -> int:
        index = self._ip_index(device)
        if index is None:
            raise ApplyFailed(f"there is no interface {device}", "see `show interfaces`")
        return index

    @contextmanager
    def _doing(self, what: str, *fine: int) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except NetlinkError as error:
                if error.code not in fine:
                    raise ApplyFailed(f"{what}: {error.args[1] if len(error.args) > 1 else error}") from error


def _ways(route: RouteTo) -> str:
    """Name a route's next hops, for an error."""
    return ", ".join(
        f"via {hop.gateway} dev {hop.device}" if hop.gateway else f"dev {hop.device}" for hop in route.hops
    )


def _prefix(item: AddressOn) -> int:
    return int(item.address.network.prefixlen)


def _link(message: Any, names: dict[int, str]) -> Link:
    info = message.get_attr("IFLA_LINKINFO")
    parent = message.get_attr("IFLA_LINK")
    return Link(
        name=names[message["index"]],
        index=message["index"],
        mac=message.get_attr("IFLA_ADDRESS") or "",
        up=bool(message["flags"] & UP),
        carrier=bool(message.get_attr("IFLA_CARRIER")),
        mtu=message.get_attr("IFLA_MTU") or 0,
        kind=(info.get_attr("IFLA_INFO_KIND") if info else "") or "",
        parent=names.get(parent) if parent else None,
    )


def _route(message: Any, names: dict[int, str]) -> RouteTo:
    anywhere = {AF_INET: "0.0.0.0", AF_INET6: "::"}[message["family"]]  # noqa: S104  a route, not a socket
    destination: Network = ip_network(f"{message.get_attr('RTA_DST') or anywhere}/{message['dst_len']}")
    several = message.get_attr("RTA_MULTIPATH")
    if several:
        hops = tuple(_hop(hop, hop["oif"], hop["flags"], hop["hops"] + 1, names) for hop in several)
    else:
        hops = (_hop(message, message.get_attr("RTA_OIF"), message["flags"], 1, names),)
    source = message.get_attr("RTA_PREFSRC")
    return RouteTo(
        destination=destination,
        hops=hops,
        metric=message.get_attr("RTA_PRIORITY") or 0,
        table=message.get_attr("RTA_TABLE") or MAIN_TABLE,
        source=ip_address(source) if source else None,
    )


def _hop(message: Any, device: int | None, flags: int, weight: int, names: dict[int, str]) -> Hop:
    gateway = message.get_attr("RTA_GATEWAY")
    name = names.get(device, "") if device else ""
    return Hop(ip_address(gateway) if gateway else None, name, weight, bool(flags & ONLINK))


def _rule(message: Any) -> PolicyRule:
    mark: int | None = message.get_attr("FRA_FWMARK")
    return PolicyRule(
        priority=message.get_attr("FRA_PRIORITY") or 0,
        table=message.get_attr("FRA_TABLE") or message["table"],
        family=4 if message["family"] == AF_INET else 6,
        incoming=message.get_attr("FRA_IIFNAME"),
        mark=mark,
    )


def _rule_words(rule: PolicyRule) -> dict[str, Any]:
    words: dict[str, Any] = {
        "family": FAMILIES[rule.family],
        "priority": rule.priority,
        "table": rule.table,
        "protocol": ROUTE_PROTOCOL,
    }
    if rule.incoming is not None:
        words["iifname"] = rule.incoming
    if rule.mark is not None:
        words["fwmark"] = rule.mark
    return words
