"""`show firewall` and `show nat`: the rules the kernel has, with their hits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from appliance.ops.operation import Answer, Node, Operation, Scalar, Table, columns
from appliance.schema.firewall import EgressRule, IngressRule, Rule
from appliance.schema.nat import NatRule
from appliance.schema.root import Config
from appliance.schema.types import Policy, spell_selector
from appliance.subsystems.firewall.ruleset import FAMILY, TABLE

Words = Mapping[str, str]
Hits = Mapping[str, tuple[int, int]]


def read_hits(node: Node) -> Hits | None:
    """Read the counters of our table: (packets, bytes) by name; None where the table is missing."""
    listing = node.host.nft.list_table(FAMILY, TABLE)
    if listing is None:
        return None
    counters = (entry["counter"] for entry in listing if "counter" in entry)
    return {str(counter["name"]): (int(counter["packets"]), int(counter["bytes"])) for counter in counters}


def show_firewall(node: Node, words: Words) -> Answer:
    """The firewall's rules as they stand in the kernel, with packets and bytes since the daemon's first load."""
    hits = read_hits(node)
    titles = columns(rule="Rule", action="Action", match="Match", packets="Packets", bytes="Bytes", state="State")
    if hits is None:
        return Answer((Table("Firewall", titles, (), ("the kernel has no table of ours: NOTHING is filtered",)),))
    config = node.gateway.running.valid.config
    rows = [*_configured(config, hits), *_others(hits)]
    return Answer((Table("Firewall", titles, tuple(rows)),))


def _configured(config: Config, hits: Hits) -> Iterator[dict[str, Scalar]]:
    for number, rule in config.ingress_rules.items():
        yield _row(f"ingress_rules {number}", "accept", rule, f"ingress_{number}", hits)
    action = "drop" if config.egress_policy is Policy.ACCEPT else "accept"
    for number, exception in config.egress_rules.items():
        yield _row(f"egress_rules {number}", action, exception, f"egress_{number}", hits)
    for number, forward in config.nat_rules.items():
        yield _row(f"nat_rules {number}", f"to {forward.destination}", forward, f"nat_{number}", hits)


def _row(path: str, action: str, rule: Rule, counter: str, hits: Hits) -> dict[str, Scalar]:
    packets, octets = hits.get(counter, (0, 0))
    state = "disabled" if rule.disabled else "in the kernel" if counter in hits else "MISSING"
    return {
        "rule": path, "action": action, "match": _match(rule), "packets": packets, "bytes": octets, "state": state
    }  # fmt: skip


def _match(rule: Rule) -> str:
    words = [str(rule.protocol)]
    if rule.ports is not None:
        words.append(str(rule.ports))
    if isinstance(rule, IngressRule):
        words.append(f"from {spell_selector(rule.source)}")
    if isinstance(rule, EgressRule):
        words.append(f"to {spell_selector(rule.destination)}")
    if isinstance(rule, NatRule):
        words.append(f"for {rule.public_ip or 'every public VIP'}")
    return " ".join(words)


def _others(hits: Hits) -> Iterator[dict[str, Scalar]]:
    """The rest of the counters: what was let in for the gateway itself, and what was dropped."""
    for name, (packets, octets) in hits.items():
        head, _, number = name.partition("_")
        if head in {"ingress", "egress", "nat"} and number.isdigit():
            continue
        yield {
            "rule": name, "action": "", "match": "", "packets": packets, "bytes": octets, "state": "in the kernel"
        }  # fmt: skip


def show_nat(node: Node, words: Words) -> Answer:
    """The forwarded ports, and the translations that are in use."""
    hits = read_hits(node) or {}
    titles = columns(rule="Rule", action="Forwarded", match="Match", packets="Flows", bytes="Bytes", state="State")
    rules = tuple(
        _row(f"nat_rules {number}", f"to {rule.destination}", rule, f"nat_{number}", hits)
        for number, rule in node.gateway.running.valid.config.nat_rules.items()
    )
    return Answer((Table("Forwarded ports", titles, rules), _translations(node.inspect.flows(1000))))


def _translations(flows: list[dict[str, Any]]) -> Table:
    rows = tuple(
        flow
        for flow in flows
        if (flow["source"], flow["destination"]) != (flow["reply_destination"], flow["reply_source"])
    )
    titles = columns(
        protocol="Protocol", source="Source", destination="Destination", reply_source="Reply from",
        reply_destination="Reply to", state="State",
    )  # fmt: skip
    return Table("Translated flows", titles, rows)


OPERATIONS = (
    Operation(("show", "firewall"), "Rules in the kernel and their hits", show_firewall),
    Operation(("show", "nat"), "Forwarded ports and translated flows", show_nat),
)
