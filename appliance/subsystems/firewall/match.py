"""The matching half of rules: selectors, protocols and ports of the configuration as nft text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import collapse_addresses
from typing import Any, TypeVar

from appliance.schema.firewall import Groups, Rule
from appliance.schema.types import GroupName, IPNetwork, PortList, Protocol, spell_network
from appliance.subsystems.firewall.ruleset import Draft, NamedSet

LOG_LIMIT = "limit rate 5/second burst 10 packets"


@dataclass(frozen=True, slots=True)
class Family:
    """An address family and nft's words for it."""

    version: int
    keyword: str
    address: str
    icmp: str

    @property
    def only(self) -> str:
        """The match that no packet of the other family passes."""
        return f"meta nfproto ipv{self.version}"


V4 = Family(4, "ip", "ipv4_addr", "icmp")
V6 = Family(6, "ip6", "ipv6_addr", "ipv6-icmp")
FAMILIES = (V4, V6)
ICMP = "meta l4proto { icmp, ipv6-icmp }"


R = TypeVar("R", bound=Rule)


def enabled(rules: Mapping[int, R]) -> list[tuple[int, R]]:
    """Give the rules that apply, in the order of their numbers."""
    return [(number, rule) for number, rule in sorted(rules.items()) if not rule.disabled]


def quoted(names: Iterable[str]) -> str:
    """Spell device names as one match value."""
    return any_of(f'"{name}"' for name in names)


def any_of(texts: Iterable[str]) -> str:
    """Spell values, at least one, as one match value."""
    values = list(dict.fromkeys(texts))
    return values[0] if len(values) == 1 else "{ " + ", ".join(values) + " }"


def collapse(networks: Iterable[IPNetwork], family: Family) -> tuple[IPNetwork, ...]:
    """Give the networks of one family, merged and sorted."""
    mine: Any = [network for network in networks if network.version == family.version]
    return tuple(collapse_addresses(mine))


def network_set(draft: Draft, name: str, family: Family, networks: Iterable[IPNetwork]) -> str:
    """Add a set of networks of one family, named after both; gives the reference."""
    elements = tuple((spell_network(network), None) for network in collapse(networks, family))
    return draft.named_set(NamedSet(f"{name}{family.version}", family.address, flags=("interval",), elements=elements))


@dataclass(frozen=True, slots=True)
class Matcher:
    """Spells what rules match; the groups that they name become sets of the draft."""

    draft: Draft
    groups: Groups

    def selector(self, side: str, selector: IPNetwork | GroupName, family: Family) -> str | None:
        """Match addresses on a `side` (saddr, daddr); None where the selector has none of the family."""
        if not isinstance(selector, GroupName):
            if selector.version != family.version:
                return None
            return f"{family.keyword} {side} {spell_network(selector)}" if selector.prefixlen else family.only
        networks = self.groups.addresses[selector]
        if not any(network.version == family.version for network in networks):
            return None
        name = f"addresses_{selector}/"
        return f"{family.keyword} {side} {network_set(self.draft, name, family, networks)}"

    def service(self, rule: Rule, family: Family | None = None) -> str:
        """Match a rule's protocol and destination ports; without a family, either family's ICMP."""
        if rule.protocol is Protocol.ANY:
            return ""
        if rule.protocol is Protocol.ICMP:
            return f"meta l4proto {family.icmp}" if family else ICMP
        return f"{rule.protocol} dport {self.ports(rule)}"

    def ports(self, rule: Rule) -> str:
        """Give a rule's ports as a match value."""
        if isinstance(rule.ports, GroupName):
            elements = tuple((span, None) for span in spans(self.groups.ports[rule.ports]))
            item = NamedSet(f"ports_{rule.ports}", "inet_service", flags=("interval",), elements=elements)
            return self.draft.named_set(item)
        return any_of(spans(rule.ports)) if rule.ports else ""

    def port_list(self, rule: Rule) -> PortList | None:
        """Give a rule's ports themselves, its group's where it names one."""
        return self.groups.ports[rule.ports] if isinstance(rule.ports, GroupName) else rule.ports

    def decide(self, chain: str, match: str, rule: Rule, place: tuple[str, str], verdict: str) -> None:
        """Append a rule that counts and decides, after one that logs where asked for.

        `place` is the words of the log prefix (``ingress_rules 10``) and the counter's name.
        """
        words, counter = place
        if rule.log:
            self.draft.rule(chain, match, log(f"{words} {verdict.split(maxsplit=1)[0]}"))
        self.draft.rule(chain, match, self.draft.counter(counter), verdict)


def spans(ports: PortList) -> list[str]:
    """Spell port ranges as nft does."""
    return [str(low) if low == high else f"{low}-{high}" for low, high in ports.ranges]


def log(words: str) -> str:
    """Give the rate-limited statement that logs under a name (at most 127 characters, nft(8))."""
    return f'{LOG_LIMIT} log prefix "kawaii {words} "'
