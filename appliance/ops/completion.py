"""Live values the console completes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from appliance.ops.operation import Node
from appliance.schema.root import Config

Value = dict[str, str]


def complete(node: Node, kind: str) -> list[Value]:
    """Give the values of a kind with a word of help each; none for a kind that has no live values."""
    source = SOURCES.get(kind)
    return source(node) if source else []


def _interfaces(node: Node) -> list[Value]:
    links = node.host.netlink.links()
    return [
        {"value": name, "help": f"{'up' if link.up else 'down'}, {link.mac}"}
        for name, link in sorted(links.items())
        if name != "lo"
    ]


def _revisions(node: Node) -> list[Value]:
    return [
        {"value": str(revision.number), "help": f"{revision.author.user}: {revision.comment or ''}".rstrip(": ")}
        for revision in node.gateway.revisions()
    ]


def _keys(pick: Callable[[Config], Mapping[str, object]], help_text: str) -> Callable[[Node], list[Value]]:
    def values(node: Node) -> list[Value]:
        return [{"value": key, "help": help_text} for key in pick(node.gateway.running.valid.config)]

    return values


SOURCES: Mapping[str, Callable[[Node], list[Value]]] = {
    "interfaces": _interfaces,
    "revisions": _revisions,
    "zones": _keys(lambda config: config.netcfg.zones, "zone"),
    "subnets": _keys(lambda config: config.subnets, "subnet"),
    "peerings": _keys(lambda config: config.vpc_peerings, "peering"),
    "tunnels": _keys(lambda config: config.ipsec, "tunnel"),
}
