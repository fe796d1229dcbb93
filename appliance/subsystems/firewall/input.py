"""What the gateway itself answers to: services from inside, ingress rules from the Internet (semantics S1, S8)."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.schema.firewall import IngressRule
from appliance.schema.services import Listen
from appliance.subsystems.firewall.match import FAMILIES, Family, Matcher, any_of, enabled, log, network_set, quoted
from appliance.subsystems.firewall.ruleset import Draft, Hook, NamedSet
from appliance.subsystems.firewall.scope import Scope, remote_peers, tunnel_devices

CONSENT_PORT = 3781
"""UDP port on which peered gateways authenticate each other."""

SYNC_PORT = 3780
"""UDP port of conntrackd between the zones' gateways."""

ECHO = {4: "icmp type echo-request", 6: "icmpv6 type echo-request"}
DISCOVERY = "ip6 hoplimit 255 icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }"
UNIT_TIMEOUT = {"second": "1m", "minute": "2m", "hour": "2h", "day": "2d"}
LIMITED_SOURCES = 65535


def render_input(draft: Draft, scope: Scope, matcher: Matcher) -> None:
    """Render the input hook: closed but for what the chains it leads to open."""
    draft.chain("input", Hook("filter", "input", "filter", "drop"))
    draft.rule("input", 'iifname "lo" accept')
    # Before the state of flows: our own advertisements make a flow, and its "replies" might have any TTL, MAC and NIC.
    draft.rule("input", "meta l4proto 112 goto input_vrrp")
    _render_vrrp(draft, scope)
    draft.rule("input", "ct state established,related accept")
    _render_neighbours(draft, scope)
    dispatch: list[str] = []
    if scope.public is not None:
        draft.rule("input", f'iifname "{scope.public}" ct state invalid', draft.counter("invalid"), "drop")
        _render_public(draft, scope, matcher)
        dispatch.append(f'"{scope.public}" : jump input_public')
    if scope.private:
        _render_private(draft, scope)
        dispatch += [f'"{device}" : jump input_private' for device in scope.private]
    _render_peers(draft, scope)
    nics = dict.fromkeys(device for peer in scope.peers if peer.own_nic for device in peer.devices)
    dispatch += [f'"{device}" : jump input_peers' for device in nics]
    if dispatch:
        draft.rule("input", f"iifname vmap {{ {', '.join(dispatch)} }}")
    if scope.tunnels:
        draft.rule("input", f"iifname {tunnel_devices()} jump input_peers")
    draft.rule("input", draft.counter("input_dropped"), "drop")


def _render_neighbours(draft: Draft, scope: Scope) -> None:
    """Let IPv6 itself work on the NICs that are configured for it (RFC 4890, section 4.4)."""
    view = scope.view
    devices: list[str] = []
    if view.public and any(n.version == 6 for n in view.public.subnets):
        devices.append(view.public.device)
    if view.private and any(n.version == 6 for n in view.private.subnets):
        devices += scope.private
    for peer in scope.peers:
        if peer.own_nic and any(n.version == 6 for n in peer.view.networks):
            devices += peer.devices
    if devices:
        draft.rule("input", f"iifname {quoted(devices)} {DISCOVERY} accept")
        draft.rule("input", f"iifname {quoted(devices)} ip6 saddr fe80::/10 icmpv6 type mld-listener-query accept")


def _render_public(draft: Draft, scope: Scope, matcher: Matcher) -> None:
    draft.chain("input_public")
    draft.chain("ingress")
    for family in scope.families:
        vips = f"{family.keyword} daddr @public_vips{family.version}"
        _render_ike(draft, scope, family, vips)
        draft.rule("input_public", vips, "jump ingress")
    for number, rule in enabled(scope.view.config.ingress_rules):
        _render_ingress_rule(matcher, scope, number, rule)


def _render_ike(draft: Draft, scope: Scope, family: Family, vips: str) -> None:
    """Open IKE, its NAT traversal and ESP (RFC 7296, 3948, 4303) to the far ends of our tunnels."""
    peers, anyone = remote_peers(scope)
    mine = [str(ip) for ip in peers if ip.version == family.version]
    if anyone:
        source = ""
    elif mine:
        source = f"{family.keyword} saddr {any_of(mine)}"
    else:
        return
    draft.rule("input_public", vips, source, "udp dport { 500, 4500 }", draft.counter("ipsec_ike"), "accept")
    draft.rule("input_public", vips, source, "meta l4proto esp", draft.counter("ipsec_esp"), "accept")


def _render_ingress_rule(matcher: Matcher, scope: Scope, number: int, rule: IngressRule) -> None:
    place = (f"ingress_rules {number}", f"ingress_{number}")
    for family in scope.families:
        source = matcher.selector("saddr", rule.source, family)
        if source is None:
            continue
        match = f"{source} {matcher.service(rule, family)}".strip()
        if rule.limit is not None:
            _render_limited(matcher, family, match, (number, rule))
        else:
            matcher.decide("ingress", match, rule, place, "accept")


