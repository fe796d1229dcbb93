"""The whole table of a node, and the table of a node that has no configuration."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.schema.types import IPNetwork, spell_network
from appliance.subsystems.firewall.forward import render_egress, render_forward, render_path_mtu
from appliance.subsystems.firewall.input import render_closed_input, render_input
from appliance.subsystems.firewall.match import Matcher
from appliance.subsystems.firewall.nat import render_nat_postrouting, render_nat_prerouting, render_zone_mark
from appliance.subsystems.firewall.peering import add_peer_sets
from appliance.subsystems.firewall.ruleset import Draft, Hook, Ruleset
from appliance.subsystems.firewall.scope import add_shared_sets, derive_scope
from appliance.subsystems.firewall.spoof import render_spoof
from appliance.subsystems.view import NodeView

ANYWHERE = ("0.0.0.0/0",)


def render_ruleset(view: NodeView) -> Ruleset:
    """Render a node's table; pure."""
    draft = Draft()
    scope = derive_scope(view)
    matcher = Matcher(draft, view.config.groups)
    add_shared_sets(draft, scope)
    add_peer_sets(draft, scope)
    render_spoof(draft, scope)
    render_zone_mark(draft, scope)
    render_nat_prerouting(draft, scope, matcher)
    render_input(draft, scope, matcher)
    render_forward(draft, scope, matcher)
    render_egress(draft, scope, matcher)
    render_path_mtu(draft, scope)
    _render_output(draft)
    render_nat_postrouting(draft, scope, matcher)
    return draft.finish()


def render_closed(private_device: str | None, private_networks: Iterable[IPNetwork] = ()) -> Ruleset:
    """Render deny-all but for SSH and pings on the private NIC, from its networks (none given: from anywhere)."""
    draft = Draft()
    networks = tuple(spell_network(network) for network in private_networks)
    render_closed_input(draft, private_device, networks or ANYWHERE)
    draft.chain("forward", Hook("filter", "forward", "filter", "drop"))
    _render_output(draft)
    return draft.finish()


def closed_ruleset() -> Ruleset:
    """Give the table of a node that knows nothing: nobody gets in, nothing passes, it may ask for itself."""
    return render_closed(None)


def _render_output(draft: Draft) -> None:
    # Empty on purpose: no rule can cut off the gateway's own VRRP, IKE, DNS or time.
    draft.chain("output", Hook("filter", "output", "filter", "accept"))
