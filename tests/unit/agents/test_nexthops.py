"""Which routes lead around a dead next hop, and when one counts as dead."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from appliance.agents.agent import VrrpRole
from appliance.agents.nexthops import NextHopAgent, overrides, targets
from appliance.config.validate import validate_tree
from appliance.engine.ports import Hop, RouteTo
from appliance.sources.userdata import load_file
from appliance.subsystems.view import NodeFacts, NodeView, build_view
from tests.lint.test_python import ROOT

ANY = ip_network("0.0.0.0/0")
ONE = Hop(ip_address("4.5.6.62"), "ens3", 2, onlink=True)
TWO = Hop(ip_address("4.5.6.61"), "ens3", 1, onlink=True)
DEAD_ONE, DEAD_TWO = ("ens3", "4.5.6.62"), ("ens3", "4.5.6.61")
HOME = RouteTo(ANY, (ONE, TWO), 15, source=ip_address("4.5.6.10"))


def test_nothing_leads_around_the_living() -> None:
    assert overrides([HOME], frozenset()) == frozenset()


def test_a_dead_hop_leaves_its_share_to_the_living() -> None:
    assert overrides([HOME], frozenset({DEAD_ONE})) == {RouteTo(ANY, (TWO,), 1, source=HOME.source)}


def test_with_all_dead_everything_stays_as_configured() -> None:
    assert overrides([HOME], frozenset({DEAD_ONE, DEAD_TWO})) == frozenset()


def test_the_next_rank_takes_over_when_the_first_is_dead() -> None:
    first, second = RouteTo(ANY, (ONE,), 15), RouteTo(ANY, (TWO,), 115)
    assert overrides([second, first], frozenset()) == frozenset()
    assert overrides([second, first], frozenset({DEAD_ONE})) == {RouteTo(ANY, (TWO,), 1)}


def test_each_pair_has_a_metric_of_its_own() -> None:
    foreign = RouteTo(ANY, (ONE, TWO), 17)
    assert {route.metric for route in overrides([foreign], frozenset({DEAD_ONE}))} == {3}


def test_only_destinations_with_another_way_are_watched() -> None:
    alone = RouteTo(ip_network("192.0.2.0/24"), (Hop(ip_address("4.5.6.60"), "ens3"),), 15)
    assert targets([HOME, alone]) == {DEAD_ONE, DEAD_TWO}


class Kernel:
    """The routes of the agents, and nothing else of a host."""

    def __init__(self) -> None:
        self.netlink = self
        self.present: set[RouteTo] = set()
        self.writes = 0

    def routes(self, protocol: int) -> frozenset[RouteTo]:
        return frozenset(self.present)

    def replace_route(self, route: RouteTo, protocol: int) -> None:
        self.writes += 1
        self.present = {r for r in self.present if (r.destination, r.metric) != (route.destination, route.metric)}
        self.present.add(route)

    def delete_route(self, route: RouteTo, protocol: int) -> None:
        self.writes += 1
        self.present.discard(route)


class Segment:
    """Next hops that answer, or do not."""

    def __init__(self) -> None:
        self.silent: set[tuple[str, str]] = set()
        self.asked: set[tuple[str, str]] = set()

    def ask(self, device: str, gateway: str) -> None:
        self.asked.add((device, gateway))

    def answers(self) -> set[tuple[str, str]]:
        found, self.asked = self.asked - self.silent, set()
        return found

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def view() -> NodeView:
    tree: dict[str, Any] = load_file(ROOT / "cloud-init/examples/acme-user-data.yaml").tree
    return build_view(validate_tree(tree), NodeFacts(zone="eu-west-a"))


def rounds(agent: NextHopAgent, count: int) -> None:
    for _ in range(count):
        agent.probe_once()


def test_a_hop_falls_after_three_silent_probes_and_rises_after_three_answers(view: NodeView) -> None:
    kernel, segment = Kernel(), Segment()
    agent = NextHopAgent(kernel, segment)  # type: ignore[arg-type]
    agent.stop()
    agent.configure(view, {"eu-west-a": VrrpRole.MASTER})
    rounds(agent, 5)
    assert kernel.writes == 0
    segment.silent.add(DEAD_ONE)
    rounds(agent, 2)
    assert kernel.present == set()
    rounds(agent, 1)
    assert [route.hops for route in kernel.present] == [(TWO,)]
    assert [hop.alive for hop in agent.health() if hop.target == DEAD_ONE] == [False]
    segment.silent.clear()
    rounds(agent, 2)
    assert kernel.present
    rounds(agent, 1)
    assert kernel.present == set()


def test_a_pair_that_leaves_takes_its_routes_along(view: NodeView) -> None:
    kernel, segment = Kernel(), Segment()
    agent = NextHopAgent(kernel, segment)  # type: ignore[arg-type]
    agent.stop()
    agent.configure(view, {"eu-west-a": VrrpRole.MASTER, "eu-west-b": VrrpRole.MASTER})
    segment.silent.add(DEAD_ONE)
    rounds(agent, 5)
    assert {route.metric for route in kernel.present} == {1, 2}
    agent.follow({"eu-west-a": VrrpRole.MASTER, "eu-west-b": VrrpRole.BACKUP})
    assert {route.metric for route in kernel.present} == {1}
    agent.configure(None, {})
    assert kernel.present == set()