def _render_limited(matcher: Matcher, family: Family, match: str, numbered: tuple[int, IngressRule]) -> None:
    """Accept new connections of a source up to its rate; when the table of sources is full, none of another."""
    number, rule = numbered
    amount, unit = str(rule.limit).split("/")
    draft = matcher.draft
    # The rate is in the set's name: elements keep the rate that they were made with.
    sources = NamedSet(
        f"limit_ingress_{number}_{amount}_{unit}{family.version}",
        family.address,
        flags=("dynamic", "timeout"),
        timeout=UNIT_TIMEOUT[unit],
        size=LIMITED_SOURCES,
    )
    rate = f"{family.keyword} saddr limit rate {amount}/{unit} burst {amount} packets"
    chain = f"ingress_rule_{number}"
    draft.chain(chain)
    if rule.log:
        draft.rule(chain, log(f"ingress_rules {number} accept"))
    draft.rule(chain, draft.counter(f"ingress_{number}"), "accept")
    draft.rule("ingress", match, f"ct state new update {draft.named_set(sources)} {{ {rate} }} goto {chain}")


def _render_private(draft: Draft, scope: Scope) -> None:
    draft.chain("input_private")
    for peer in scope.peers:
        if not peer.own_nic:
            for family in peer.families:
                theirs = f"{family.keyword} saddr {peer.sources_set(family)}"
                draft.rule("input_private", theirs, f"goto {peer.name}/input")
    _render_state_sync(draft, scope)
    draft.rule("input_private", ECHO[4], draft.counter("pings"), "accept")
    if any(family.version == 6 for family in scope.each_private_family()):
        draft.rule("input_private", ECHO[6], draft.counter("pings"), "accept")
    services = scope.view.config.services
    ports = [22] if services.ssh.listen is Listen.PRIVATE else []
    ports += [services.api.port] if services.api.enabled else []
    ports += [services.metrics.port] if services.metrics.enabled else []
    if services.status_page.enabled and not services.api.enabled:
        ports.append(services.status_page.port)
    if not ports or scope.view.private is None:
        return
    allowed = [*scope.view.private.subnets, *scope.view.config.system.management_networks]
    match_ports = any_of(str(port) for port in ports)
    for family in scope.families:
        source = network_set(draft, "management", family, allowed)
        services_match = f"{family.keyword} saddr {source} tcp dport {match_ports}"
        draft.rule("input_private", services_match, draft.counter("management"), "accept")


def _render_vrrp(draft: Draft, scope: Scope) -> None:
    """Accept VRRP (RFC 9568: TTL 255) from the other zones' gateways only."""
    draft.chain("input_vrrp")
    for hops, source in _gateways(scope):
        draft.rule("input_vrrp", source, hops, draft.counter("vrrp"), "accept")
    draft.rule("input_vrrp", draft.counter("vrrp_dropped"), "drop")


def _render_state_sync(draft: Draft, scope: Scope) -> None:
    """Accept state synchronisation from the other zones' gateways only."""
    if scope.view.config.ha.conntrack_sync:
        for _hops, source in _gateways(scope):
            draft.rule("input_private", source, f"udp dport {SYNC_PORT}", draft.counter("state_sync"), "accept")


def _gateways(scope: Scope) -> Iterator[tuple[str, str]]:
    """Give the matches of the other zones' gateways: the hop limit of a neighbour, and where they send from."""
    private = scope.view.private
    if private is None:
        return
    for neighbour in scope.view.neighbours:
        keyword, hops = ("ip", "ip ttl 255") if neighbour.address.version == 4 else ("ip6", "ip6 hoplimit 255")
        source = f'iifname "{private.device}" {keyword} saddr {neighbour.address}'
        if neighbour.mac:
            source += f" ether saddr {neighbour.mac}"
        yield hops, source


def _render_peers(draft: Draft, scope: Scope) -> None:
    """Answer pings of peers and tunnels, and the other gateway's part in agreeing to a peering."""
    draft.chain("input_peers")
    for peer in scope.peers:
        chain = f"{peer.name}/input"
        draft.chain(chain)
        if peer.own_nic:
            draft.rule("input_peers", f"iifname {quoted(peer.devices)} jump {chain}")
        for family in peer.families:
            draft.rule(chain, ECHO[family.version], draft.counter("pings"), "accept")
            if peer.gated:
                agreeing = f"{family.keyword} saddr {peer.sources_set(family)} udp dport {CONSENT_PORT}"
                draft.rule(chain, agreeing, draft.counter("peer_consent"), "accept")
    for family in FAMILIES:
        if any(network.version == family.version for tunnel in scope.tunnels for network in tunnel.remote):
            match = f"iifname {tunnel_devices()} {ECHO[family.version]}"
            draft.rule("input_peers", match, draft.counter("pings"), "accept")


def render_closed_input(draft: Draft, device: str | None, networks: tuple[str, ...]) -> None:
    """Render the input hook of a node without configuration: pings and SSH on its private NIC, nothing else."""
    draft.chain("input", Hook("filter", "input", "filter", "drop"))
    draft.rule("input", 'iifname "lo" accept')
    draft.rule("input", "ct state established,related accept")
    if device is None:
        return
    arrived = f'iifname "{device}"'
    draft.rule("input", arrived, ECHO[4], "accept")
    if any(":" in network for network in networks):
        draft.rule("input", arrived, f"{DISCOVERY} accept")
    for network in networks:
        keyword = "ip6" if ":" in network else "ip"
        draft.rule("input", arrived, f"{keyword} saddr {network} tcp dport 22 accept")
