"""Configurations of a lab: cut and extended by zones, and written as cloud-init reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from appliance.lab import seeds
from appliance.lab.topology import LabError, build_topology
from appliance.sources.userdata import load_user_data


def test_as_many_zones_as_configured_leave_the_user_data_as_it_is() -> None:
    assert seeds.load(seeds.ACME, 2).user_data == seeds.ACME.read_text(encoding="utf-8")


def test_a_third_zone_counts_on_from_the_second() -> None:
    seeded = seeds.load(seeds.ACME, 3)
    zones = seeded.config.netcfg.zones
    assert list(zones) == ["eu-west-a", "eu-west-b", "eu-west-c"]
    third = zones["eu-west-c"]
    assert (str(third.public_ip), str(third.private_ip), third.vrid, str(third.peer)) == (
        "4.5.6.12",
        "10.50.201.254",
        3,
        "10.50.201.13",
    )
    peerings = seeded.config.vpc_peerings
    assert str(peerings["eu-west-ceph"].netcfg["eu-west-c"].private_ip) == "10.50.102.72"
    assert str(peerings["eu-west-marvelous"].netcfg["eu-west-c"].private_ip) == "10.50.205.72"


def test_one_zone_takes_the_others_out_of_the_peerings_too() -> None:
    config = seeds.load(seeds.ACME, 1).config
    assert list(config.netcfg.zones) == ["eu-west-a"]
    assert [list(peering.netcfg) for peering in config.vpc_peerings.values()] == [["eu-west-a"], ["eu-west-a"]]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_user_data_of_a_lab_is_the_tree_of_the_lab(number: int) -> None:
    seeded = seeds.load(seeds.ACME, number)
    assert load_user_data(seeded.user_data.encode(), "lab").tree == seeded.tree


def test_zones_beyond_the_subnet_are_an_error() -> None:
    with pytest.raises(LabError):
        seeds.load(seeds.ACME, 4)


def test_the_peer_learns_of_every_zone() -> None:
    for number, gateways in ((2, ["10.50.205.70", "10.50.205.71"]), (1, ["10.50.205.70"])):
        ours = seeds.load(seeds.ACME, number)
        peer = seeds.load_peer(build_topology(ours.config), ours)
        assert peer is not None
        assert [str(address) for address in peer.config.subnets["eu-west-acme"].gateways] == gateways


def test_a_seed_tells_a_gateway_its_zone_and_its_private_address(tmp_path: Path) -> None:
    seeds.write_seed(tmp_path, seeds.load(seeds.ACME), "lab-gw-b", "eu-west-b")
    assert (tmp_path / "user-data").read_text(encoding="utf-8").startswith("#cloud-config\n")
    assert yaml.safe_load((tmp_path / "meta-data").read_text())["availability-zone"] == "eu-west-b"
    network = yaml.safe_load((tmp_path / "network-config").read_text())
    assert network["ethernets"]["ens4"]["addresses"] == ["10.50.201.12/24"]


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"none\.yaml"):
        seeds.load(tmp_path / "none.yaml")
