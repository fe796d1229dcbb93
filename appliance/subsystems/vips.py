"""The zones' VIP pairs: keepalived's configuration, with everything that moves with a pair (keepalived.conf(5))."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from appliance.engine.ports import Hop, Host, RouteTo
from appliance.engine.step import Difference, Impact, Phase, Step
from appliance.schema.types import IPAddress
from appliance.schema.zones import HaMode, TrackedNic
from appliance.subsystems.routes import METRIC_BASE, by_public_nic, configured_routes, spell_route
from appliance.subsystems.templating import TEMPLATES
from appliance.subsystems.view import NodeView, Pair, PeeringView

FIRST_METRIC = 15
"""The home pair's routes; each foreign pair's come after, so that a node that holds several prefers its own."""

FACTS_WIDTH = 116
RELOADED_WITHIN = 2.0
"""Seconds that keepalived gets to read a new configuration."""


@dataclass(frozen=True, slots=True)
class Vips:
    """What keepalived gets; `text` None: no pair, no keepalived."""

    text: str | None
    vrids: frozenset[int] = frozenset()
    zones: frozenset[str] = frozenset()


class VipSubsystem:
    """Renders keepalived's file, has it checked, and has it read anew only when its text changed."""

    name = "vips"

    def render(self, view: NodeView) -> Vips:
        """Give the configuration of the pairs this node takes part in."""
        if not view.pairs or view.private is None:
            return Vips(None)
        instances = [_instance(view, pair) for pair in view.pairs]
        ha = view.config.ha
        # keepalived tracks the instances' own interface, the private one, by itself
        tracked = [view.public.device] if view.public and TrackedNic.PUBLIC in ha.track.interfaces else []
        text = TEMPLATES.get_template("keepalived.conf.j2").render(
            facts=_as_comments(_facts(view, instances)),
            router=view.hostname,
            runtime=view.facts.vrrp_directory,
            device=view.private.device,
            advert_int=_number(ha.advert_int),
            source=_source(view),
            peers=_peers(view),
            tracked=tracked,
            upstream=_probe(view) is not None,
            instances=instances,
        )
        vrids = frozenset(pair.vrid for pair in view.pairs)
        return Vips(text, vrids, frozenset(pair.zone for pair in view.pairs))

    def text(self, artefact: Vips) -> str:
        """Print keepalived's file."""
        return artefact.text or ""

    def check(self, host: Host, artefact: Vips) -> None:
        """Have keepalived judge the file."""
        if artefact.text is not None:
            host.vrrp.check(artefact.text)

    def plan(self, old: Vips | None, new: Vips) -> tuple[Step, ...]:
        """Replace the file if its text changed."""
        before = old.text if old is not None else None
        if old is not None and before == new.text:
            return ()
        return (
            Step(
                subsystem=self.name,
                action="remove keepalived's configuration" if new.text is None else "give keepalived its configuration",
                phase=Phase.VIPS,
                apply=partial(_configure, text=new.text),
                revert=partial(_configure, text=before),
                before=before,
                after=new.text,
                impact=Impact.SERVICE if new.text is None else Impact.NONE,
            ),
        )

    def observe(self, host: Host, wanted: Vips) -> Vips:
        """Read the file that is there; one that keepalived does not run is as good as none."""
        text = host.vrrp.configured()
        if text is not None and not host.vrrp.service().running:
            return Vips(None)
        return Vips(text, wanted.vrids, wanted.zones) if text == wanted.text else Vips(text)

    def verify(self, host: Host, wanted: Vips) -> tuple[Difference, ...]:
        """Compare the file, and ask keepalived which instances it runs."""
        found: list[Difference] = []
        text = host.vrrp.configured()
        if text != wanted.text:
            found.append(Difference(self.name, "keepalived.conf", _brief(wanted.text), _brief(text)))
        if wanted.text is None:
            return tuple(found)
        if not host.vrrp.service().running:
            return (*found, Difference(self.name, "keepalived", "running", "not running"))
        running = _running(host, wanted.vrids)
        if running != wanted.vrids:
            found.append(Difference(self.name, "VRRP instances", _list(wanted.vrids), _list(running)))
        return tuple(found)


def _configure(host: Host, *, text: str | None) -> None:
    host.vrrp.configure(text)


def _running(host: Host, wanted: frozenset[int]) -> frozenset[int]:
    """Ask keepalived for its instances' VRIDs, again for a while: it reads a new configuration in its own time."""
    deadline = time.monotonic() + RELOADED_WITHIN
    while True:
        running = frozenset(int(entry["data"]["vrid"]) for entry in host.vrrp.instances())
        if running == wanted or time.monotonic() > deadline:
            return running
        time.sleep(0.02)


def _brief(text: str | None) -> str | None:
    return None if text is None else f"a file of {len(text.splitlines())} lines"


def _list(vrids: frozenset[int]) -> str:
    return ", ".join(str(vrid) for vrid in sorted(vrids)) or "none"


