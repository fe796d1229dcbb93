"""Checks of rules: groups, NAT rules that contend for the same packets, ingress rules that NAT takes."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from appliance.schema.checks.finding import Findings, error, warning, words
from appliance.schema.checks.plan import edge_of, nic_subnets
from appliance.schema.firewall import ANYWHERE, Groups, IngressRule, Rule
from appliance.schema.nat import NatRule, SourceNat
from appliance.schema.problem import Path, Problem
from appliance.schema.root import Config
from appliance.schema.types import GroupName, IPAddress, IPNetwork, PortList

FEW = 20
"""Up to so many rules are compared with all others one by one; more, all at once."""
EVERYWHERE: Mapping[int, tuple[int, int]] = {4: (0, 2**32 - 1), 6: (0, 2**128 - 1)}


def ports_of(rule: Rule, groups: Groups) -> PortList | None:
    """Give a rule's ports, its group looked up; None where there are none to tell."""
    if isinstance(rule.ports, GroupName):
        return groups.ports.get(rule.ports)
    return rule.ports


def networks_of(selector: IPNetwork | GroupName | None, groups: Groups) -> tuple[IPNetwork, ...] | None:
    """Give the networks a selector stands for; None is anywhere."""
    if selector is None or selector == ANYWHERE:
        return None
    if isinstance(selector, GroupName):
        return groups.addresses.get(selector, ())
    return (selector,)


def groups_known(section: str, config: Config, entries: Mapping[Any, Any]) -> Findings:
    """Wherever a rule names a group there is one."""
    for key, entry in entries.items():
        path = (section, str(key))
        if isinstance(entry, Rule):
            yield from _unknown_groups(entry, path, config.groups)
            continue
        for name in ("ingress_rules", "egress_rules"):
            for number, rule in getattr(entry, name, {}).items():
                yield from _unknown_groups(rule, (*path, name, str(number)), config.groups)


def _unknown_groups(rule: Rule, path: Path, groups: Groups) -> Iterator[Problem]:
    if isinstance(rule.ports, GroupName) and rule.ports not in groups.ports:
        yield error((*path, "ports"), "no such port group", rule.ports, words(groups.ports, "an entry of groups ports"))
    for attribute in ("source", "destination"):
        value: Any = getattr(rule, attribute, None)
        if isinstance(value, GroupName) and value not in groups.addresses:
            known = words(groups.addresses, "an entry of groups addresses")
            yield error((*path, attribute), "no such address group", value, known)


def nat_destinations(config: Config, rules: Mapping[int, NatRule]) -> Findings:
    """A NAT rule forwards to a host in the private subnet that is not the gateway itself."""
    subnets = nic_subnets(config, "private")
    own = {ip for plan in config.netcfg.zones.values() for ip in (plan.private_ip, plan.private_ip6, plan.peer)}
    named = ", ".join(map(str, subnets)) or "interfaces private subnet to be set"
    for number, rule in rules.items():
        path = ("nat_rules", str(number), "destination")
        home = next((subnet for subnet in subnets if rule.destination in subnet), None)
        if home is None:
            yield error(path, "lies outside the private subnet", rule.destination, named)
        elif rule.destination in own:
            yield error(path, "an address of the gateways themselves", rule.destination, f"another host in {home}")
        elif edge := edge_of(rule.destination, home):
            yield error(path, f"{edge} of {home}", rule.destination, "an address for a host")


def nat_public_ips(config: Config, rules: Mapping[int, NatRule]) -> Findings:
    """A NAT rule's public_ip is a public VIP; it and the source are of the destination's family."""
    vips = [ip for plan in config.netcfg.zones.values() for ip in (plan.public_ip, plan.public_ip6) if ip is not None]
    for number, rule in rules.items():
        path = ("nat_rules", str(number))
        family = rule.destination.version
        networks = networks_of(rule.source, config.groups)
        if networks and all(network.version != family for network in networks):
            yield error((*path, "source"), f"not IPv{family}, as the destination is", rule.source)
        if rule.public_ip is None:
            continue
        if rule.public_ip not in vips:
            yield error((*path, "public_ip"), "no public VIP", rule.public_ip, words(vips, "one of netcfg zones"))
        elif rule.public_ip.version != family:
            yield error((*path, "public_ip"), f"not IPv{family}, as the destination is", rule.public_ip)


def nat_source_kept(config: Config, rules: Mapping[int, NatRule]) -> Findings:
    """Keeping the source with several zones works only for destinations whose gateway is the entered zone's."""
    zones = config.netcfg.zones
    for number, rule in rules.items():
        if rule.source_nat is SourceNat.PRESERVE and len(zones) > 1:
            yield warning(
                ("nat_rules", str(number), "source_nat"),
                f"with {len(zones)} zones the replies of other zones' flows leave by another gateway",
                "preserve",
                "auto, unless the destination's default gateway is that of every entered zone",
            )


# -- NAT rules that contend for the same packets -------------------------------------------------------------------


class _Disjoint:
    """Source ranges in use at one moment of a sweep over ports: disjoint, sorted, each with its rule."""

    def __init__(self) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        self._rules: list[int] = []

    def overlapped(self, low: int, high: int) -> Iterator[int]:
        """Give the rules whose ranges overlap."""
        at = bisect_left(self._highs, low)
        while at < len(self._lows) and self._lows[at] <= high:
            yield self._rules[at]
            at += 1

    def add(self, low: int, high: int, rule: int) -> None:
        """Put a range that overlaps none."""
        at = bisect_left(self._lows, low)
        self._lows.insert(at, low)
        self._highs.insert(at, high)
        self._rules.insert(at, rule)

    def remove(self, low: int) -> None:
        """Take out the range that begins at `low`."""
        at = bisect_left(self._lows, low)
        del self._lows[at], self._highs[at], self._rules[at]


