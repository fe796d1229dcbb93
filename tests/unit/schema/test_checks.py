"""Each check across the tree: what it refuses or warns of, and that the neighbouring right thing passes."""

# ruff: noqa: E501  (a table reads best a row a line)

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import pytest

from appliance.config.document import read_document
from appliance.config.strict_yaml import parse_yaml
from appliance.schema.checks import CHECKS, run_checks
from appliance.schema.checks.rules import networks_of, ports_of
from appliance.schema.nat import NatRule
from appliance.schema.problem import Problem, Severity
from appliance.schema.root import Config

NICS = "interfaces: {public: {device: ens3, subnet: 4.5.6.0/26, gateway: 4.5.6.62}, private: {device: ens4, subnet: 10.1.0.0/24}}\n"
ZONE_A = "a: {public_ip: 4.5.6.10, private_ip: 10.1.0.252, vrid: 1, peer: 10.1.0.11}"
ZONE_B = "b: {public_ip: 4.5.6.11, private_ip: 10.1.0.253, vrid: 2, peer: 10.1.0.12}"
ZONES = f"netcfg: {{zones: {{{ZONE_A}, {ZONE_B}}}}}\n"
PLAN = NICS + ZONES
PHASES = ", ".join(
    f"phase{n}_dh_group_number: 14, phase{n}_integrity_algorithm: SHA512, phase{n}_encryption_algorithm: AES256"
    for n in (1, 2)
)


def tunnel(**more: str) -> str:
    settings = {"pre_shared_key": "k", "remote_peer": "5.6.7.8", "remote_subnet": "172.16.1.0/24", **more}
    parts = [f"{key}: {value}" for key, value in settings.items() if value]
    return f"ipsec: {{t: {{{', '.join([*parts, *(p for p in PHASES.split(', ') if p.split(':')[0] not in more)])}}}}}\n"


def peering(more: str = "", subnet: str = "device: ens5, gateways: [10.2.0.252]") -> str:
    return f"subnets: {{p: {{cidr: 10.2.0.0/24, {subnet}}}}}\nvpc_peerings: {{p: {{{more or addresses('10.2.0.70', '10.2.0.71')}}}}}\n"


def addresses(a: str, b: str) -> str:
    return f"netcfg: {{a: {{private_ip: {a}}}, b: {{private_ip: {b}}}}}"


def judge(text: str) -> list[Problem]:
    parsed = parse_yaml(text)
    assert not parsed.twice
    document = read_document(parsed.root)
    assert not document.problems
    verdicts = run_checks(Config.model_validate(document.tree), None, {})
    return [problem for verdict in verdicts.values() for problem in verdict]


def told(text: str) -> list[str]:
    return [f"{problem.severity}: {problem.text()}" for problem in judge(text)]


RIGHT = [
    PLAN,
    "interfaces: {public: {mask: 26, gateway: 4.5.6.62}, private: {mask: 24}}\n" + ZONES,
    PLAN + peering(),
    PLAN + peering("consent_key: x", "gateways: [10.1.0.70]"),
    PLAN + peering("consent_key: x", "via: kiwi"),
    PLAN
    + peering(
        f"{addresses('10.2.0.70', '10.2.0.71')}, policy: drop, ingress: {{ports: 1}}", "device: ens5, application: ceph"
    ),
    PLAN + tunnel(),
    PLAN + tunnel(remote_peer="vpn.example.org", zone="b"),
    PLAN + tunnel(rekey="50m"),
    PLAN + tunnel(remote_subnet="", remote_subnets="[172.16.1.0/24, 172.16.2.0/24]"),
    PLAN
    + "nat_rules: [{destination: 10.1.0.20, ports: 80}, {destination: 10.1.0.21, ports: 81}, {destination: 10.1.0.21, ports: 80, protocol: udp}]",
    PLAN
    + "nat_rules: [{destination: 10.1.0.20, ports: 80, public_ip: 4.5.6.10}, {destination: 10.1.0.21, ports: 80, public_ip: 4.5.6.11}]",
    PLAN
    + "nat_rules: [{destination: 10.1.0.20, ports: 80, source: 9.0.0.0/8}, {destination: 10.1.0.21, ports: 80, source: 8.0.0.0/8}]",
    PLAN + "nat_rules: [{destination: 10.1.0.20, ports: 80}, {destination: 10.1.0.21, ports: 80, disabled: true}]",
    PLAN + "ingress_rules: [{ports: 443, protocol: udp}]\nnat_rules: [{destination: 10.1.0.20, ports: 443}]",
    PLAN + "groups: {addresses: {g: [9.0.0.0/8]}, ports: {w: 80}}\ningress_rules: [{source: g, ports: w}]",
    PLAN
    + "routes: {0.0.0.0/0: {next_hops: {4.5.6.62: {}, 4.5.6.61: {dev: ens3}}}, 10.9.0.0/16: {next_hops: {10.1.0.2: {dev: private}}}}",
    PLAN + "remote_access: {enabled: true, pool: 10.99.0.0/24, users: {ann: {password: x}}}",
    "system: {zone: c}",
]

