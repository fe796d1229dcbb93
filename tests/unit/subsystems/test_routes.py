"""Routes: which belong to the kernel and which to a pair, weights, the gateway's own way out (S3, S7)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from appliance.engine.ports import SELF_TABLE, Hop, PolicyRule, RouteTo
from appliance.engine.step import Phase
from appliance.subsystems.routes import Routes
from tests.unit.subsystems.node_cases import (
    INTERFACES,
    REGIONS,
    WEIGHTED,
    ZONE_A,
    ZONE_B,
    ZONES,
    Memory,
    apply,
    bring_up,
    region,
    revert,
    view_of,
)

ROUTES = Routes()
KIWI = ip_address("10.50.201.1")


def hop(gateway: str, weight: int = 1) -> Hop:
    return Hop(ip_address(gateway), "ens4", weight)


def test_public_routes_are_not_the_kernel_s_to_have_all_the_time() -> None:
    for name in REGIONS:
        for item in ROUTES.render(region(name)):
            assert isinstance(item, PolicyRule) or all(one.device != "ens3" for one in item.hops), name


def test_kiwi_serves_the_gateway_s_own_traffic_only() -> None:
    items = ROUTES.render(region("one-zone"))
    assert items == {
        RouteTo(ip_network("0.0.0.0/0"), (Hop(KIWI, "ens4"),), table=SELF_TABLE),
        PolicyRule(33000, SELF_TABLE, 4, "lo"),
    }


def test_six_routes_have_the_metric_that_the_kernel_gives_them() -> None:
    text = INTERFACES.replace("gateway: 10.50.201.1", 'subnet6: "fd00:50::/64", gateway6: "fd00:50::1"')
    items = ROUTES.render(view_of(text + ZONES + ZONE_A))
    assert RouteTo(ip_network("::/0"), (Hop(ip_address("fd00:50::1"), "ens4"),), 1024, SELF_TABLE) in items
    assert PolicyRule(33000, SELF_TABLE, 6, "lo") in items


def test_changed_weight_is_one_step_that_replaces() -> None:
    memory = Memory()
    old = bring_up(ROUTES, region("two-zones-a"), memory)
    changed = WEIGHTED.replace("weight: 3", "weight: 5")
    new = ROUTES.render(view_of(INTERFACES + ZONES + ZONE_A + ZONE_B + changed))
    steps = ROUTES.plan(old, new)
    assert [(step.action.split()[0], step.phase) for step in steps] == [("change", Phase.ROUTES)]
    apply(memory, steps)
    destination = ip_network("10.8.0.0/16")
    found = [route for route in memory.netlink.routes() if route.destination == destination]
    assert [route.hops for route in found] == [(hop("10.50.201.1", 5), hop("10.50.201.2"))]
    revert(memory, steps)
    assert ROUTES.verify(memory.host, old) == ()


def test_one_change_among_thousands_is_one_step() -> None:
    many = "".join(
        f"  - {{destination: 10.{64 + n // 256}.{n % 256}.0/24, next_hops: [{{via: 10.50.201.1, dev: private}}]}}\n"
        for n in range(2000)
    )
    base = INTERFACES + ZONES + ZONE_A + "routes:\n"
    old = ROUTES.render(view_of(base + many))
    new = ROUTES.render(
        view_of(
            base
            + many.replace("10.70.7.0/24, next_hops: [{via: 10.50.201.1", "10.70.7.0/24, next_hops: [{via: 10.50.201.2")
        )
    )
    assert len(ROUTES.plan(None, old)) == 2002
    assert [step.action for step in ROUTES.plan(old, new)] == ["change 10.70.7.0/24 via 10.50.201.2 dev ens4 proto 250"]


def test_stray_route_of_ours_goes_and_the_wanted_are_not_touched() -> None:
    memory = Memory()
    artefact = bring_up(ROUTES, region("two-zones-a"), memory)
    stray = RouteTo(ip_network("10.99.0.0/16"), (hop("10.50.201.1"),))
    memory.netlink.replace_route(stray)
    steps = ROUTES.plan(ROUTES.observe(memory.host, artefact), artefact)
    assert [step.action for step in steps] == ["remove 10.99.0.0/16 via 10.50.201.1 dev ens4 proto 250"]
    assert [item.where for item in ROUTES.verify(memory.host, artefact)] == ["route 254 10.99.0.0/16 0"]


@pytest.mark.parametrize("name", REGIONS)
def test_text_has_one_line_per_item(name: str) -> None:
    items = ROUTES.render(region(name))
    assert len(ROUTES.text(items).splitlines()) == len(items)
