"""Configurations that the firewall's tests start from, as small as their subject allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from appliance.config.load import parse_config
from appliance.schema.root import Config
from appliance.subsystems.firewall.render import render_ruleset
from appliance.subsystems.firewall.ruleset import Ruleset
from appliance.subsystems.view import NodeFacts, NodeView, build_view

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "cloud-init" / "examples"
GOLDEN = ROOT / "tests" / "golden" / "nft"

ONE_ZONE: dict[str, Any] = {
    "interfaces": {
        "public": {"device": "ens3", "subnet": "4.5.6.0/26", "gateway": "4.5.6.62"},
        "private": {"device": "ens4", "subnet": "10.50.201.0/24"},
    },
    "netcfg": {
        "zones": {"a": {"public_ip": "4.5.6.10", "private_ip": "10.50.201.252", "vrid": 1, "peer": "10.50.201.11"}}
    },
}
ZONE_B = {"public_ip": "4.5.6.11", "private_ip": "10.50.201.253", "vrid": 2, "peer": "10.50.201.12"}


def one_zone(**sections: Any) -> dict[str, Any]:
    """Give a region of one zone with more sections."""
    return {**ONE_ZONE, **sections}


def two_zones(**sections: Any) -> dict[str, Any]:
    """Give a region of zones a and b with more sections."""
    return {**ONE_ZONE, "netcfg": {"zones": {**ONE_ZONE["netcfg"]["zones"], "b": ZONE_B}}, **sections}


def view_of(tree: dict[str, Any], zone: str | None = "a") -> NodeView:
    """Give a tree as a zone's gateway sees it."""
    return build_view(Config.model_validate(tree), NodeFacts(zone=zone))


def rules_of(tree: dict[str, Any], zone: str | None = "a") -> Ruleset:
    """Render a tree for a zone's gateway."""
    return render_ruleset(view_of(tree, zone))


def chain_of(ruleset: Ruleset, name: str) -> tuple[str, ...]:
    """Give a chain's rules."""
    return next(chain.rules for chain in ruleset.chains if chain.name == name)


def elements_of(ruleset: Ruleset, name: str) -> dict[str, str | None]:
    """Give a set's or map's elements."""
    return dict(next(item.elements for item in ruleset.sets if item.name == name))


def example(name: str) -> dict[str, Any]:
    """Give the canonical tree of an example's user-data."""
    written = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))["kawaii"]
    return dict(parse_config(json.dumps(written), name).tree)


RULES = one_zone(
    groups={
        "addresses": {"offices": ["203.0.113.0/25", "203.0.113.128/25", "2001:db8::/32"], "nobody": []},
        "ports": {"web": "80,443,8000-8080"},
    },
    ingress_rules={
        10: {"ports": "443"},
        20: {"source": "offices", "ports": "web", "log": True},
        30: {"source": "198.51.100.7", "ports": "22", "limit": "3/minute", "log": True},
        40: {"protocol": "icmp"},
        50: {"source": "203.0.113.9", "protocol": "any"},
        60: {"ports": "53", "protocol": "udp", "disabled": True},
        70: {"source": "nobody", "ports": "1-65535"},
    },
    nat_rules={
        10: {"destination": "10.50.201.20", "ports": "80", "to_port": 8080, "log": True},
        20: {"destination": "10.50.201.21", "ports": "web", "protocol": "udp", "source": "offices"},
        30: {"destination": "10.50.201.22", "ports": "5000-5010", "source_nat": "masquerade"},
        40: {"destination": "10.50.201.22", "ports": "5005-5020", "public_ip": "4.5.6.10", "source": "203.0.113.77"},
    },
    services={"api": {"enabled": True}, "metrics": {"enabled": True}},
)

EGRESS_DROP = one_zone(
    egress_policy="drop",
    egress_rules={
        10: {"ports": "80,443"},
        20: {"ports": "53", "protocol": "udp", "destination": "9.9.9.9"},
        30: {"protocol": "icmp", "log": True},
    },
)

NAT_TWO_ZONES = two_zones(
    nat_rules={
        10: {"destination": "10.50.201.20", "ports": "80,443"},
        20: {"destination": "10.50.201.20", "ports": "22", "source_nat": "preserve", "public_ip": "4.5.6.11"},
    }
)

V6: dict[str, Any] = {
    "system": {"management_networks": ["10.5.0.0/22", "fd00:5::/48"]},
    "interfaces": {
        "public": {"device": "ens3", "subnet": "4.5.6.0/26", "subnet6": "2001:db8:1::/64"},
        "private": {"device": "ens4", "subnet": "10.50.201.0/24", "subnet6": "fd00:50::/64"},
    },
    "netcfg": {
        "zones": {
            "a": {
                **ONE_ZONE["netcfg"]["zones"]["a"],
                "public_ip6": "2001:db8:1::10",
                "private_ip6": "fd00:50::252",
            },
            "b": {**ZONE_B, "public_ip6": "2001:db8:1::11", "private_ip6": "fd00:50::253"},
        }
    },
    "ingress_rules": {10: {"source": "::/0", "ports": "443"}, 20: {"source": "2001:db8:9::/48", "protocol": "icmp"}},
    "egress_rules": {10: {"destination": "::/0", "ports": "25"}},
    "nat_rules": {10: {"destination": "fd00:50::20", "ports": "80", "to_port": 8080}},
}

PEERED: dict[str, Any] = two_zones(
    subnets={
        "ceph": {"cidr": "10.50.102.0/24", "device": "ens5", "application": "ceph"},
        "marvelous": {"cidr": "10.50.205.0/24", "device": "ens6", "gateways": ["10.50.205.252"]},
        "far": {"cidr": "10.60.0.0/24", "via": "kiwi"},
    },
    vpc_peerings={
        "ceph": {"netcfg": {"a": {"private_ip": "10.50.102.70"}, "b": {"private_ip": "10.50.102.71"}}},
        "marvelous": {
            "netcfg": {"a": {"private_ip": "10.50.205.70"}, "b": {"private_ip": "10.50.205.71"}},
            "consent_key": "acme and marvelous agree",
            "policy": "accept",
            "transit": True,
        },
        "far": {"ingress_rules": {10: {"ports": "443"}}, "egress_rules": {10: {"ports": "53", "protocol": "udp"}}},
    },
)

CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "acme-a": (example("acme-user-data.yaml"), "eu-west-a"),
    "acme-b": (example("acme-user-data.yaml"), "eu-west-b"),
    "marvelous": (example("marvelous-user-data.yaml"), "eu-west-a"),
    "rules": (RULES, "a"),
    "egress-drop": (EGRESS_DROP, "a"),
    "nat-two-zones": (NAT_TWO_ZONES, "b"),
    "v6": (V6, "a"),
    "peered": (PEERED, "a"),
    "empty": ({}, None),
}
