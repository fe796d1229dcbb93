"""Sources that cannot be on the Internet are dropped before anything is tracked (semantics S5, RFC 2827)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from appliance.schema.types import IPNetwork
from appliance.subsystems.firewall.match import V4, collapse, network_set
from appliance.subsystems.firewall.ruleset import Draft, Hook
from appliance.subsystems.firewall.scope import Scope, remote_peers
from appliance.subsystems.routes import device_of

BOGONS: tuple[IPNetwork, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
        "::1/128",
        "::ffff:0:0/96",
        "fc00::/7",
        "ff00::/8",
    )
)
"""Networks that no packet from the Internet comes from; documentation ranges are ordinary."""


def render_spoof(draft: Draft, scope: Scope) -> None:
    """Drop spoofed sources on the public NIC; there are none where there is no such NIC."""
    draft.chain("spoof", Hook("filter", "prerouting", "raw", "accept"))
    if scope.public is None:
        return
    arrived = f'iifname "{scope.public}"'
    dropped = f"{draft.counter('spoofed')} drop"
    spoofed = spoofed_networks(scope)
    for family in scope.families:
        source = network_set(draft, "spoofed", family, spoofed)
        draft.rule("spoof", arrived, f"{family.keyword} saddr {source}", dropped)
    # Our addresses, as far as they are here: another zone's gateway rightly sends from its own public VIP.
    draft.rule("spoof", arrived, "fib saddr type local", dropped)


def spoofed_networks(scope: Scope) -> tuple[IPNetwork, ...]:
    """Give what never comes by the public NIC: our own subnets, and bogons less what is configured to be there."""
    view = scope.view
    own = [*(view.private.subnets if view.private else ()), *(n for p in view.peerings for n in p.networks)]
    there: list[IPNetwork] = list(view.public.subnets) if view.public else []
    for destination, route in view.config.routes.items():
        if destination.prefixlen and any(device_of(view, hop.dev) == scope.public for hop in route.next_hops.values()):
            there.append(destination)
    there += [ip_network(ip_address(peer)) for peer in remote_peers(scope)[0]]
    bogons: list[IPNetwork] = list(BOGONS)
    for network in there:
        bogons = [rest for bogon in bogons for rest in _subtract(bogon, network)]
    return tuple(n for family in scope.families or (V4,) for n in collapse([*own, *bogons], family))


def _subtract(whole: IPNetwork, part: IPNetwork) -> Iterable[IPNetwork]:
    if whole.version != part.version or not whole.overlaps(part):
        return (whole,)
    if part.prefixlen <= whole.prefixlen:
        return ()
    same_family: Any = part
    return tuple(whole.address_exclude(same_family))