WRONG = [
    # the plan of addresses
    (NICS + "netcfg: {zones: {a: {public_ip: 4.5.6.64, vrid: 1}}}", "error: netcfg zones a public_ip: the address lies outside the subnet (got 4.5.6.64, expected 4.5.6.0/26)"),
    (NICS + "netcfg: {zones: {a: {public_ip: 4.5.6.0, vrid: 1}}}", "error: netcfg zones a public_ip: the address is the network address of 4.5.6.0/26 (got 4.5.6.0, expected an address for a host)"),
    (NICS + "netcfg: {zones: {a: {private_ip: 10.1.0.255, vrid: 1}}}", "error: netcfg zones a private_ip: the address is the broadcast address of 10.1.0.0/24 (got 10.1.0.255, expected an address for a host)"),
    (NICS + "netcfg: {zones: {a: {public_ip: 4.5.6.62, vrid: 1}}}", "error: netcfg zones a public_ip: the gateway of interfaces public (got 4.5.6.62, expected an address of its own)"),
    (NICS + "netcfg: {zones: {a: {private_ip: 10.1.0.4, peer: 10.1.0.4, vrid: 1}}}", "error: netcfg zones a peer: the address of netcfg zones a private_ip too (got 10.1.0.4, expected an address of its own)"),
    (NICS + "netcfg: {zones: {a: {peer: 10.2.0.4, vrid: 1}}}", "error: netcfg zones a peer: the address lies outside the subnet (got 10.2.0.4, expected 10.1.0.0/24)"),
    (NICS + "netcfg: {zones: {a: {public_ip6: 4.5.6.10, vrid: 1}}}", "error: netcfg zones a public_ip6: not IPv6 (got 4.5.6.10, expected an IPv6 value)"),
    ("netcfg: {zones: {a: {public_ip: 4.5.6.10, vrid: 1}}}", "error: netcfg zones a public_ip: no NIC for it: interfaces public is missing (got 4.5.6.10)"),
    ("netcfg: {zones: {a: {vrid: 3}, b: {vrid: 3}}}", "error: netcfg zones b vrid: the VRID of zone a too (got 3, expected one of its own)"),
    ("netcfg: {zones: {a: {vrid: 3, standby: [a]}, b: {vrid: 4}}}", "error: netcfg zones a standby: a zone that stands in for itself (got a, expected b)"),
    ("netcfg: {zones: {a: {vrid: 3, standby: [c]}}}", "error: netcfg zones a standby: no such zone (got c, expected a)"),
    ("system: {zone: c}\n" + PLAN, "error: system zone: no such zone (got c, expected a, b)"),
    (PLAN + tunnel(zone="c"), "error: ipsec t zone: no such zone (got c, expected a, b)"),
    (PLAN + "remote_access: {zone: c}", "error: remote_access zone: no such zone (got c, expected a, b)"),
    (PLAN + peering(addresses("10.2.0.70", "10.2.0.71")[:-1] + ", c: {private_ip: 10.2.0.72}}"), "error: vpc_peerings p netcfg c: no such zone (got c, expected a, b)"),
    ("interfaces: {public: {subnet: 4.5.6.0/26, mask: 24}}", "error: interfaces public mask: disagrees with the subnet (got 24, expected 26)"),
    ("interfaces: {private: {subnet: 10.1.0.0/24, address: 10.1.1.4}}", "error: interfaces private address: the NIC's address lies outside the subnet (got 10.1.1.4, expected 10.1.0.0/24)"),
    ("interfaces: {public: {device: e0}, private: {device: e0}}", "error: interfaces private device: the NIC of interfaces public too (got e0, expected a NIC of its own)"),
    ("system: {zone: a}\ninterfaces: {private: {subnet: 10.1.0.0/24, address: 10.1.0.13}}\nnetcfg: {zones: {a: {vrid: 1, peer: 10.1.0.11}}}", "error: interfaces private address: disagrees with netcfg zones a peer (got 10.1.0.13, expected 10.1.0.11)"),
    # routes
    (PLAN + "routes: {10.9.0.0/16: {next_hops: {}}}", "error: routes 10.9.0.0/16 next_hops: a route without next hops (expected at least one next hop)"),
    (PLAN + "routes: {10.9.0.0/16: {next_hops: {10.1.0.2: {dev: publik}}}}", "error: routes 10.9.0.0/16 next_hops 10.1.0.2 dev: no such NIC (got publik, expected public, private)"),
    (PLAN + "routes: {10.9.0.0/16: {next_hops: {10.1.0.2: {}}}}", "error: routes 10.9.0.0/16 next_hops 10.1.0.2: the next hop lies outside the subnet (got 10.1.0.2, expected 4.5.6.0/26)"),
    (PLAN + "routes: {'::/0': {next_hops: {4.5.6.62: {}}}}", "error: routes ::/0 next_hops 4.5.6.62: not IPv6, as the destination is (got 4.5.6.62)"),
    # networks apart
    (NICS + "subnets: {p: {cidr: 10.1.0.128/25}}", "error: subnets p cidr: overlaps interfaces private subnet, 10.1.0.0/24 (got 10.1.0.128/25, expected a network apart)"),
    (PLAN + peering() + tunnel(remote_subnet="10.2.0.0/16"), "error: subnets p cidr: overlaps ipsec t remote_subnet, 10.2.0.0/16 (got 10.2.0.0/24, expected a network apart)"),
    (PLAN + tunnel(remote_subnets="[172.16.1.128/25]"), "error: ipsec t remote_subnets: overlaps ipsec t remote_subnet, 172.16.1.0/24 (got 172.16.1.128/25, expected a network apart)"),
    (NICS + "remote_access: {pool: 10.1.0.64/26}", "error: remote_access pool: overlaps interfaces private subnet, 10.1.0.0/24 (got 10.1.0.64/26, expected a network apart)"),
    # rules
    ("ingress_rules: [{source: g, ports: 1}]", "error: ingress_rules 10 source: no such address group (got g, expected an entry of groups addresses)"),
    ("groups: {ports: {v: 1}}\negress_rules: [{ports: w}]", "error: egress_rules 10 ports: no such port group (got w, expected v)"),
    ("subnets: {p: {cidr: 10.2.0.0/24, gateways: [10.2.0.1]}}\nvpc_peerings: {p: {ingress: {ports: w}}}", "error: vpc_peerings p ingress_rules 10 ports: no such port group (got w, expected an entry of groups ports)"),
    (PLAN + tunnel(ingress_rules="[{source: g, ports: 1}]"), "error: ipsec t ingress_rules 10 source: no such address group (got g, expected an entry of groups addresses)"),
    (PLAN + "nat_rules: [{destination: 10.2.0.20, ports: 1}]", "error: nat_rules 10 destination: lies outside the private subnet (got 10.2.0.20, expected 10.1.0.0/24)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.252, ports: 1}]", "error: nat_rules 10 destination: an address of the gateways themselves (got 10.1.0.252, expected another host in 10.1.0.0/24)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.0, ports: 1}]", "error: nat_rules 10 destination: the network address of 10.1.0.0/24 (got 10.1.0.0, expected an address for a host)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.20, ports: 1, public_ip: 4.5.6.12}]", "error: nat_rules 10 public_ip: no public VIP (got 4.5.6.12, expected 4.5.6.10, 4.5.6.11)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.20, ports: 1, source: '2001:db8::/32'}]", "error: nat_rules 10 source: not IPv4, as the destination is (got 2001:db8::/32)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.20, ports: 1, source_nat: preserve}]", "warning: nat_rules 10 source_nat: with 2 zones the replies of other zones' flows leave by another gateway (got preserve, expected auto, unless the destination's default gateway is that of every entered zone)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.20, ports: '80,443'}, {destination: 10.1.0.21, ports: 400-500}]", "error: nat_rules 20: takes the same packets as nat_rules 10 (got tcp 400-500, expected another port, public_ip or source)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.20, ports: 80, public_ip: 4.5.6.10}, {destination: 10.1.0.21, ports: 80}]", "error: nat_rules 20: takes the same packets as nat_rules 10 (got tcp 80, expected another port, public_ip or source)"),
    (PLAN + "nat_rules: [{destination: 10.1.0.20, ports: 80, source: 9.0.0.0/8}, {destination: 10.1.0.21, ports: 80, source: 9.9.9.9}]", "error: nat_rules 20: takes the same packets as nat_rules 10 (got tcp 80, expected another port, public_ip or source)"),
    (PLAN + "ingress_rules: [{ports: 440-450}]\nnat_rules: [{destination: 10.1.0.20, ports: 443}]", "warning: ingress_rules 10: nat_rules 10 takes these packets first (got tcp 440-450)"),
    # peerings
    ("vpc_peerings: {p: {}}", "error: vpc_peerings p: no such subnet (got p, expected an entry of subnets)"),
    ("subnets: {p: {cidr: 10.2.0.0/24, id: q, via: kiwi}}\nvpc_peerings: {p: {}, q: {}}", "error: vpc_peerings q: the subnet of vpc_peerings p too (got q, expected a peering of its own)"),
    (PLAN + peering(addresses("10.3.0.70", "10.2.0.71")), "error: vpc_peerings p netcfg a private_ip: the address lies outside the subnet (got 10.3.0.70, expected 10.2.0.0/24)"),
    (PLAN + peering(addresses("10.2.0.70", "10.2.0.70")), "error: vpc_peerings p netcfg b private_ip: the address of zone a too (got 10.2.0.70, expected an address of its own)"),
    (PLAN + peering(addresses("10.2.0.252", "10.2.0.71")), "error: vpc_peerings p netcfg a private_ip: a gateway of subnets p (got 10.2.0.252, expected an address of its own)"),
    (PLAN + peering("netcfg: {a: {private_ip: 10.2.0.70}}"), "warning: vpc_peerings p netcfg: zone b has no address in the peer's subnet: the peering works in the other zones only"),
    (PLAN + peering("", "device: ens5, gateways: [10.1.0.9]"), "error: subnets p gateways: the gateway lies outside the subnet (got 10.1.0.9, expected 10.2.0.0/24)"),
    (PLAN + peering("consent_key: x", "gateways: [10.2.0.9]"), "error: subnets p gateways: the gateway lies outside the subnet (got 10.2.0.9, expected 10.1.0.0/24)"),
    (PLAN + peering("", "device: ens5, via: kiwi"), "error: subnets p via: beside a NIC of our own (got kiwi, expected either device or via)"),
    (PLAN + peering("", "device: ens5"), "warning: vpc_peerings p: nobody can agree at the other end: subnets p has no gateways (expected gateways, via: kiwi or consent: provider)"),
    (PLAN + peering(addresses("10.2.0.70", "10.2.0.71") + ", policy: accept, egress: {ports: 1}"), "warning: vpc_peerings p policy: the rules change nothing, for all is accepted (got accept, expected drop, or no rules)"),
    # tunnels
    (PLAN + tunnel(pre_shared_key=""), "error: ipsec t pre_shared_key: missing (expected a secret text, or pre_shared_key_file)"),
    (PLAN + tunnel(pre_shared_key_file="/x"), "error: ipsec t pre_shared_key_file: a second secret beside pre_shared_key (expected one of both)"),
    (PLAN + tunnel(remote_subnet=""), "error: ipsec t remote_subnet: missing (expected an address or CIDR)"),
    (PLAN + tunnel(remote_peer="5.6.7.0/24"), 'error: ipsec t remote_peer: a network, not one host (got "5.6.7.0/24", expected one address, as 192.0.2.1, or a host name)'),
    (PLAN + tunnel(remote_peer="5.6.7.800"), 'error: ipsec t remote_peer: not a host (got "5.6.7.800", expected one address, as 192.0.2.1, or a host name)'),
    (PLAN + tunnel(remote_peer="4.5.6.11"), "error: ipsec t remote_peer: our own netcfg zones b public_ip (got 4.5.6.11, expected the address of the other end)"),
    (PLAN + tunnel(remote_peer="224.0.0.1"), "error: ipsec t remote_peer: not the address of a host elsewhere (got 224.0.0.1, expected one address, as 192.0.2.1, or a host name)"),
    (PLAN + tunnel(remote_peer="'2001:db8::9'"), "error: ipsec t zone: zone a has no public VIP of IPv6 (got a)"),
    (tunnel(), "error: ipsec t zone: no zone to end in (expected an entry of netcfg zones)"),
    (PLAN + tunnel(phase1_dh_group_number="2"), "warning: ipsec t phase1_dh_group_number: a weak Diffie-Hellman group (got 2, expected 14-21 or 31)"),
    (PLAN + tunnel(phase2_integrity_algorithm="sha1"), "warning: ipsec t phase2_integrity_algorithm: a weak integrity algorithm (got SHA1, expected SHA256, SHA384, SHA512)"),
    (PLAN + tunnel(rekey="2h"), "warning: ipsec t rekey: clipped: the child SA's life ends before (got 2h, expected under 1h)"),
    (PLAN + tunnel(dpd_timeout="0s"), "error: ipsec t dpd_timeout: no time at all (got 0s, expected at least 1s)"),
    (PLAN + "remote_access: {enabled: true}", "error: remote_access pool: missing (expected an address or CIDR)"),
    (PLAN + "remote_access: {enabled: true, pool: 10.99.0.0/24, users: {ann: {}}}", "error: remote_access users ann password: missing (expected a secret text)"),
    ("services: {metrics: {enabled: true, port: 8443}, api: {enabled: true}}", "error: services api port: the port of services metrics too (got 8443)"),
    ("services: {metrics: {enabled: true, port: 8080}, status_page: {enabled: true}}", "error: services status_page port: the port of services metrics too (got 8080)"),
    ("services: {api: {enabled: true, port: 22}}", "error: services api port: the port of services ssh too (got 22)"),
]  # fmt: skip


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_passes_without_a_word(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[problem.partition(" (")[0] for _text, problem in WRONG])
def test_what_is_wrong_is_told_once_and_nothing_else(text: str, problem: str) -> None:
    assert told(text) == [problem]


