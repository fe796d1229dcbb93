"""What passes through the gateway: closed but for translated flows, peerings, tunnels and egress (semantics S3, S5)."""

from __future__ import annotations

from appliance.schema.types import Policy
from appliance.subsystems.firewall.match import Matcher, enabled, quoted
from appliance.subsystems.firewall.nat import render_nat_forward
from appliance.subsystems.firewall.peering import render_consent, render_peer, to_internet
from appliance.subsystems.firewall.ruleset import Draft, Hook
from appliance.subsystems.firewall.scope import TUNNEL_DEVICES, Scope
from appliance.subsystems.firewall.tunnels import render_tunnel


def render_forward(draft: Draft, scope: Scope, matcher: Matcher) -> None:
    """Render the forward hook and the chains that it leads to."""
    draft.chain("forward", Hook("filter", "forward", "filter", "drop"))
    for peer in scope.peers:
        render_consent(draft, peer, scope.families)
    draft.rule("forward", "ct state established,related accept")
    if scope.public is not None:
        # Nothing invalid comes from the Internet or leaves to it: it would leave untranslated.  Between gateways
        # packets of one flow take different ways, and what looks invalid to one of them is not (semantics S5).
        invalid = f"ct state invalid {draft.counter('invalid')} drop"
        draft.rule("forward", f'iifname "{scope.public}"', invalid)
        draft.rule("forward", f'oifname "{scope.public}"', invalid)
    render_nat_forward(draft, scope, matcher)
    for tunnel in scope.tunnels:
        render_tunnel(draft, scope, tunnel, matcher)
    for peer in scope.peers:
        render_peer(draft, scope, peer, matcher)
    for family in scope.each_private_family():
        instances = f"iifname @private_devices {family.keyword} saddr @private{family.version}"
        draft.rule("forward", instances, to_internet(family))
    draft.rule("forward", draft.counter("forward_dropped"), "drop")


def render_egress(draft: Draft, scope: Scope, matcher: Matcher) -> None:
    """Render what instances may send out: policy `accept` less the rules, or `drop` but the rules."""
    config = scope.view.config
    verdict = "drop" if config.egress_policy is Policy.ACCEPT else "accept"
    draft.chain("egress")
    for number, rule in enabled(config.egress_rules):
        for family in scope.families:
            destination = matcher.selector("daddr", rule.destination, family)
            if destination is not None:
                match = f"{destination} {matcher.service(rule, family)}".strip()
                matcher.decide("egress", match, rule, (f"egress_rules {number}", f"egress_{number}"), verdict)
    draft.rule("egress", draft.counter("egress_policy"), config.egress_policy.value)


def render_path_mtu(draft: Draft, scope: Scope) -> None:
    """Announce to TCP what fits into tunnels and peerings (RFC 4459)."""
    draft.chain("path_mtu", Hook("filter", "forward", "mangle", "accept"))
    devices = [device for peer in scope.peers if peer.own_nic for device in peer.devices]
    devices += TUNNEL_DEVICES if scope.tunnels else ()
    if devices:
        syn = "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu"
        draft.rule("path_mtu", f"oifname {quoted(devices)} {syn}")
