"""`show route next-hops`: which ways out are alive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from appliance.agents.nexthops import NextHopAgent
from appliance.ops.operation import Answer, Node, Operation, Table, columns


def show_next_hops(node: Node, words: Mapping[str, str]) -> Answer:
    """The next hops that are watched, because there is another way."""
    agent = node.agents.get(NextHopAgent.name)
    health = agent.health() if isinstance(agent, NextHopAgent) else ()
    rows = tuple(
        {
            "next_hop": hop.target[1],
            "device": hop.target[0],
            "state": "alive" if hop.alive else "DEAD",
            "since": datetime.fromtimestamp(hop.since, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            "weight": hop.weight,
            "destinations": " ".join(hop.destinations),
        }
        for hop in health
    )
    titles = columns(
        next_hop="Next hop", device="Device", state="State", since="Since", weight="Weight", destinations="Destinations"
    )
    notes = () if rows else ("no destination has more than one way",)
    return Answer((Table("Next hops", titles, rows, notes),))


OPERATIONS = (Operation(("show", "route", "next-hops"), "Ways out and whether they are alive", show_next_hops),)
