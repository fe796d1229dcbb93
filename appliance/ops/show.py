"""`show`: what kernel and daemons have now, next to what was asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from appliance.ops.operation import Answer, Argument, Node, Operation, Scalar, Table, columns
from appliance.subsystems.view import NodeView

Words = Mapping[str, str]
VRRP_STATES = {0: "INIT", 1: "BACKUP", 2: "MASTER", 3: "FAULT"}


def show_vip(node: Node, words: Words) -> Answer:
    """The VIP pairs: who holds them, by keepalived's word and by the kernel's addresses."""
    view = node.view()
    pairs = view.pairs if view else ()
    states = _vrrp_states(node)
    held = {str(item.address.ip) for item in node.host.netlink.addresses()}
    rows: list[dict[str, Scalar]] = []
    for pair in pairs:
        if words.get("zone") not in {None, pair.zone}:
            continue
        public = [str(item.ip) for item in pair.public]
        private = [str(item.ip) for item in pair.private]
        here = [address in held for address in public + private]
        state = states.get(pair.vrid, {})
        rows.append(
            {
                "zone": pair.zone,
                "vrid": pair.vrid,
                "public": " ".join(public),
                "private": " ".join(private),
                "device": pair.private_device,
                "state": VRRP_STATES.get(state.get("state", -1), "not running"),
                "held": "yes" if all(here) and here else "partly" if any(here) else "no",
                "priority": state.get("effective_priority", pair.priority),
                "home": pair.home,
            }
        )
    notes = () if node.host.vrrp.service().running or not pairs else ("keepalived is not running",)
    titles = columns(
        zone="Zone", vrid="VRID", public="Public", private="Private", device="Device", state="VRRP",
        held="Held here", priority="Priority", home="Home",
    )  # fmt: skip
    return Answer((Table("Virtual addresses", titles, tuple(rows), notes),))


def vrrp_summary(node: Node) -> str:
    """The home pair's VRRP state in one word, for the prompt; empty where there is none."""
    view = node.view()
    home = next((pair for pair in view.pairs if pair.home), None) if view else None
    if home is None:
        return ""
    return VRRP_STATES.get(_vrrp_states(node).get(home.vrid, {}).get("state", -1), "DOWN")


def _vrrp_states(node: Node) -> dict[int, dict[str, Any]]:
    instances = node.host.vrrp.instances()
    data = [entry.get("data", entry) for entry in instances]
    return {int(entry["vrid"]): entry for entry in data if "vrid" in entry}


def show_route(node: Node, words: Words) -> Answer:
    """The kernel's routes, both families, with who put them there."""
    rows: list[dict[str, Scalar]] = []
    for family in (4, 6):
        for route in node.inspect.routes(family):
            hops = route.get("nexthops") or [route]
            rows.append(
                {
                    "destination": {"default": "0.0.0.0/0" if family == 4 else "::/0"}.get(route["dst"], route["dst"]),
                    "next_hops": ", ".join(_hop(hop) for hop in hops),
                    "metric": route.get("metric", 0),
                    "table": str(route.get("table", "main")),
                    "protocol": {"250": "kawaii"}.get(str(route.get("protocol")), str(route.get("protocol", ""))),
                    "source": route.get("prefsrc"),
                    "flags": " ".join(route.get("flags", [])),
                }
            )
    titles = columns(
        destination="Destination", next_hops="Next hops", metric="Metric", table="Table", protocol="From",
        source="Source", flags="Flags",
    )  # fmt: skip
    return Answer((Table("Routes in the kernel", titles, tuple(rows)),))


def _hop(hop: Mapping[str, Any]) -> str:
    words = [f"via {hop['gateway']}"] if "gateway" in hop else []
    words.append(str(hop.get("dev", hop.get("type", ""))))
    if "weight" in hop:
        words.append(f"weight {hop['weight']}")
    return " ".join(words)


def show_interfaces(node: Node, words: Words) -> Answer:
    """The NICs: state, addresses, counters."""
    rows: list[dict[str, Scalar]] = []
    view = node.view()
    roles = _roles(view)
    for link in node.inspect.links():
        if words.get("interface") not in {None, link["ifname"]} or link["ifname"] == "lo":
            continue
        counters = link.get("stats64", {})
        rows.append(
            {
                "interface": link["ifname"],
                "role": roles.get(link["ifname"], ""),
                "state": link.get("operstate", "").lower(),
                "mac": link.get("address"),
                "mtu": link.get("mtu"),
                "addresses": " ".join(f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])),
                "received": counters.get("rx", {}).get("packets", 0),
                "sent": counters.get("tx", {}).get("packets", 0),
            }
        )
    titles = columns(
        interface="Interface", role="Role", state="State", mac="MAC", mtu="MTU", addresses="Addresses",
        received="Received", sent="Sent",
    )  # fmt: skip
    return Answer((Table("Interfaces", titles, tuple(rows)),))


