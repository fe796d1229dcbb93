"""The pairs as keepalived gets them, and when it gets a signal (S8, V07, V08, V09)."""

from __future__ import annotations

import re

import pytest

from appliance.engine.errors import Refused
from appliance.engine.step import Impact
from appliance.subsystems.vips import Vips, VipSubsystem
from tests.unit.subsystems.node_cases import (
    INTERFACES,
    REGIONS,
    WEIGHTED,
    ZONE_A,
    ZONE_B,
    ZONE_C,
    ZONES,
    Memory,
    apply,
    bring_up,
    region,
    revert,
    view_of,
)

VIPS = VipSubsystem()
THREE = INTERFACES + ZONES + ZONE_A + ZONE_B + ZONE_C


def text_of(text: str, zone: str = "a") -> str:
    found = VIPS.render(view_of(text, zone)).text
    assert found is not None
    return found


def block(text: str, zone: str) -> str:
    found = re.search(rf"^vrrp_instance zone-{zone} {{$.*?^}}$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def priorities(zone: str) -> dict[str, int]:
    """Give every node's priority for a zone's pair, in a region of three."""
    found = {}
    for node in ("a", "b", "c"):
        match = re.search(r"^  priority (\d+)$", block(text_of(THREE, node), zone), re.MULTILINE)
        assert match is not None
        found[node] = int(match[1])
    return found


def test_stand_ins_are_ranked_as_stated_and_never_tie() -> None:
    assert priorities("a") == {"a": 200, "b": 150, "c": 149}
    assert priorities("b") == {"b": 200, "c": 150, "a": 149}
    assert priorities("c") == {"c": 200, "b": 150, "a": 149}


def test_only_the_home_node_waits_before_it_takes() -> None:
    text = text_of(THREE, "b")
    assert "preempt_delay 5" in block(text, "b")
    assert "preempt_delay" not in block(text, "a") + block(text, "c")


@pytest.mark.parametrize("zone", ["a", "b", "c"])
def test_every_pair_has_its_default_route_and_its_own_source(zone: str) -> None:
    public = {"a": "4.5.6.10", "b": "4.5.6.11", "c": "4.5.6.12"}[zone]
    routes = re.findall(r"^    0\.0\.0\.0/0 .*$", block(text_of(THREE, "b"), zone), re.MULTILINE)
    assert len(routes) == 1
    assert f"src {public} " in routes[0]


def test_metrics_differ_among_pairs_and_home_is_lowest() -> None:
    text = text_of(THREE, "b")
    found = {zone: int(re.findall(r"metric (\d+)", block(text, zone))[0]) for zone in ("a", "b", "c")}
    assert len(set(found.values())) == 3
    assert min(found, key=lambda zone: found[zone]) == "b"


def test_rank_of_next_hops_counts_before_the_pair_s() -> None:
    text = text_of(INTERFACES + ZONES + ZONE_A + ZONE_B + WEIGHTED)
    ranked = sorted(
        (int(metric), "nexthop" in line) for line in text.splitlines() for metric in re.findall(r" metric (\d+)", line)
    )
    assert [weighted for _metric, weighted in ranked] == [True, True, False, False]


def test_peering_s_address_and_route_move_with_the_pair() -> None:
    text = VIPS.render(region("peered")).text
    assert text is not None
    assert "10.50.205.71/32 dev ens6 no_track" in block(text, "b")
    assert "10.50.205.0/24 via 10.50.205.252 dev ens6 onlink src 10.50.205.70 metric 15" in block(text, "a")
    assert "10.50.102.0/24 dev ens5 src 10.50.102.70 metric 15" in block(text, "a")


@pytest.mark.parametrize("name", sorted(set(REGIONS) - {"multicast"}))
def test_lost_link_lowers_the_priority_and_never_faults(name: str) -> None:
    text = VIPS.render(region(name)).text or ""
    tracked = re.findall(r"track_interface {\n(.*?)\n  }", text, re.DOTALL)
    assert tracked == ["    ens3 weight -100"] * len(region(name).pairs)
    addresses = re.findall(r"^    \S+/\d+ dev .*$", text, re.MULTILINE)
    assert addresses
    assert all(line.endswith("no_track") for line in addresses)


def test_no_zones_no_keepalived() -> None:
    memory = Memory()
    artefact = bring_up(VIPS, view_of(INTERFACES), memory)
    assert artefact == Vips(None)
    assert memory.vrrp.text is None
    assert VIPS.verify(memory.host, artefact) == ()


def test_same_text_is_no_step() -> None:
    once, again = VIPS.render(region("two-zones-a")), VIPS.render(region("two-zones-a"))
    assert VIPS.plan(once, again) == ()


def test_what_is_not_about_vips_leaves_the_text_as_it_is() -> None:
    rules = 'ingress_rules: [{ports: "443"}]\nnat_rules: [{destination: 10.50.201.20, ports: "80"}]\n'
    base = INTERFACES + ZONES + ZONE_A + ZONE_B
    assert text_of(base) == text_of(base + rules)


def test_ten_additions_are_ten_reloads_and_undoing_gives_the_old_text() -> None:
    memory = Memory()
    artefact = bring_up(VIPS, region("one-zone"), memory)
    first = artefact.text
    zones, done = ZONE_A, []
    for vrid in range(2, 12):
        own = f"public_ip: 4.5.6.{20 + vrid}, private_ip: 10.50.201.{120 + vrid}, peer: 10.50.201.{20 + vrid}"
        zones += f"    - {{zone: z{vrid}, vrid: {vrid}, {own}}}\n"
        new = VIPS.render(view_of(INTERFACES + ZONES + zones))
        steps = VIPS.plan(artefact, new)
        assert [step.impact for step in steps] == [Impact.NONE]
        apply(memory, steps)
        done.append(steps)
        artefact = new
    assert memory.vrrp.signals == 11
    for steps in reversed(done):
        revert(memory, steps)
    assert memory.vrrp.text == first


def test_refused_file_is_refused_before_anything_is_touched() -> None:
    memory = Memory()
    memory.vrrp.refuses = "zone-b"
    with pytest.raises(Refused, match="zone-b"):
        VIPS.check(memory.host, VIPS.render(region("two-zones-a")))
    assert memory.vrrp.signals == 0


def test_verify_waits_for_keepalived_to_have_read_it() -> None:
    memory = Memory()
    artefact = bring_up(VIPS, region("two-zones-a"), memory)
    memory.vrrp.vrids, memory.vrrp.slow = {1, 2}, 3
    assert VIPS.verify(memory.host, artefact) == ()


def test_instance_that_does_not_come_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.subsystems.vips.RELOADED_WITHIN", 0.05)
    memory = Memory()
    artefact = bring_up(VIPS, region("two-zones-a"), memory)
    memory.vrrp.vrids = {1}
    assert [(item.wanted, item.found) for item in VIPS.verify(memory.host, artefact)] == [("1, 2", "1")]


def test_file_changed_by_somebody_is_a_difference_and_is_replaced() -> None:
    memory = Memory()
    artefact = bring_up(VIPS, region("one-zone"), memory)
    memory.vrrp.vrids = {1}
    memory.vrrp.text = "something else\n"
    assert [item.where for item in VIPS.verify(memory.host, artefact)] == ["keepalived.conf"]
    apply(memory, VIPS.plan(VIPS.observe(memory.host, artefact), artefact))
    assert VIPS.verify(memory.host, artefact) == ()
