"""Peerings: gateway to gateway, by both projects' rules, with both ends' consent (semantics S4)."""

from __future__ import annotations

from appliance.schema.firewall import Rule
from appliance.schema.interfaces import Application
from appliance.schema.types import IPNetwork, Policy, PortList, Protocol
from appliance.subsystems.firewall.match import ICMP, Family, Matcher, enabled, network_set, quoted
from appliance.subsystems.firewall.ruleset import Draft, NamedSet
from appliance.subsystems.firewall.scope import Peer, Scope, tunnel_devices, vip_map

CEPH_RULE = Rule(
    protocol=Protocol.TCP, ports=PortList(((111, 111), (2049, 2049), (3300, 3300), (6789, 6789), (6800, 7568)))
)
"""What a Ceph subnet is asked for where a peering states no rules: portmapper, NFS, monitors, OSDs."""


def add_peer_sets(draft: Draft, scope: Scope) -> None:
    """Add each peer's networks, senders and consent."""
    for peer in scope.peers:
        if peer.gated:
            draft.named_set(NamedSet(peer.consent, "nf_proto", flags=("timeout",)))
        for family in scope.families:
            network_set(draft, f"{peer.name}/networks", family, peer.view.networks)
            network_set(draft, f"{peer.name}/sources", family, peer.sources)


def render_consent(draft: Draft, peer: Peer, families: tuple[Family, ...]) -> None:
    """Stop everything to and from a peer that has not agreed, established flows too."""
    if not peer.gated:
        return
    devices = quoted(peer.devices)
    dropped = f"meta nfproto != @{peer.consent} {draft.counter(f'{peer.name}/no_consent')} drop"
    for family in families:
        ends_sets = [peer.networks_set(family)]
        if any(n.version == family.version and not _within(n, peer.view.networks) for n in peer.sources):
            ends_sets.append(peer.sources_set(family))
        for ends in ends_sets:
            draft.rule("forward", f"iifname {devices} {family.keyword} saddr {ends}", dropped)
            draft.rule("forward", f"oifname {devices} {family.keyword} daddr {ends}", dropped)


def to_internet(family: Family) -> str:
    """Spell where egress control decides: what leaves for the Internet, by whatever NIC leads there (semantics S3)."""
    return f"oifname @egress_devices {family.keyword} daddr != @inside{family.version} goto egress"


def _within(network: IPNetwork, networks: tuple[IPNetwork, ...]) -> bool:
    return any(network.version == n.version and n.supernet_of(network) for n in networks)  # type: ignore[arg-type]


def render_peer(draft: Draft, scope: Scope, peer: Peer, matcher: Matcher) -> None:
    """Render what passes to and from a peer, and what of it may pass on."""
    devices = quoted(peer.devices)
    _render_rules(matcher, peer)
    draft.chain(f"{peer.name}/transit")
    for family in scope.each_private_family():
        own = f"@private{family.version}"
        keyword = family.keyword
        draft.rule(
            "forward",
            f"iifname @private_devices oifname {devices} {keyword} saddr {own}",
            f"{keyword} daddr {peer.networks_set(family)} goto {peer.name}/out",
        )
        arrived = f"iifname {devices} {keyword} saddr {peer.sources_set(family)}"
        draft.rule("forward", arrived, f"oifname @private_devices {keyword} daddr {own} goto {peer.name}/in")
        # Senders on the private NIC are not instances: without transit they go no further.
        draft.rule("forward", arrived, f"goto {peer.name}/transit")
        if peer.view.peering.transit:
            if scope.tunnels:
                for out in (tunnel_devices(), "@private_devices"):
                    reach = f"oifname {out} {keyword} daddr @remote{family.version}"
                    draft.rule(f"{peer.name}/transit", reach, "accept")
            draft.rule(f"{peer.name}/transit", to_internet(family))
    draft.rule(f"{peer.name}/transit", draft.counter(f"{peer.name}/dropped"), "drop")


def _render_rules(matcher: Matcher, peer: Peer) -> None:
    draft, peering = matcher.draft, peer.view.peering
    outward = peering.egress_rules
    if peer.view.subnet.application is Application.CEPH and not (outward or peering.ingress_rules):
        outward = {0: CEPH_RULE}
    for side, words, rules in (("in", "ingress_rules", peering.ingress_rules), ("out", "egress_rules", outward)):
        chain = f"{peer.name}/{side}"
        draft.chain(chain)
        draft.rule(chain, ICMP, draft.counter(f"{chain}/icmp"), "accept")
        if peering.policy is Policy.ACCEPT:
            draft.rule(chain, draft.counter(f"{chain}/policy"), "accept")
            continue
        for number, rule in enabled(rules):
            place = (f"vpc_peerings {peer.view.name} {words} {number}", f"{chain}/{number}")
            matcher.decide(chain, matcher.service(rule), rule, place, "accept")
        draft.rule(chain, draft.counter(f"{chain}/policy"), "drop")


def render_peer_source(draft: Draft, scope: Scope, peer: Peer) -> None:
    """Translate sources: outward to our zone's address there, inward to our own private VIP, so replies come back."""
    devices = quoted(peer.devices)
    for family in scope.each_private_family():
        keyword, own = family.keyword, f"@private{family.version}"
        address = f"snat {keyword} to ct mark map"
        draft.rule(
            "nat_postrouting",
            f"iifname @private_devices oifname {devices} {keyword} saddr {own}",
            f"{keyword} daddr {peer.networks_set(family)} {address} {_addresses_there(draft, scope, peer, family)}",
        )
        arrived = f"iifname {devices} {keyword} saddr {peer.sources_set(family)}"
        inner = f"{address} @private_vip{family.version}"
        draft.rule("nat_postrouting", arrived, f"oifname @private_devices {keyword} daddr {own} {inner}")
        if peer.view.peering.transit:
            draft.rule("nat_postrouting", arrived, f"{keyword} daddr @remote{family.version} {inner}")


def _addresses_there(draft: Draft, scope: Scope, peer: Peer, family: Family) -> str:
    if not peer.own_nic:
        return f"@private_vip{family.version}"
    pairs = scope.view.pair_by_zone
    vips = {
        pairs[zone].vrid: ip
        for zone, addresses in peer.view.addresses.items()
        for ip in addresses
        if zone in pairs and ip.version == family.version
    }
    return vip_map(draft, f"{peer.name}/vip", family, vips)