def _roles(view: NodeView | None) -> dict[str, str]:
    if view is None:
        return {}
    roles = {nic.device: nic.role for nic in (view.public, view.private) if nic}
    roles.update({peering.device: peering.name for peering in view.peerings if peering.own_nic})
    roles.update({pair.private_device: f"private, {pair.zone}" for pair in view.pairs if not pair.home})
    return roles


def show_neighbours(node: Node, words: Words) -> Answer:
    """The neighbour table (ARP and ND)."""
    rows = tuple(
        {
            "address": entry["dst"],
            "interface": entry.get("dev"),
            "mac": entry.get("lladdr"),
            "state": " ".join(entry.get("state", [])).lower(),
        }
        for entry in node.inspect.neighbours()
    )
    titles = columns(address="Address", interface="Interface", mac="MAC", state="State")
    return Answer((Table("Neighbours", titles, rows),))


def show_conntrack(node: Node, words: Words) -> Answer:
    """Tracked flows, the first thousand."""
    count, most = node.inspect.flow_count()
    rows = tuple(node.inspect.flows(1000))
    titles = columns(
        protocol="Protocol", source="Source", destination="Destination", reply_source="Reply from",
        reply_destination="Reply to", state="State", zone="Zone mark",
    )  # fmt: skip
    return Answer((Table("Tracked flows", titles, rows, (f"{count} flows of at most {most}",)),))


def show_commits(node: Node, words: Words) -> Answer:
    """The committed revisions, newest first."""
    pointer = node.gateway.pointer
    rows: list[dict[str, Scalar]] = []
    for revision in node.gateway.revisions():
        running = pointer is not None and revision.number == pointer.revision
        waiting = running and pointer is not None and pointer.deadline is not None
        rows.append(
            {
                "revision": revision.number,
                "when": datetime.fromtimestamp(revision.when, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
                "user": revision.author.user,
                "way": revision.author.way,
                "state": "to be confirmed" if waiting else "running" if running else "",
                "comment": revision.comment,
            }
        )
    titles = columns(revision="Revision", when="When", user="User", way="Way", state="State", comment="Comment")
    return Answer((Table("Commits", titles, tuple(rows)),))


def show_drift(node: Node, words: Words) -> Answer:
    """Where kernel and daemons differ from the running configuration."""
    differences = node.gateway.drift()
    rows = tuple({"part": d.subsystem, "where": d.where, "wanted": d.wanted, "found": d.found} for d in differences)
    notes = ("kernel and daemons are as configured",) if not rows else ()
    titles = columns(part="Part", where="Where", wanted="Wanted", found="Found")
    return Answer((Table("Drift", titles, rows, notes),))


def show_version(node: Node, words: Words) -> Answer:
    """The software's version and the node's name."""
    view = node.view()
    row: dict[str, Scalar] = {
        "version": node.version,
        "host": view.hostname if view else None,
        "zone": view.zone if view else node.facts.zone,
        "time": datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
    }
    titles = columns(version="Version", host="Host", zone="Zone", time="Time")
    return Answer((Table("Kawaii", titles, (row,), node.problems()),))


INTERFACE = Argument("interface", "one interface", "interfaces")
ZONE = Argument("zone", "one zone", "zones")

OPERATIONS = (
    Operation(("show", "vip"), "Virtual addresses and who holds them", show_vip, arguments=(ZONE,)),
    Operation(("show", "route"), "Routes in the kernel", show_route),
    Operation(("show", "interfaces"), "NICs, their addresses and counters", show_interfaces, arguments=(INTERFACE,)),
    Operation(("show", "neighbours"), "ARP and ND entries", show_neighbours),
    Operation(("show", "conntrack"), "Tracked flows", show_conntrack),
    Operation(("show", "system", "commit"), "Committed revisions", show_commits),
    Operation(("show", "drift"), "Where the kernel differs from the configuration", show_drift),
    Operation(("show", "version"), "Software version and node", show_version),
)
