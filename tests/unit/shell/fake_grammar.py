"""The grammar that the fake daemon hands over."""

from __future__ import annotations

from typing import Any


def leaf(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "leaf", "type": kind, "help": text, "enum": None, "range": None, "secret": False, **more}


def section(text: str, **children: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "section", "help": text, "children": children}


def rules(text: str) -> dict[str, Any]:
    entry = section(
        "One rule",
        source=leaf("selector", "Where it comes from", default="0.0.0.0/0", example="198.51.100.0/24"),
        protocol=leaf("enum", "Protocol", enum=["tcp", "udp", "icmp", "any"], default="tcp"),
        ports=leaf("ports", "Destination ports", required=True, range=[1, 65535], example="80,443"),
        desc=leaf("text", "What it is for", example="the shop"),
        log=leaf("bool", "Whether to log it", default=False),
    )
    key = {"name": "number", "type": "int", "help": "Order of evaluation", "example": "10"}
    return {"kind": "list", "help": text, "key": key, "entry": entry}


CONFIG = section(
    "",
    system=section(
        "Who and where this node is",
        hostname=leaf("hostname", "The node's name", example="gw-a"),
        dns={**leaf("address", "Name servers", example=["10.50.201.1"], default=[]), "kind": "leaflist"},
    ),
    interfaces=section(
        "The node's NICs",
        public=section("To the Internet", device=leaf("device", "Its name", example="ens3")),
        private=section("To the instances", mtu=leaf("int", "Largest packet", range=[576, 9216], example=1500)),
    ),
    ingress_rules=rules("From the Internet to the gateway itself"),
    egress_rules=rules("Exceptions to egress_policy"),
    egress_policy=leaf("enum", "What leaves", enum=["accept", "drop"], default="accept"),
    ipsec={
        "kind": "list",
        "help": "Tunnels to anything outside",
        "key": {"name": "name", "type": "title", "help": "Any text", "example": "ACME Office"},
        "entry": section(
            "One connection",
            remote_peer=leaf("text", "The far end", example="5.6.7.8"),
            pre_shared_key=leaf("secret", "The shared secret", secret=True, example="correct horse"),
            desc=leaf("text", "What it is for"),
        ),
    },
)


def operation(words: str, text: str, *args: dict[str, Any], role: str = "view", method: str = "GET") -> dict[str, Any]:
    return {"words": words.split(), "help": text, "args": list(args), "role": role, "method": method}


def argument(name: str, text: str, values: str | None = None, optional: bool = True) -> dict[str, Any]:
    return {"name": name, "help": text, "values": values, "optional": optional}


OPERATIONS = [
    operation("show vip", "Virtual addresses"),
    operation("show log", "The log", argument("lines", "How many lines")),
    operation("show evil", "A text that would drive the terminal"),
    operation("show route", "Routes", argument("device", "By which NIC", "interfaces"), argument("table", "Table")),
    operation("show route summary", "How many routes"),
    operation("ping", "Send echo requests", argument("host", "Where to", None, False), argument("count", "How many")),
    operation("clear counters", "Clear the counters", role="operate", method="POST"),
]