def _number(value: float) -> str:
    return f"{value:g}"


def _instance(view: NodeView, pair: Pair) -> dict[str, Any]:
    assert view.private is not None  # noqa: S101  the caller looked
    lines = [f"{item} dev {pair.private_device}" for item in pair.private]
    if view.public is not None:
        lines += [f"{item} dev {view.public.device}" for item in pair.public]
    for peering in view.peerings:
        lines += [
            f"{address}/{address.max_prefixlen} dev {peering.device}"
            for address in peering.addresses.get(pair.zone, ())
            if not any(address == item.ip for item in pair.private)
        ]
    return {
        "zone": pair.zone,
        "vrid": pair.vrid,
        "priority": pair.priority,
        "preempt_delay": _number(view.config.ha.preempt_delay) if pair.home and view.config.ha.preempt_delay else "",
        "addresses": [line for line in lines if ":" not in line],
        "more_addresses": [line for line in lines if ":" in line],
        "routes": [_keepalived_route(route) for route in pair_routes(view, pair)],
    }


def _metric(view: NodeView, pair: Pair) -> int:
    foreign = [other.zone for other in view.pairs if not other.home]
    return FIRST_METRIC + (0 if pair.home else 1 + foreign.index(pair.zone))


def pair_routes(view: NodeView, pair: Pair) -> Iterator[RouteTo]:
    """Give the routes that are there only while a pair is held: by the public NIC, and to the peers' subnets.

    Where a destination has several ranks, the next one's metric is 100 more.
    """
    metric = _metric(view, pair)
    for route in configured_routes(view):
        if by_public_nic(view, route):
            version = route.destination.version
            source = _own(tuple(item.ip for item in pair.public), version)
            rank = route.metric - METRIC_BASE[version]
            yield RouteTo(route.destination, route.hops, metric + 100 * rank, source=source)
    for peering in view.peerings:
        yield from _peering_routes(view, peering, pair, metric)


def _peering_routes(view: NodeView, peering: PeeringView, pair: Pair, metric: int) -> Iterator[RouteTo]:
    """Lead to a peer's subnet by its gateways in order, or on-link where the subnet is a service's."""
    own = peering.addresses.get(pair.zone, ())
    for network in peering.networks:
        source = _own(own, network.version) or _own(tuple(item.ip for item in pair.private), network.version)
        gateways = [gateway for gateway in peering.subnet.gateways if gateway.version == network.version]
        for rank, gateway in enumerate(gateways):
            hop = Hop(gateway, peering.device, onlink=True)
            yield RouteTo(network, (hop,), metric + 100 * rank, source=source)
        if not gateways and peering.own_nic:
            yield RouteTo(network, (Hop(None, peering.device),), metric, source=source)


def _own(addresses: tuple[IPAddress, ...], version: int) -> IPAddress | None:
    return next((address for address in addresses if address.version == version), None)


def _keepalived_route(route: RouteTo) -> str:
    """Write a route as keepalived.conf(5) takes it: the words of ip-route(8), not tracked, not marked as ours."""
    return spell_route(route).replace(" proto 250", " no_track")


def _probe(view: NodeView) -> dict[str, Any] | None:
    """Give what the guard probes: the public gateway, which a node without a public address asks for by ARP."""
    if view.public is None:
        return None
    gateway = next((item for item in view.public.gateways if item.version == 4), None)
    if gateway is None:
        return None
    track = view.config.ha.track.gateway
    return {
        "device": view.public.device,
        "gateway": str(gateway),
        "interval": track.interval,
        "fall": track.fall,
        "rise": track.rise,
    }


def _facts(view: NodeView, instances: list[dict[str, Any]]) -> dict[str, Any]:
    """Give what the guard needs: the addresses to take off, the peers to tell, what to probe."""
    return {
        "advert_int": view.config.ha.advert_int,
        "source": _source(view),
        "peers": _peers(view),
        "instances": [
            {
                "vrid": item["vrid"],
                "addresses": [line.split(" dev ") for line in item["addresses"]],
                "more": [line.split(" dev ") for line in item["more_addresses"]],
            }
            for item in instances
        ],
        "probe": _probe(view),
    }


def _as_comments(facts: dict[str, Any]) -> str:
    """Write the guard's facts as comments, in lines short enough for keepalived, which cuts them at 1023 characters."""
    lines = textwrap.wrap(json.dumps(facts), FACTS_WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"#: {line}" for line in lines)


def _source(view: NodeView) -> str | None:
    addresses = view.private.addresses if view.private else ()
    return next((str(item.ip) for item in addresses if item.version == 4), None)


def _peers(view: NodeView) -> list[str]:
    """Give whom advertisements go to; empty: to everybody, by multicast."""
    if view.config.ha.mode is HaMode.MULTICAST:
        return []
    return [str(neighbour.address) for neighbour in view.neighbours if neighbour.address.version == 4]
