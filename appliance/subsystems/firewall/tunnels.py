"""What passes through IPsec tunnels, on their owner and by way of it (semantics S5, S9)."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.schema.types import IPNetwork, spell_network
from appliance.subsystems.firewall.match import Family, Matcher, any_of, collapse, enabled
from appliance.subsystems.firewall.ruleset import Draft
from appliance.subsystems.firewall.scope import Scope, Tunnel, tunnel_devices


def render_tunnel(draft: Draft, scope: Scope, tunnel: Tunnel, matcher: Matcher) -> None:
    """Open the way into a tunnel, and the way out of it as its ingress rules say; without rules all of it."""
    chain = f"{tunnel.name}/in"
    draft.chain(chain)
    for family in scope.each_private_family():
        remote, local = _networks(tunnel.remote, family), _networks(tunnel.local, family)
        if not remote or not local:
            continue
        keyword = family.keyword
        # Not by flow state: replies from a tunnel reach instances of the other zones without passing their gateway.
        inward = f"iifname @private_devices {keyword} saddr {local} {keyword} daddr {remote}"
        counted = draft.counter(f"{tunnel.name}/out")
        draft.rule("forward", inward, f"oifname {tunnel_devices()}", counted, "accept")
        draft.rule("forward", inward, "oifname @private_devices", counted, "accept")
        draft.rule(
            "forward",
            f"iifname {tunnel_devices()} oifname @private_devices",
            f"{keyword} saddr {remote} {keyword} daddr {local} goto {chain}",
        )
    _render_rules(scope, tunnel, matcher, chain)


def _render_rules(scope: Scope, tunnel: Tunnel, matcher: Matcher, chain: str) -> None:
    draft = matcher.draft
    rules = tunnel.connection.ingress_rules
    for number, rule in enabled(rules):
        place = (f"ipsec {tunnel.name} ingress_rules {number}", f"{chain}/{number}")
        if rule.source is None:
            matcher.decide(chain, matcher.service(rule), rule, place, "accept")
            continue
        for family in scope.each_private_family():
            source = matcher.selector("saddr", rule.source, family)
            if source is not None:
                match = f"{source} {matcher.service(rule, family)}".strip()
                matcher.decide(chain, match, rule, place, "accept")
    draft.rule(chain, draft.counter(f"{chain}/policy"), "drop" if rules else "accept")


def _networks(networks: Iterable[IPNetwork], family: Family) -> str:
    found = collapse(networks, family)
    return any_of(spell_network(network) for network in found) if found else ""
