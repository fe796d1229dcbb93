"""What configurations become as rules, claim by claim (semantics S1 to S6, S8, S11, S13)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from appliance.subsystems.firewall.render import closed_ruleset, render_closed
from appliance.subsystems.firewall.ruleset import Ruleset
from appliance.subsystems.firewall.scope import tunnel_name
from tests.unit.subsystems.firewall_cases import (
    CASES,
    PEERED,
    V6,
    chain_of,
    elements_of,
    one_zone,
    rules_of,
    two_zones,
)


def all_rules(ruleset: Ruleset) -> list[str]:
    return [rule for chain in ruleset.chains for rule in chain.rules]


@pytest.mark.parametrize("name", CASES)
def test_input_and_forward_are_closed_by_policy_and_output_is_never_cut(name: str) -> None:
    tree, zone = CASES[name]
    hooks = {chain.name: chain.hook for chain in rules_of(tree, zone).chains}
    assert (hooks["input"] and hooks["input"].policy) == "drop"
    assert (hooks["forward"] and hooks["forward"].policy) == "drop"
    assert (hooks["output"] and hooks["output"].policy) == "accept"
    assert chain_of(rules_of(tree, zone), "output") == ()


@pytest.mark.parametrize("name", CASES)
def test_devices_are_matched_by_name_so_that_they_may_come_later(name: str) -> None:
    tree, zone = CASES[name]
    words = " ".join(all_rules(rules_of(tree, zone))).split()
    assert "iif" not in words
    assert "oif" not in words


def test_rules_stand_in_the_order_of_their_numbers() -> None:
    tree = one_zone(ingress_rules={30: {"ports": "3"}, 10: {"ports": "1"}, 20: {"ports": "2"}})
    ports = [rule.split("tcp dport ")[1].split()[0] for rule in chain_of(rules_of(tree), "ingress")]
    assert ports == ["1", "2", "3"]


def test_disabled_rules_leave_no_trace() -> None:
    sections: dict[str, Any] = {
        "ingress_rules": {10: {"ports": "443", "disabled": True}},
        "egress_rules": {10: {"ports": "25", "disabled": True}},
        "nat_rules": {10: {"destination": "10.50.201.20", "ports": "80", "disabled": True}},
    }
    assert rules_of(one_zone(**sections)) == rules_of(one_zone())


def test_ingress_rules_open_public_vips_only_and_destination_ports_only() -> None:
    ruleset = rules_of(two_zones(ingress_rules={10: {"ports": "443"}}))
    assert chain_of(ruleset, "input_public") == ("ip daddr @public_vips4 jump ingress",)
    assert set(elements_of(ruleset, "public_vips4")) == {"4.5.6.10", "4.5.6.11"}
    assert "sport" not in " ".join(all_rules(ruleset))


def test_a_group_without_addresses_of_a_family_matches_nothing() -> None:
    tree = one_zone(groups={"addresses": {"nobody": []}}, ingress_rules={10: {"source": "nobody", "ports": "22"}})
    assert chain_of(rules_of(tree), "ingress") == ()


def test_vrrp_is_accepted_from_peers_addresses_only_with_ttl_255_and_their_mac_where_stated() -> None:
    tree = two_zones()
    tree["netcfg"]["zones"]["b"] = {**tree["netcfg"]["zones"]["b"], "mac": "52:54:00:00:00:0b"}
    ruleset = rules_of(tree)
    accepted, dropped = chain_of(ruleset, "input_vrrp")
    for word in ('iifname "ens4"', "ip saddr 10.50.201.12", "ether saddr 52:54:00:00:00:0b", "ip ttl 255", "accept"):
        assert word in accepted
    assert dropped.endswith("drop")


def test_vrrp_is_judged_before_the_state_of_flows() -> None:
    rules = chain_of(rules_of(two_zones()), "input")
    assert rules.index("meta l4proto 112 goto input_vrrp") < rules.index("ct state established,related accept")


def test_state_synchronisation_is_closed_when_it_is_off() -> None:
    assert any("3780" in rule for rule in all_rules(rules_of(two_zones())))
    assert not any("3780" in rule for rule in all_rules(rules_of(two_zones(ha={"conntrack_sync": False}))))


def test_management_ports_follow_the_services() -> None:
    closed = rules_of(one_zone(services={"ssh": {"listen": "none"}}))
    assert not any("management" in rule for rule in chain_of(closed, "input_private"))
    opened = rules_of(one_zone(services={"api": {"enabled": True, "port": 9443}, "metrics": {"enabled": True}}))
    assert any("tcp dport { 22, 9443, 9100 }" in rule for rule in chain_of(opened, "input_private"))
    page: dict[str, Any] = {"ssh": {"listen": "none"}, "status_page": {"enabled": True}}
    alone = chain_of(rules_of(one_zone(services=page)), "input_private")
    assert any("tcp dport 8080" in rule for rule in alone)
    joined = chain_of(rules_of(one_zone(services={**page, "api": {"enabled": True}})), "input_private")
    assert any("tcp dport 8443" in rule for rule in joined)
    assert not any("8080" in rule for rule in joined)


def connection(**more: Any) -> dict[str, Any]:
    algorithms = {
        f"phase{phase}_{what}": value
        for phase in (1, 2)
        for what, value in (
            ("dh_group_number", 14),
            ("integrity_algorithm", "SHA512"),
            ("encryption_algorithm", "AES256"),
        )
    }
    return {
        "pre_shared_key": "x",
        "remote_peer": "5.6.7.8",
        "remote_subnet": "172.16.1.0/24",
        **algorithms,
        **more,
    }


def test_ike_is_open_to_the_far_ends_only_while_there_are_tunnels() -> None:
    def ike(**sections: Any) -> list[str]:
        return [rule for rule in chain_of(rules_of(one_zone(**sections)), "input_public") if "ipsec" in rule]

    assert ike() == []
    assert ike(ipsec={"office": connection(disabled=True)}) == []
    by_address = ike(ipsec={"office": connection()})
    assert len(by_address) == 2
    assert all("ip saddr 5.6.7.8" in rule for rule in by_address)
    by_name = ike(ipsec={"office": connection(), "other": connection(remote_peer="gw.example.org")})
    assert len(by_name) == 2
    assert not any("saddr" in rule for rule in by_name)


@pytest.mark.parametrize("name", ["ACME Office", 'quote " brace } hash #', "ünï©ode", "x" * 200, "a/b"])
def test_any_tunnel_name_makes_a_safe_and_distinct_stem(name: str) -> None:
    stem = tunnel_name(name)
    assert stem != tunnel_name(name + "2")
    assert len(stem) < 64
    assert all(letter.isascii() and (letter.isalnum() or letter == "_") for letter in stem)


def test_tunnel_rules_honour_their_source_and_close_the_rest() -> None:
    rules = {10: {"ports": "22", "source": "172.16.1.7"}, 20: {"protocol": "icmp"}}
    ruleset = rules_of(one_zone(ipsec={"office": connection(ingress_rules=rules)}))
    inward = chain_of(ruleset, f"{tunnel_name('office')}/in")
    assert inward[0].startswith("ip saddr 172.16.1.7 tcp dport 22 ")
    assert inward[-1].endswith("drop")
    free = chain_of(rules_of(one_zone(ipsec={"office": connection()})), f"{tunnel_name('office')}/in")
    assert len(free) == 1
    assert free[0].endswith("accept")


def test_egress_policy_drop_accepts_its_rules_and_accept_drops_them() -> None:
    rules = {10: {"ports": "25"}, 20: {"protocol": "any", "destination": "9.9.9.0/24"}}
    accepting = chain_of(rules_of(one_zone(egress_rules=rules)), "egress")
    assert [rule.split()[-1] for rule in accepting] == ["drop", "drop", "accept"]
    dropping = chain_of(rules_of(one_zone(egress_policy="drop", egress_rules=rules)), "egress")
    assert [rule.split()[-1] for rule in dropping] == ["accept", "accept", "drop"]


def test_egress_control_leaves_private_peering_tunnel_and_management_networks_alone() -> None:
    inside = set(elements_of(rules_of(*CASES["acme-a"]), "inside4"))
    assert inside == {"10.50.201.0/24", "10.50.102.0/24", "10.50.205.0/24", "172.16.1.0/24", "10.5.0.0/22"}


def test_flows_are_marked_with_the_zone_whose_vip_they_were_sent_to() -> None:
    ruleset = rules_of(two_zones(), "b")
    assert elements_of(ruleset, "zone_by_device") == {'"vip1"': "1", '"ens4"': "2"}
    assert elements_of(ruleset, "zone_by_vip4") == {"4.5.6.10": "1", "4.5.6.11": "2"}
    assert elements_of(ruleset, "public_vip4") == {"1": "4.5.6.10", "2": "4.5.6.11"}


def test_what_has_no_public_address_of_its_zone_does_not_leave_with_another() -> None:
    tree = two_zones()
    tree["netcfg"]["zones"]["b"] = {k: v for k, v in tree["netcfg"]["zones"]["b"].items() if k != "public_ip"}
    ruleset = rules_of(tree, "b")
    assert elements_of(ruleset, "public_vip4") == {"1": "4.5.6.10"}
    assert chain_of(ruleset, "nat_postrouting")[-1].endswith("drop")


NAT = {10: {"destination": "10.50.201.20", "ports": "80"}}


@pytest.mark.parametrize(
    ("zones", "source_nat", "translated"),
    [
        (one_zone, "auto", False),
        (one_zone, "masquerade", True),
        (one_zone, "preserve", False),
        (two_zones, "auto", True),
        (two_zones, "masquerade", True),
        (two_zones, "preserve", False),
    ],
)
def test_forwarded_flows_keep_their_client_as_source_nat_says(zones: Any, source_nat: str, translated: bool) -> None:
    ruleset = rules_of(zones(nat_rules={10: {**NAT[10], "source_nat": source_nat}}))
    assert any(item.name == "nat_translated4/ports" for item in ruleset.sets) is translated


def test_nat_opens_only_the_path_to_the_translated_port() -> None:
    ruleset = rules_of(one_zone(nat_rules={10: {**NAT[10], "to_port": 8080}}))
    assert set(elements_of(ruleset, "nat_targets4/ports")) == {"10.50.201.20 . tcp . 8080"}
    assert any("dnat ip to 10.50.201.20:8080" in rule for rule in chain_of(ruleset, "nat_rules4"))
    assert not any("dport 80" in rule for rule in chain_of(ruleset, "ingress"))


def test_rules_to_one_port_of_one_destination_share_one_opening() -> None:
    rules = {n: {"destination": "10.50.201.20", "ports": f"{n}-{n + 10}", "public_ip": "4.5.6.10"} for n in (80, 85)}
    assert set(elements_of(rules_of(one_zone(nat_rules=rules)), "nat_targets4/ports")) == {"10.50.201.20 . tcp . 80-95"}


def spoofed(tree: dict[str, Any], source: str) -> bool:
    ruleset = rules_of(tree)
    version = ip_address(source).version
    names = {item.name for item in ruleset.sets}
    networks = elements_of(ruleset, f"spoofed{version}") if f"spoofed{version}" in names else {}
    return any(ip_address(source) in ip_network(network) for network in networks)


@pytest.mark.parametrize(
    "source",
    [
        "10.50.201.20",
        "10.1.2.3",
        "0.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.9.9",
        "192.168.1.1",
        "224.0.0.18",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_bogons_and_our_own_subnet_cannot_come_from_the_internet(source: str) -> None:
    assert spoofed(one_zone(), source)


@pytest.mark.parametrize("source", ["4.5.6.40", "203.0.113.9", "198.51.100.10", "192.0.2.1", "8.8.8.8"])
def test_ordinary_and_documentation_sources_are_not_spoofed(source: str) -> None:
    assert not spoofed(one_zone(), source)


def test_a_public_subnet_in_private_address_space_is_not_spoofed_but_its_neighbourhood_is() -> None:
    tree = one_zone()
    tree["interfaces"] = {**tree["interfaces"], "public": {"device": "ens3", "subnet": "10.9.0.0/24"}}
    tree["netcfg"] = {"zones": {"a": {**tree["netcfg"]["zones"]["a"], "public_ip": "10.9.0.10"}}}
    assert not spoofed(tree, "10.9.0.40")
    assert spoofed(tree, "10.9.1.40")
    assert spoofed(tree, "10.50.201.20")


def test_routed_networks_and_far_ends_on_the_public_side_are_not_spoofed() -> None:
    routes = {
        "10.77.0.0/16": {"next_hops": {"4.5.6.62": {}}},
        "10.78.0.0/16": {"next_hops": {"10.50.201.1": {"dev": "private"}}},
    }
    tree = one_zone(routes=routes, ipsec={"office": connection(remote_peer="192.168.44.1")})
    assert not spoofed(tree, "10.77.1.1")
    assert spoofed(tree, "10.78.1.1")
    assert not spoofed(tree, "192.168.44.1")
    assert spoofed(tree, "192.168.44.2")


def test_peers_subnets_are_spoofed_on_the_public_nic() -> None:
    tree = one_zone(
        subnets={"far": {"cidr": "203.0.113.0/24", "device": "ens6", "gateways": ["203.0.113.1"]}},
        vpc_peerings={"far": {}},
    )
    assert spoofed(tree, "203.0.113.9")


@pytest.mark.parametrize("name", [name for name in CASES if name != "v6"])
def test_without_ipv6_in_the_configuration_no_rule_accepts_any(name: str) -> None:
    tree, zone = CASES[name]
    assert not [rule for rule in all_rules(rules_of(tree, zone)) if "ip6" in rule or "nfproto ipv6" in rule]


def test_neighbour_discovery_is_let_in_before_invalid_packets_are_dropped() -> None:
    rules = chain_of(rules_of(V6), "input")
    discovery = next(i for i, rule in enumerate(rules) if "nd-neighbor-solicit" in rule)
    invalid = next(i for i, rule in enumerate(rules) if "invalid" in rule)
    assert discovery < invalid
    assert "ip6 hoplimit 255" in rules[discovery]


def test_unique_local_sources_are_translated_and_global_ones_routed() -> None:
    rules = [rule for rule in chain_of(rules_of(V6), "nat_postrouting") if 'oifname "ens3"' in rule and "ip6" in rule]
    assert rules
    assert all("ip6 saddr fc00::/7" in rule for rule in rules)


def test_default_sources_and_destinations_are_ipv4_only() -> None:
    tree = {**V6, "ingress_rules": {10: {"ports": "443"}}, "egress_rules": {10: {"ports": "25"}}}
    assert chain_of(rules_of(tree), "ingress") == ('meta nfproto ipv4 tcp dport 443 counter name "ingress_10" accept',)


def test_a_peering_with_a_key_passes_nothing_before_consent_established_flows_neither() -> None:
    rules = chain_of(rules_of(PEERED), "forward")
    gates = [i for i, rule in enumerate(rules) if "@consent_marvelous" in rule]
    assert gates
    assert max(gates) < rules.index("ct state established,related accept")
    consent = next(item for item in rules_of(PEERED).sets if item.name == "consent_marvelous")
    assert consent.dynamic


def test_only_gateways_are_senders_of_a_peering_and_anyone_of_a_service_subnet() -> None:
    ruleset = rules_of(PEERED)
    assert set(elements_of(ruleset, "peer_marvelous/sources4")) == {"10.50.205.252"}
    assert set(elements_of(ruleset, "peer_ceph/sources4")) == {"10.50.102.0/24"}


def test_a_ceph_peering_without_rules_opens_cephs_ports_towards_it_only() -> None:
    ruleset = rules_of(PEERED)
    outward = " ".join(chain_of(ruleset, "peer_ceph/out"))
    assert "tcp dport { 111, 2049, 3300, 6789, 6800-7568 }" in outward
    assert not any("dport" in rule for rule in chain_of(ruleset, "peer_ceph/in"))


def test_rules_of_an_accepting_peering_never_drop() -> None:
    tree = {**PEERED, "vpc_peerings": {"marvelous": {"policy": "accept", "egress_rules": {10: {"ports": "22"}}}}}
    for side in ("in", "out"):
        assert all(rule.endswith("accept") for rule in chain_of(rules_of(tree), f"peer_marvelous/{side}"))


@pytest.mark.parametrize(("transit", "opened"), [(True, True), (False, False)])
def test_a_peer_gets_to_the_internet_by_transit_only(transit: bool, opened: bool) -> None:
    tree = {**PEERED, "vpc_peerings": {"marvelous": {"policy": "accept", "transit": transit}}}
    assert any("goto egress" in rule for rule in chain_of(rules_of(tree), "peer_marvelous/transit")) is opened
    assert chain_of(rules_of(tree), "peer_marvelous/transit")[-1].endswith("drop")


def test_peers_names_cannot_collide() -> None:
    names = {"x": "10.1.0.0/24", "x_in": "10.2.0.0/24", "x-in": "10.3.0.0/24", "in": "10.4.0.0/24"}
    tree = one_zone(
        subnets={name: {"cidr": cidr, "via": "kiwi"} for name, cidr in names.items()},
        vpc_peerings={name: {} for name in names},
    )
    ruleset = rules_of(tree)
    assert len({chain.name for chain in ruleset.chains}) == len(ruleset.chains)
    for name, cidr in names.items():
        assert set(elements_of(ruleset, f"peer_{name}/networks4")) == {cidr}


def test_closed_node_answers_ssh_on_its_private_nic_from_its_network_and_nothing_else() -> None:
    rules = chain_of(render_closed("ens4", (ip_network("10.50.201.0/24"),)), "input")
    assert rules[2:] == (
        'iifname "ens4" icmp type echo-request accept',
        'iifname "ens4" ip saddr 10.50.201.0/24 tcp dport 22 accept',
    )


def test_node_that_knows_nothing_answers_nobody() -> None:
    assert chain_of(closed_ruleset(), "input") == ('iifname "lo" accept', "ct state established,related accept")
    assert chain_of(closed_ruleset(), "forward") == ()
