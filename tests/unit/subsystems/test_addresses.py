"""Fixed addresses: new before old, nothing of anybody else's, our routes kept."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from appliance.engine.ports import AddressOn, Hop, RouteTo
from appliance.engine.step import Phase
from appliance.subsystems.addresses import Addresses
from tests.unit.subsystems.node_cases import INTERFACES, ZONE_A, ZONES, Memory, apply, bring_up, region, revert, view_of

ADDRESSES = Addresses()
MOVED = view_of(INTERFACES + ZONES + ZONE_A.replace("10.50.201.11}", "10.50.201.21}"))


def on(device: str, text: str) -> AddressOn:
    return AddressOn(device, ip_interface(text))


OWN = on("ens4", "10.50.201.11/24")
NEW = on("ens4", "10.50.201.21/24")
VIP = on("ens4", "10.50.201.252/24")


def test_private_address_is_the_zone_s_peer_and_the_public_nic_has_none() -> None:
    assert ADDRESSES.render(region("two-zones-a")) == {OWN}
    assert ADDRESSES.render(region("two-zones-b")) == {on("ens4", "10.50.201.12/24")}


def test_six_has_its_address_too() -> None:
    assert ADDRESSES.render(region("v6")) == {OWN, on("ens4", "fd00:50::11/64")}


def test_datasource_s_address_is_taken_where_nothing_else_states_one() -> None:
    text = INTERFACES + ZONES + ZONE_A.replace(", peer: 10.50.201.11", "")
    view = view_of(text, addresses={"ens4": ip_interface("10.50.201.77/24")})
    assert ADDRESSES.render(view) == {on("ens4", "10.50.201.77/24")}


def test_vips_are_never_touched() -> None:
    memory = Memory()
    memory.netlink.held = {VIP, on("ens3", "4.5.6.10/26")}
    artefact = bring_up(ADDRESSES, region("one-zone"), memory)
    assert memory.netlink.held == {OWN, VIP, on("ens3", "4.5.6.10/26")}
    assert ADDRESSES.verify(memory.host, artefact) == ()


def test_new_address_comes_before_the_old_one_goes() -> None:
    memory = Memory()
    old = bring_up(ADDRESSES, region("one-zone"), memory)
    steps = ADDRESSES.plan(old, ADDRESSES.render(MOVED))
    assert sorted((step.phase, step.action.split()[0]) for step in steps) == [
        (Phase.ADDRESSES, "add"),
        (Phase.REMOVE_ADDRESSES, "remove"),
    ]
    apply(memory, steps)
    assert memory.netlink.held == {NEW}
    revert(memory, steps)
    assert memory.netlink.held == {OWN}


def test_routes_that_the_kernel_took_with_an_address_come_back() -> None:
    memory = Memory()
    memory.netlink.drops_routes = True
    old = bring_up(ADDRESSES, region("one-zone"), memory)
    route = RouteTo(ip_network("10.8.0.0/16"), (Hop(ip_address("10.50.201.1"), "ens4"),))
    memory.netlink.replace_route(route)
    apply(memory, ADDRESSES.plan(old, ADDRESSES.render(MOVED)))
    assert memory.netlink.routes() == {route}


def test_address_taken_away_by_somebody_is_a_difference() -> None:
    memory = Memory()
    artefact = bring_up(ADDRESSES, region("one-zone"), memory)
    memory.netlink.delete_address(OWN)
    found = ADDRESSES.verify(memory.host, artefact)
    assert [(item.wanted, item.found) for item in found] == [("10.50.201.11/24 dev ens4", None)]
