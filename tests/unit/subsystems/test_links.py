"""NICs and macvlans: what is set, what is only held back, and what is undone."""

from __future__ import annotations

import re

import pytest

from appliance.engine.errors import ApplyFailed
from appliance.engine.step import Phase
from appliance.subsystems.links import LinkItem, Links, vip_mac
from tests.unit.subsystems.node_cases import Memory, apply, bring_up, region, revert

LINKS = Links()


def plugged(*devices: str) -> Memory:
    memory = Memory()
    memory.netlink.plug(*devices)
    return memory


def test_two_zones_make_one_macvlan_for_the_foreign_pair() -> None:
    items = {item.name: item for item in LINKS.render(region("two-zones-b"))}
    assert set(items) == {"ens3", "ens4", "vip1"}
    assert (items["vip1"].parent, items["vip1"].mac) == ("ens4", vip_mac("b", 1))


def test_mac_is_local_unicast_stable_and_unlike_the_other_nodes() -> None:
    macs = {vip_mac(zone, vrid) for zone in ("a", "b", "c") for vrid in range(1, 256)}
    assert len(macs) == 3 * 255
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", mac) for mac in macs)
    assert vip_mac("a", 2) == vip_mac("a", 2)


def test_bring_up_is_verified_and_repeats_without_steps() -> None:
    memory = plugged("ens3", "ens4")
    artefact = bring_up(LINKS, region("two-zones-a"), memory)
    assert memory.netlink.known["vip2"].up
    assert LINKS.verify(memory.host, artefact) == ()
    assert LINKS.plan(LINKS.observe(memory.host, artefact), artefact) == ()


@pytest.mark.parametrize("missing", ["ens3", "ens4"])
def test_missing_public_or_private_nic_fails_and_names_it(missing: str) -> None:
    memory = plugged(*{"ens3", "ens4"} - {missing})
    with pytest.raises(ApplyFailed, match=missing):
        bring_up(LINKS, region("one-zone"), memory)


def test_missing_peering_nic_holds_back_only_itself() -> None:
    memory = plugged("ens3", "ens4", "ens5")
    artefact = bring_up(LINKS, region("peered"), memory)
    assert memory.netlink.known["ens5"].mtu == 9000
    assert memory.netlink.known["vip2"].up
    assert LINKS.verify(memory.host, artefact) == ()


def test_zone_that_goes_takes_its_macvlan_last_and_undoing_brings_it_back() -> None:
    memory = plugged("ens3", "ens4")
    two = bring_up(LINKS, region("two-zones-a"), memory)
    steps = LINKS.plan(two, LINKS.render(region("one-zone")))
    assert [(step.action, step.phase) for step in steps] == [
        (f"remove vip2 up link ens4 address {vip_mac('a', 2)} type macvlan mode bridge", Phase.REMOVE_LINKS)
    ]
    apply(memory, steps)
    assert "vip2" not in memory.netlink.known
    revert(memory, steps)
    assert LINKS.verify(memory.host, two) == ()


def test_stray_macvlan_of_ours_is_removed_and_a_foreign_one_is_not() -> None:
    memory = plugged("ens3", "ens4")
    memory.netlink.add_macvlan("vip9", "ens4", "02:00:00:00:00:09")
    memory.netlink.add_macvlan("guest0", "ens4", "02:00:00:00:00:08")
    artefact = LINKS.render(region("one-zone"))
    apply(memory, LINKS.plan(LINKS.observe(memory.host, artefact), artefact))
    assert set(memory.netlink.known) == {"ens3", "ens4", "guest0"}


def test_nic_that_leaves_the_configuration_stays_up() -> None:
    memory = plugged("ens3", "ens4", "ens5", "ens6")
    peered = bring_up(LINKS, region("peered"), memory)
    apply(memory, LINKS.plan(peered, LINKS.render(region("two-zones-a"))))
    assert memory.netlink.known["ens5"].up


def test_nic_set_down_by_somebody_is_a_difference() -> None:
    memory = plugged("ens3", "ens4")
    artefact = bring_up(LINKS, region("one-zone"), memory)
    memory.netlink.set_link("ens4", up=False)
    assert [found.where for found in LINKS.verify(memory.host, artefact)] == ["ens4"]
    assert LinkItem("ens3") in artefact
