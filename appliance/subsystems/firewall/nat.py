"""Address translation: public ports to private addresses, private sources to public addresses (semantics S2, S6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from appliance.schema.nat import NatRule, SourceNat
from appliance.schema.types import PORT_PROTOCOLS, IPAddress, Protocol, merge_ranges
from appliance.subsystems.firewall.match import V4, Family, Matcher, enabled, quoted
from appliance.subsystems.firewall.peering import render_peer_source
from appliance.subsystems.firewall.ruleset import Draft, Element, Hook, NamedSet
from appliance.subsystems.firewall.scope import Scope

Numbered = tuple[int, NatRule]


def render_zone_mark(draft: Draft, scope: Scope) -> None:
    """Mark each new flow with the zone it entered by: the VIP it was sent to, private or public (semantics S6)."""
    draft.chain("zone_mark", Hook("filter", "prerouting", "mangle", "accept"))
    zones: dict[str, int] = {}
    for peer in scope.peers:
        if peer.own_nic and scope.home is not None:
            zones.update(dict.fromkeys(peer.devices, scope.home))
    zones.update((pair.private_device, pair.vrid) for pair in scope.view.pairs)
    elements = tuple((f'"{device}"', str(vrid)) for device, vrid in zones.items())
    by_device = draft.named_set(NamedSet("zone_by_device", "ifname", "mark", elements=elements))
    draft.rule("zone_mark", f"ct state new ct mark set iifname map {by_device}")
    if scope.public is None:
        return
    for family in scope.families:
        pairs = tuple((str(ip), str(vrid)) for vrid, ip in scope.public_vips(family).items())
        name = f"zone_by_vip{family.version}"
        by_vip = draft.named_set(NamedSet(name, family.address, "mark", elements=pairs))
        arrived = f'iifname "{scope.public}" ct state new ct mark set'
        draft.rule("zone_mark", arrived, f"{family.keyword} daddr map {by_vip}")


def render_nat_prerouting(draft: Draft, scope: Scope, matcher: Matcher) -> None:
    """Forward what arrives for a public VIP, from the Internet or from an instance (hairpin)."""
    draft.chain("nat_prerouting", Hook("nat", "prerouting", "dstnat", "accept"))
    for family in scope.each_private_family():
        chain = f"nat_rules{family.version}"
        vips = f"{family.keyword} daddr @public_vips{family.version}"
        draft.rule("nat_prerouting", f"iifname {_outside_and_in(scope)} {vips} jump {chain}")
        draft.chain(chain)
        for number, rule in _rules(scope, family):
            _render_nat_rule(matcher, family, chain, number, rule)


def _render_nat_rule(matcher: Matcher, family: Family, chain: str, number: int, rule: NatRule) -> None:
    match = [f"{family.keyword} daddr {rule.public_ip}"] if rule.public_ip is not None else []
    if rule.source is not None:
        source = matcher.selector("saddr", rule.source, family)
        if source is None:
            return
        match.append(source)
    match.append(matcher.service(rule, family))
    target = str(rule.destination)
    if rule.to_port is not None and rule.protocol in PORT_PROTOCOLS:
        target = f"[{target}]:{rule.to_port}" if family is not V4 else f"{target}:{rule.to_port}"
    place = (f"nat_rules {number}", f"nat_{number}")
    matcher.decide(chain, " ".join(part for part in match if part), rule, place, f"dnat {family.keyword} to {target}")


def render_nat_forward(draft: Draft, scope: Scope, matcher: Matcher) -> None:
    """Open the path of flows that our rules translated, and of nothing else."""
    for family in scope.each_private_family():
        match = f"ct status dnat iifname {_outside_and_in(scope)} oifname @private_devices"
        for target in _target_sets(matcher, f"nat_targets{family.version}", family, _rules(scope, family)):
            draft.rule("forward", match, target, draft.counter("nat_forwarded"), "accept")


def render_nat_postrouting(draft: Draft, scope: Scope, matcher: Matcher) -> None:
    """Translate the sources of forwarded flows; what the gateway itself sends has come in by no device."""
    draft.chain("nat_postrouting", Hook("nat", "postrouting", "srcnat", "accept"))
    for family in scope.each_private_family():
        _render_inner_source(draft, scope, family, matcher)
    for peer in scope.peers:
        render_peer_source(draft, scope, peer)
    if scope.public is not None and scope.private:
        _render_outer_source(draft, scope)


def _render_inner_source(draft: Draft, scope: Scope, family: Family, matcher: Matcher) -> None:
    """Make the replies of translated flows come back by this gateway, where they would not by themselves."""
    keyword, version = family.keyword, family.version
    flows = f"ct status dnat iifname {_outside_and_in(scope)} oifname @private_devices"
    source = f"snat {keyword} to ct mark map @private_vip{version}"
    draft.rule("nat_postrouting", f"{flows} {keyword} saddr @private{version}", source)
    several = len(scope.view.pairs) > 1
    translated = [
        (number, rule)
        for number, rule in _rules(scope, family)
        if rule.source_nat is SourceNat.MASQUERADE or (rule.source_nat is SourceNat.AUTO and several)
    ]
    for target in _target_sets(matcher, f"nat_translated{version}", family, translated):
        draft.rule("nat_postrouting", flows, target, source)


def _render_outer_source(draft: Draft, scope: Scope) -> None:
    """Give what leaves for the Internet its zone's public address; what has none does not leave."""
    devices = [*scope.private, *(d for p in scope.peers if p.view.peering.transit for d in p.devices)]
    leaving = f'iifname {quoted(devices)} oifname "{scope.public}"'
    unmapped = f"{draft.counter('no_public_address')} drop"
    for family in scope.each_private_family():
        which = family.only if family is V4 else "ip6 saddr fc00::/7"
        source = f"snat {family.keyword} to ct mark map @public_vip{family.version}"
        draft.rule("nat_postrouting", leaving, which, source)
        draft.rule("nat_postrouting", leaving, which, unmapped)