def nat_rules_apart(config: Config, rules: Mapping[int, NatRule]) -> Findings:
    """No two NAT rules take the same packets: same VIP, protocol, port and source."""
    pairs = set(_pairs_one_by_one(config, rules) if len(rules) <= FEW else _pairs_in_bulk(config))
    for first, second in sorted(pairs, key=lambda pair: (pair[1], pair[0])):
        rule = config.nat_rules[second]
        yield error(
            ("nat_rules", str(second)),
            f"takes the same packets as nat_rules {first}",
            f"{rule.protocol} {rule.ports}",
            "another port, public_ip or source",
        )


def _pairs_one_by_one(config: Config, rules: Mapping[int, NatRule]) -> Iterator[tuple[int, int]]:
    """Compare a few rules with all others."""
    groups = config.groups
    for number, rule in rules.items():
        ports = ports_of(rule, groups)
        if rule.disabled or ports is None:
            continue
        sources = _source_ranges(rule, groups, rule.destination.version)
        for other_number, other in config.nat_rules.items():
            if other_number == number or other.protocol is not rule.protocol or not _same_vip(rule, other):
                continue
            other_ports = ports_of(other, groups)
            if other.disabled or other_ports is None or not ports.overlaps(other_ports):
                continue
            others = _source_ranges(other, groups, rule.destination.version)
            if any(low <= end and start <= high for low, high in sources for start, end in others):
                yield min(number, other_number), max(number, other_number)


def _same_vip(rule: NatRule, other: NatRule) -> bool:
    if rule.destination.version != other.destination.version:
        return False
    return rule.public_ip is None or other.public_ip is None or rule.public_ip == other.public_ip


def _pairs_in_bulk(config: Config) -> Iterator[tuple[int, int]]:
    """Compare all rules, VIP by VIP."""
    lanes: dict[tuple[int, str, IPAddress | None], list[int]] = defaultdict(list)
    for number, rule in sorted(config.nat_rules.items()):
        if not rule.disabled and ports_of(rule, config.groups) is not None:
            lanes[rule.destination.version, rule.protocol, rule.public_ip].append(number)
    for (family, protocol, public_ip), numbers in lanes.items():
        everywhere = lanes.get((family, protocol, None), []) if public_ip is not None else []
        yield from _contending(config, sorted([*numbers, *everywhere]), family)


def _contending(config: Config, numbers: list[int], family: int) -> Iterator[tuple[int, int]]:
    """Sweep over the ports of rules for one VIP; at each moment the sources in use are disjoint."""
    spans = [
        (low, high, number)
        for number in numbers
        for low, high in (ports_of(config.nat_rules[number], config.groups) or PortList(())).ranges
    ]
    ending: list[tuple[int, int]] = []
    in_use = _Disjoint()
    for low, high, number in sorted(spans):
        while ending and ending[0][0] < low:
            in_use.remove(heapq.heappop(ending)[1])
        for start, end in _source_ranges(config.nat_rules[number], config.groups, family):
            others = [other for other in in_use.overlapped(start, end) if other != number]
            yield from ((min(other, number), max(other, number)) for other in others)
            if not any(True for _ in in_use.overlapped(start, end)):
                in_use.add(start, end, number)
                heapq.heappush(ending, (high, start))


def _source_ranges(rule: NatRule, groups: Groups, family: int) -> list[tuple[int, int]]:
    networks = networks_of(rule.source, groups)
    if networks is None:
        return [EVERYWHERE[family]]
    return [(int(n.network_address), int(n.broadcast_address)) for n in networks if n.version == family]


# -- ingress rules that NAT takes ----------------------------------------------------------------------------------


def ingress_shadowed(config: Config, rules: Mapping[int, IngressRule]) -> Findings:
    """An ingress rule for a protocol and port that a NAT rule takes is without effect there."""
    lookups = _nat_ports(config) if rules and config.nat_rules else {}
    for number, rule in rules.items():
        ports = ports_of(rule, config.groups)
        if rule.disabled or ports is None:
            continue
        networks = networks_of(rule.source, config.groups)
        lanes = [(family, rule.protocol) for family in ({4} if networks is None else {n.version for n in networks})]
        taken = (lookups[lane](low, high) for lane in lanes if lane in lookups for low, high in ports.ranges)
        by = next((found for found in taken if found is not None), None)
        if by is not None:
            yield warning(
                ("ingress_rules", str(number)), f"nat_rules {by} takes these packets first", f"{rule.protocol} {ports}"
            )


def _nat_ports(config: Config) -> dict[tuple[int, str], Callable[[int, int], int | None]]:
    """Index the ports that NAT rules take, by family and protocol."""
    spans: dict[tuple[int, str], list[tuple[int, int, int]]] = defaultdict(list)
    for number, rule in config.nat_rules.items():
        if not rule.disabled:
            ranges = (ports_of(rule, config.groups) or PortList(())).ranges
            spans[rule.destination.version, rule.protocol] += [(low, high, number) for low, high in ranges]
    return {lane: _first_overlap(found) for lane, found in spans.items()}


def _first_overlap(spans: list[tuple[int, int, int]]) -> Callable[[int, int], int | None]:
    """Make a search for a rule whose ports overlap a range."""
    ordered = sorted(spans)
    lows = [low for low, _high, _number in ordered]
    reach: list[tuple[int, int]] = []
    for _low, high, number in ordered:
        reach.append(max(reach[-1], (high, number)) if reach else (high, number))

    def search(low: int, high: int) -> int | None:
        at = bisect_right(lows, high) - 1
        return reach[at][1] if at >= 0 and reach[at][0] >= low else None

    return search