def test_every_check_has_a_case_that_it_finds_fault_with() -> None:
    def finds(name: str, text: str) -> bool:
        config = Config.model_validate(read_document(parse_yaml(text).root).tree)
        return bool(run_checks(config, None, {})[name])

    silent = [check.name for check in CHECKS if not any(finds(check.name, text) for text, _problem in WRONG)]
    # Groups are looked up by one rule for all sections; NAT rules have no group of their own in the table.
    assert silent == ["groups in nat_rules"]


def test_only_errors_refuse() -> None:
    assert {problem.severity for problem in judge(PLAN + tunnel(rekey="2h"))} == {Severity.WARNING}


def contend(one: NatRule, other: NatRule, config: Config) -> bool:
    """Say by the definition whether two rules take the same packets."""
    if one.disabled or other.disabled or one.protocol is not other.protocol:
        return False
    if one.public_ip and other.public_ip and one.public_ip != other.public_ip:
        return False
    ports, others = ports_of(one, config.groups), ports_of(other, config.groups)
    if ports is None or others is None or not ports.overlaps(others):
        return False
    sources, more = networks_of(one.source, config.groups), networks_of(other.source, config.groups)
    return sources is None or more is None or any(a.overlaps(b) for a in sources for b in more)


@pytest.mark.parametrize("seed", range(20))
def test_contending_nat_rules_are_found_as_the_definition_finds_them(seed: int) -> None:
    choose = random.Random(seed)
    rules: dict[str, Any] = {}
    for number in range(1, choose.choice([8, 60])):
        low = choose.randint(1, 3000)
        rule: dict[str, Any] = {
            "destination": "10.1.0.20",
            "ports": f"{low}-{low + choose.randint(0, 20)},{choose.randint(4000, 5000)}",
        }
        rule |= {"protocol": choose.choice(["tcp", "udp"]), "disabled": choose.random() < 0.1}
        if choose.random() < 0.4:
            rule["public_ip"] = choose.choice(["4.5.6.10", "4.5.6.11"])
        if choose.random() < 0.6:
            rule["source"] = choose.choice(["g", "9.0.0.0/8", "9.1.0.0/16", "9.1.1.1", "8.8.8.8", "0.0.0.0/0"])
        rules[str(number)] = rule
    config = Config.model_validate(
        {
            **read_document(parse_yaml(PLAN).root).tree,
            "groups": {"addresses": {"g": ["7.0.0.0/8", "9.1.1.0/24"]}},
            "nat_rules": rules,
        }
    )
    wanted = {
        second
        for (_, one), (second, other) in combinations(sorted(config.nat_rules.items()), 2)
        if contend(one, other, config)
    }
    found = {int(problem.path[1]) for problem in run_checks(config, None, {})["NAT conflicts"]}
    # A rule that contends only with one that contends itself may be told after that one is mended.
    assert found <= wanted
    assert bool(found) == bool(wanted)