def _rules(scope: Scope, family: Family) -> list[Numbered]:
    rules = enabled(scope.view.config.nat_rules)
    return [(number, rule) for number, rule in rules if rule.destination.version == family.version]


def _outside_and_in(scope: Scope) -> str:
    return quoted([*((scope.public,) if scope.public else ()), *scope.private])


def _target_sets(matcher: Matcher, name: str, family: Family, rules: Iterable[Numbered]) -> list[str]:
    """Add sets of where rules translate to; gives the matches, exact ports first, whole addresses last."""
    ports: defaultdict[tuple[IPAddress, Protocol], list[tuple[int, int]]] = defaultdict(list)
    icmp: dict[IPAddress, None] = {}
    whole: dict[IPAddress, None] = {}
    for _number, rule in rules:
        if rule.protocol is Protocol.ANY:
            whole[rule.destination] = None
        elif rule.protocol is Protocol.ICMP:
            icmp[rule.destination] = None
        else:
            given = matcher.port_list(rule)
            spans = given.ranges if given else ()
            ports[rule.destination, rule.protocol] += ((rule.to_port, rule.to_port),) if rule.to_port else spans
    keyword, draft = family.keyword, matcher.draft
    matches = []
    if ports:
        key = f"{family.address} . inet_proto . inet_service"
        item = NamedSet(f"{name}/ports", key, flags=("interval",), elements=_port_elements(ports))
        matches.append(f"{keyword} daddr . meta l4proto . th dport {draft.named_set(item)}")
    for part, targets, more in (("icmp", icmp, f" meta l4proto {family.icmp}"), ("all", whole, "")):
        if targets:
            item = NamedSet(f"{name}/{part}", family.address, elements=tuple((str(ip), None) for ip in targets))
            matches.append(f"{keyword} daddr {draft.named_set(item)}{more}")
    return matches


def _port_elements(ports: dict[tuple[IPAddress, Protocol], list[tuple[int, int]]]) -> tuple[Element, ...]:
    return tuple(
        (f"{ip} . {protocol} . {low if low == high else f'{low}-{high}'}", None)
        for (ip, protocol), ranges in ports.items()
        for low, high in merge_ranges(ranges)
    )
