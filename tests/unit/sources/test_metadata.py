"""Meta-data and network-config in the spellings of NoCloud, ConfigDrive and netplan."""

# ruff: noqa: E501  (a table reads best a row a line)

from __future__ import annotations

from ipaddress import ip_interface

import pytest

from appliance.config.load import InvalidFile
from appliance.sources.metadata import MetaData, parse_metadata, parse_network_config


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("", MetaData()),
        (
            "instance-id: i-1\navailability-zone: eu-west-a\nregion: eu-west\nlocal-hostname: gw\npublic-keys: [ssh-ed25519 A, ssh-rsa B]",
            MetaData("i-1", "eu-west-a", "eu-west", ("ssh-ed25519 A", "ssh-rsa B"), "gw"),
        ),
        (
            '{"uuid": "u", "availability_zone": "b", "hostname": "h", "public_keys": {"me": "ssh-rsa B\\n", "you": {"0": "ssh-rsa C"}}}',
            MetaData("u", "b", None, ("ssh-rsa B", "ssh-rsa C"), "h"),
        ),
        ("instance-id: 007\nplacement: {availability-zone: c, region: r}", MetaData("007", "c", "r")),
        ("public-keys: |\n  ssh-rsa A\n\n  ssh-rsa B\n", MetaData(public_keys=("ssh-rsa A", "ssh-rsa B"))),
    ],
)  # fmt: skip
def test_meta_data_tells_who_the_instance_is(text: str, known: MetaData) -> None:
    assert parse_metadata(text) == known


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("", {}),
        ("network: {config: disabled}", {}),
        ("version: 2\nethernets: {ens4: {addresses: [10.0.0.1/24, 10.0.0.2/24]}, ens3: {dhcp4: true}}", {"ens4": "10.0.0.1/24"}),
        ("network: {version: 2, ethernets: {n: {match: {macaddress: '52:54:00:AB:CD:EF'}, addresses: [{10.0.0.1/24: {label: x}}]}}}", {"52:54:00:ab:cd:ef": "10.0.0.1/24"}),
        ("version: 2\nethernets: {n: {match: {macaddress: '52:54:00:ab:cd:ef'}, set-name: lan, addresses: ['fd00::1/64']}}", {"lan": "fd00::1/64"}),
        ("version: 2\nethernets: {n: {match: {name: 'en*'}, addresses: [10.0.0.1/24]}}", {"n": "10.0.0.1/24"}),
        ("version: 1\nconfig: [{type: physical, name: ens4, subnets: [{type: dhcp}, {type: static, address: 10.0.0.1, netmask: 255.255.255.0}]}, {type: nameserver}]", {"ens4": "10.0.0.1/24"}),
        ("version: 1\nconfig: [{type: physical, mac_address: '52:54:00:AB:CD:EF', subnets: [{type: static6, address: 'fd00::1/64'}]}]", {"52:54:00:ab:cd:ef": "fd00::1/64"}),
    ],
)  # fmt: skip
def test_network_config_tells_the_fixed_addresses(text: str, addresses: dict[str, str]) -> None:
    assert parse_network_config(text).addresses == {nic: ip_interface(address) for nic, address in addresses.items()}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- 1", "network-config:1: not a mapping"),
        ("version: 3", "network-config:1: version: not a version (got 3, expected 1 or 2)"),
        (
            "version: 2\nethernets:\n  ens4:\n    addresses: [10.0.0.256/24]",
            'network-config:4: ethernets ens4 addresses: not an address with its prefix length (got "10.0.0.256/24", expected 192.0.2.1/24)',
        ),
    ],
)  # fmt: skip
def test_a_network_config_that_cannot_be_read_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        parse_network_config(text)
    assert str(refused.value) == problem
