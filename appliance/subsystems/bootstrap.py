"""The state of a node without an accepted configuration: closed, reachable from its private side (semantics S11)."""

from __future__ import annotations

from typing import Any

from appliance.engine.ports import AddressOn
from appliance.subsystems.addresses import Addresses
from appliance.subsystems.firewall.render import render_closed
from appliance.subsystems.firewall.subsystem import Firewall
from appliance.subsystems.links import LinkItem, Links
from appliance.subsystems.logins import Logins, keys_of
from appliance.subsystems.view import NodeFacts


def bootstrap_artefacts(facts: NodeFacts) -> dict[str, Any]:
    """Give the artefacts that differ from an empty configuration's: the datasource's address and keys, SSH to it."""
    addresses = frozenset(AddressOn(device, address) for device, address in facts.addresses.items())
    networks = tuple(item.address.network for item in addresses)
    device = next(iter(facts.addresses), None)
    return {
        Links.name: frozenset(LinkItem(name) for name in facts.addresses),
        Addresses.name: addresses,
        Firewall.name: render_closed(device, networks),
        Logins.name: keys_of(facts, {}),
    }
