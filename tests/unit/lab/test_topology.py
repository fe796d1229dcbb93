"""The lab of the acme example has the nodes and addresses that the interface promises."""

from __future__ import annotations

import pytest

from appliance.lab import seeds
from appliance.lab.topology import NODE_NAME, LabError, Topology, build_topology


@pytest.fixture(scope="module")
def acme() -> Topology:
    return build_topology(seeds.load(seeds.ACME).config)


def addresses(topology: Topology, node: str) -> list[str]:
    return [str(address.ip) for nic in topology.nodes[node].nics for address in nic.addresses]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("inst-a", ["10.50.201.20"]),
        ("inst-b", ["10.50.201.21"]),
        ("kiwi-1", ["4.5.6.62", "10.50.201.2", "198.51.100.2", "5.6.7.2"]),
        ("kiwi-2", ["4.5.6.61", "10.50.201.3", "198.51.100.3", "5.6.7.3"]),
        ("public-host", ["4.5.6.40"]),
        ("internet", ["198.51.100.10"]),
        ("ceph", ["10.50.102.10"]),
        ("peer-gw", ["10.50.205.11"]),
        ("peer-inst", ["10.50.205.20"]),
        ("office-gw", ["5.6.7.8", "172.16.1.1"]),
        ("office-host", ["172.16.1.10"]),
        ("gw-a", []),
    ],
)
def test_node_has_its_addresses(acme: Topology, node: str, expected: list[str]) -> None:
    assert addresses(acme, node) == expected


def test_gateways_have_the_nics_that_the_configuration_names(acme: Topology) -> None:
    for node in ("gw-a", "gw-b"):
        nics = [(nic.device, nic.segment) for nic in acme.nodes[node].nics]
        assert nics == [("ens3", "public"), ("ens4", "private"), ("ens5", "ceph"), ("ens6", "marvelous")]


def test_instances_prefer_their_own_zones_gateway(acme: Topology) -> None:
    routes = {node: [(str(r.via), r.metric) for r in acme.nodes[node].routes] for node in ("inst-a", "inst-b")}
    assert routes["inst-a"] == [("10.50.201.252", 100), ("10.50.201.253", 200)]
    assert routes["inst-b"] == [("10.50.201.253", 100), ("10.50.201.252", 200)]


def test_no_two_nodes_share_an_address_or_a_port(acme: Topology) -> None:
    every = [address for node in acme.nodes for address in addresses(acme, node)]
    assert len(every) == len(set(every))
    ports = [node.port(index) for node in acme.nodes.values() for index in range(len(node.nics))]
    assert len(ports) == len(set(ports))
    assert max(map(len, ports)) <= 15


def test_every_node_of_the_lab_is_found_again_by_its_namespace(acme: Topology) -> None:
    assert all(NODE_NAME.fullmatch(node) for node in acme.nodes)


def test_a_smaller_lab_keeps_only_the_zones_of_its_gateways(acme: Topology) -> None:
    small = acme.only({"gw-b", "inst-a", "internet"})
    assert set(small.nodes) == {"gw-b", "inst-a", "internet"}
    assert [zone.node for zone in small.zones] == ["gw-b"]


def test_an_unknown_node_is_refused_by_name(acme: Topology) -> None:
    with pytest.raises(LabError, match="no such node: gw-z"):
        acme.only({"gw-z"})
