"""A file is accepted, or refused with every problem, its line, its path, what was found and what is accepted."""

# ruff: noqa: E501  (a table reads best a row a line)

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config.load import InvalidFile, parse_config
from appliance.sources.userdata import load_file

ACME = Path(__file__).parents[3] / "cloud-init" / "examples" / "acme-user-data.yaml"


def problems_of(text: str) -> list[str]:
    with pytest.raises(InvalidFile) as refused:
        parse_config(text, "f")
    return str(refused.value).splitlines()


def test_three_mistakes_in_the_example_are_all_told_with_file_line_and_path(tmp_path: Path) -> None:
    lines = ACME.read_text(encoding="utf-8").splitlines()
    port = next(n for n, line in enumerate(lines) if 'ports: "8443"' in line)
    key = next(n for n, line in enumerate(lines) if "remote_subnet" in line)
    policy = next(n for n, line in enumerate(lines) if "policy: accept" in line)
    lines[port] = lines[port].replace("8443", "70000")
    lines[key] = lines[key].replace("remote_subnet", "remote_subnett")
    lines[policy] = lines[policy].replace("accept", "maybe")
    file = tmp_path / "acme.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InvalidFile) as refused:
        load_file(file)
    told = str(refused.value)
    assert f'{file}:{port + 1}: ingress_rules 10 ports: not a port (got "70000", expected 1-65535)' in told
    assert f'{file}:{key + 1}: ipsec "ACME Office" remote_subnett: unknown key, did you mean remote_subnet?' in told
    assert (
        f"{file}:{policy + 1}: vpc_peerings eu-west-marvelous policy: not one of the words "
        '(got "maybe", expected accept, drop)'
    ) in told
    assert len(refused.value.located) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ingress_rules: [{ports: 70000}]", "f:1: ingress_rules 10 ports: not a port (got 70000, expected 1-65535)"),
        ("ingress_rules: [{ports: 443-80}]", 'f:1: ingress_rules 10 ports: a port range that ends before it begins (got "443-80", expected 80-443)'),
        ("ingress_rules: [{}]", "f:1: ingress_rules 10 ports: ports are missing (expected a port list, as 80,443, for protocol tcp and udp)"),
        ("ingress_rules: [{ports: 1, log: yes}]", 'f:1: ingress_rules 10 log: neither true nor false (got "yes", expected true or false)'),
        ("ingress_rules: {ten: {ports: 1}}", 'f:1: ingress_rules ten: not a whole number (got "ten", expected 1-9999999)'),
        ("netcfg: {zones: {a: {vrid: 256}}}", "f:1: netcfg zones a vrid: out of range (got 256, expected 1-255)"),
        ("netcfg: {zones: {a: {vrid: true}}}", "f:1: netcfg zones a vrid: not a whole number (got true, expected 1-255)"),
        ("netcfg: {zones: {a: {}}}", "f:1: netcfg zones a vrid: missing (expected 1-255)"),
        ("ha: 3", "f:1: ha: not a mapping (got 3, expected a mapping)"),
        ("system: {dns: 1.2.3.4}", 'f:1: system dns: not a list (got "1.2.3.4", expected a list, each an IPv4 or IPv6 address)'),
        ("system: {dns: [1.2.3]}", 'f:1: system dns: not an address (got "1.2.3", expected an IPv4 or IPv6 address, as 192.0.2.1)'),
        ("nat_rules: [{destination: 10.0.0.1, ports: 1, protocol: icmp}]", 'f:1: nat_rules 10 protocol: not accepted here (got "icmp", expected tcp or udp)'),
        ("egress_policy: accept\negress_policy: drop", "f:2: egress_policy: a second time; the first is on line 1"),
        ("a: [", "f:2: did not find expected node content"),
    ],
)  # fmt: skip
def test_a_refused_value_is_told_with_what_was_found_and_what_is_accepted(text: str, problem: str) -> None:
    assert problem in problems_of(text)


def test_no_problem_shows_a_secret() -> None:
    text = """
    ipsec: {x: {pre_shared_key: [hush], remote_peer: 1.2.3.4, remote_subnet: 10.0.0.0/8}}
    vpc_peerings: {y: {consent_key: {a: hush}, consent_kee: hush}}
    system: {users: {ann: {password_hash: {hush: 1}}}}
    """
    told = "\n".join(problems_of(text))
    assert "consent_key: not a secret" in told
    assert "consent_kee: unknown key, did you mean consent_key?" in told
    assert "hush" not in told


def test_problems_come_in_the_order_of_their_lines_and_with_those_across_sections() -> None:
    text = """ingress_rules:
  - {ports: "70000"}
  - {ports: web}
nat_rules:
  - {destination: 192.0.2.1, ports: "1"}
"""
    assert problems_of(text) == [
        'f:2: ingress_rules 10 ports: not a port (got "70000", expected 1-65535)',
        "f:3: ingress_rules 20 ports: no such port group (got web, expected an entry of groups ports)",
        "f:5: nat_rules 10 destination: lies outside the private subnet (got 192.0.2.1, expected interfaces private subnet to be set)",
    ]


def test_a_number_where_text_is_wanted_keeps_its_spelling() -> None:
    loaded = parse_config("system: {users: {7: {password_hash: 0123}}, timezone: 1.50}", "f")
    assert loaded.tree["system"] == {"timezone": "1.50", "users": {"7": {"password_hash": "0123"}}}


def test_an_empty_file_is_an_empty_configuration() -> None:
    assert parse_config("# nothing\n", "f").tree == {}


def test_warnings_have_their_line_and_refuse_nothing() -> None:
    text = "vpc_peerings:\n  x:\n    policy: accept\n    ingress: {ports: 1}\nsubnets: {x: {cidr: 10.0.0.0/24, application: ceph}}\n"
    assert [warning.text() for warning in parse_config(text, "f").warnings] == [
        "f:3: warning: vpc_peerings x policy: the rules change nothing, for all is accepted (got accept, expected drop, or no rules)"
    ]
