"""Every spelling that the product page, Terraform and older files use leads to the one canonical tree."""

# ruff: noqa: E501  (a table reads best a row a line)

from __future__ import annotations

from typing import Any

import pytest

from appliance.config.document import read_document, read_value, to_node
from appliance.config.load import InvalidFile, parse_config
from appliance.schema.shape import root_shape

TUNNEL: dict[str, Any] = {
    "pre_shared_key": "secret",
    "remote_peer": "5.6.7.8",
    "remote_subnet": "172.16.1.0/24",
    **{f"phase{n}_dh_group_number": 14 for n in (1, 2)},
    **{f"phase{n}_integrity_algorithm": "SHA512" for n in (1, 2)},
    **{f"phase{n}_encryption_algorithm": "AES256" for n in (1, 2)},
}


def read(data: dict[str, Any]) -> dict[str, Any]:
    document = read_document(to_node(data))
    assert not document.problems
    return document.tree


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ({"ingress_rules": [{"ports": "1"}, {"ports": "2"}]}, {"ingress_rules": {"10": {"ports": "1"}, "20": {"ports": "2"}}}),
        ({"ingress_rules": {"20": {"ports": "2"}, "3": {"ports": "1"}}}, {"ingress_rules": {"3": {"ports": "1"}, "20": {"ports": "2"}}}),
        ({"ingress-rules": {"ports": "1"}}, {"ingress_rules": {"10": {"ports": "1"}}}),
        ({"dnat": [{"destination": "10.0.0.1", "ports": "1"}]}, {"nat_rules": {"10": {"destination": "10.0.0.1", "ports": "1"}}}),
        (
            {"firewall": {"ingress": [{"ports": "1"}], "egress_policy": "drop", "egress": [{"ports": "2"}]}},
            {"ingress_rules": {"10": {"ports": "1"}}, "egress_policy": "drop", "egress_rules": {"10": {"ports": "2"}}},
        ),
        (
            {"netip": {"public": ["1.2.3.4"], "private": "10.0.0.4", "zones": [{"zone": "a", "public": "1.2.3.4", "private": "10.0.0.4"}]}},
            {"netcfg": {"zones": {"a": {"public_ip": "1.2.3.4", "private_ip": "10.0.0.4"}}}},
        ),
        (
            {"system": {"zone": "a"}, "netip": {"public": "1.2.3.4", "private": ["10.0.0.4"]}},
            {"system": {"zone": "a"}, "netcfg": {"zones": {"a": {"public_ip": "1.2.3.4", "private_ip": "10.0.0.4"}}}},
        ),
        (
            {"vpc_peerings": {"subnet": "x", "ingress": {"ports": "1"}, "egress": [{"ports": "2"}], "netip": {"zone": "a", "private": "10.0.0.9"}}},
            {"vpc_peerings": {"x": {"ingress_rules": {"10": {"ports": "1"}}, "egress_rules": {"10": {"ports": "2"}}, "netcfg": {"a": {"private_ip": "10.0.0.9"}}}}},
        ),
        (
            {"kawaii_ipsec": [{"name": "x y", "remote_ip": "5.6.7.8", "dpd_timeout_action": "clear", "rekey_time": "1h", "description": "d"}]},
            {"ipsec": {"x y": {"remote_peer": "5.6.7.8", "dpd_action": "clear", "rekey": "1h", "desc": "d"}}},
        ),
        ({"ipsec_connections": {"x": {"firewall": {"ingress": {"ports": "22"}}}}}, {"ipsec": {"x": {"ingress_rules": {"10": {"ports": "22"}}}}}),
        (
            {"routes": [{"destination": "0.0.0.0/0", "next_hops": [{"via": "1.2.3.4", "weight": 2}]}]},
            {"routes": {"0.0.0.0/0": {"next_hops": {"1.2.3.4": {"weight": 2}}}}},
        ),
        ({"routes": {"2001:DB8:0::/32": None}}, {"routes": {"2001:db8::/32": {}}}),
        ({"system": None, "ha": {"mode": None}}, {"ha": {}}),
        ({"system": {"project": 12, "users": [{"name": "ann", "keys": []}]}}, {"system": {"project": "12", "users": {"ann": {"keys": []}}}}),
    ],
)  # fmt: skip
def test_another_spelling_becomes_the_canonical_tree(written: dict[str, Any], canonical: dict[str, Any]) -> None:
    assert read(written) == canonical


def test_values_in_any_case_are_spelled_canonically() -> None:
    algorithms = {"phase1_integrity_algorithm": "sha2-256", "phase2_encryption_algorithm": "aes128"}
    text = {
        "ingress_rules": [{"protocol": "UDP", "ports": " 9-10,80-443, 100"}],
        "ipsec": {"x": {**TUNNEL, **algorithms}},
    }
    zone = {"public_ip": "4.5.6.10", "vrid": 1}
    nics = {"public": {"device": "ens3", "subnet": "4.5.6.0/26"}}
    loaded = parse_config(str({**text, "netcfg": {"zones": {"a": zone}}, "interfaces": nics}).replace("'", '"'), "x")
    assert loaded.tree["ingress_rules"]["10"] == {"protocol": "udp", "ports": "9-10,80-443"}
    assert loaded.tree["ipsec"]["x"]["phase1_integrity_algorithm"] == "SHA256"
    assert loaded.tree["ipsec"]["x"]["phase2_encryption_algorithm"] == "AES128"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("dnat: []\nnat_rules: []\n", ["f:2: nat_rules: given twice, as dnat and as nat_rules"]),
        ("netcfg:\n  zones:\n  - {vrid: 1}\n", ["f:3: netcfg zones: entry 1 has no zone"]),
        ("netcfg:\n  zones:\n  - {zone: a, vrid: 1}\n  - {zone: a, vrid: 2}\n", ["f:4: netcfg zones a: the same zone a second time"]),
        ("ipsec:\n- 3\n", ["f:2: ipsec: entry 1 is a single value (expected a mapping)"]),
        ("firewall:\n  outgress: []\n", ["f:2: firewall outgress: unknown key (expected ingress, egress_policy, egress)"]),
        ("netip:\n  public: 1.2.3.4\n", ["f:2: netcfg public: addresses without their zones (expected netcfg zones with zone, vrid and addresses)"]),
        (
            "netcfg: {public_ips: [1.2.3.5], zones: [{zone: a, vrid: 1, private_ip: 10.0.0.4}]}\ninterfaces: {private: {subnet: 10.0.0.0/24}}\n",
            ["f:1: netcfg public_ips: not in netcfg zones (got 1.2.3.5)"],
        ),
        ("- 1\n", ["f:1: not a configuration (got a list, expected a mapping of sections)"]),
    ],
)  # fmt: skip
def test_a_wrong_form_is_told_with_its_line(text: str, problems: list[str]) -> None:
    with pytest.raises(InvalidFile) as refused:
        parse_config(text, "f")
    assert str(refused.value).splitlines() == problems


def test_a_part_of_the_tree_is_read_in_the_same_spellings() -> None:
    shape = root_shape().attributes["nat_rules"].shape
    value, problems = read_value([{"destination": "10.0.0.1", "ports": 443}], shape, ("nat_rules",))
    assert value == {"10": {"destination": "10.0.0.1", "ports": 443}}
    assert not problems
