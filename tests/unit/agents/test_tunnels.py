"""Tunnels follow the VIPs: where they are started, ended and led to, and what a silent peer brings about."""

from __future__ import annotations

import itertools
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.agents.agent import VrrpRole
from appliance.agents.tunnel import Action, Tunnel, Verb
from appliance.agents.tunnel_routes import METRIC
from appliance.agents.tunnels import TunnelAgent
from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import AGENT_PROTOCOL, AddressOn, Hop, RouteTo
from appliance.subsystems.ipsec.reasons import reason
from appliance.subsystems.ipsec.subsystem import Ipsec
from appliance.subsystems.view import NodeView
from tests.unit.subsystems.ipsec_cases import OFFICE, node, office, only
from tests.unit.subsystems.memory_charon import MemoryCharon
from tests.unit.subsystems.test_ipsec_subsystem import bare_host

MASTER, BACKUP = VrrpRole.MASTER, VrrpRole.BACKUP
BEHIND = ip_network("172.16.1.0/24")
FOREIGN = RouteTo(ip_network("192.0.2.0/24"), (Hop(ip_address("10.50.201.1"), "ens4"),), 7)


class MemoryRoutes:
    """Routes of the agents' protocol number, and the addresses a next hop must not be one of."""

    def __init__(self) -> None:
        self.present: set[RouteTo] = {FOREIGN}
        self.own: set[str] = set()
        self.dumps = 0

    def routes(self, protocol: int) -> frozenset[RouteTo]:
        assert protocol == AGENT_PROTOCOL
        self.dumps += 1
        return frozenset(self.present)

    def replace_route(self, route: RouteTo, protocol: int) -> None:
        if str(route.hops[0].gateway) in self.own:
            raise ApplyFailed(f"route {route.destination}: Nexthop has invalid gateway")
        self.present = {r for r in self.present if (r.destination, r.metric) != (route.destination, route.metric)}
        self.present.add(route)

    def delete_route(self, route: RouteTo, protocol: int) -> None:
        self.present.discard(route)

    def addresses(self) -> frozenset[AddressOn]:
        return frozenset(AddressOn("ens3", ip_interface(address)) for address in self.own)


class World:
    """An agent of zone b's gateway (or another's), its clock and what it works on."""

    def __init__(self, view: NodeView, *features: str) -> None:
        self.now = 1000.0
        self.charon = MemoryCharon()
        self.routes = MemoryRoutes()
        netlink: Any = self.routes
        self.contested: list[int] = []
        vrrp: Any = SimpleNamespace(contest=self.contested.append)
        self.host = replace(bare_host(), netlink=netlink, vici=self.charon, vrrp=vrrp, features=frozenset(features))
        self.agent = TunnelAgent(self.host, lambda: self.now)
        self.load(view)

    def load(self, view: NodeView, **roles: VrrpRole) -> None:
        for item in Ipsec().render(view):
            self.charon.load_connection(item.wire, item.tree(xfrm=False))
            self.charon.load_secret(item.secret_id, b"x", item.owners)
        self.charon.calls.clear()
        self.agent.configure(view, roles)

    def roles(self, **roles: VrrpRole) -> list[str]:
        """Set roles by zone, the VIPs with them, and look."""
        self.routes.own = {"4.5.6.10", "10.50.201.252"} if roles.get("a") is MASTER else set()
        self.agent.follow(roles)
        return self.look()

    def look(self, after: float = 0.0) -> list[str]:
        """Let time pass, look, and give what charon was told."""
        self.now += after
        self.charon.calls.clear()
        self.agent.settle()
        return [call for call, _name in self.charon.calls]

    def ways(self) -> dict[str, str]:
        return {
            str(route.destination): str(route.hops[0].gateway or route.hops[0].device)
            for route in self.routes.present
            if route.metric == METRIC
        }


def test_nothing_is_done_before_the_roles_are_known() -> None:
    world = World(node("a", x=OFFICE))
    stray = RouteTo(BEHIND, (Hop(ip_address("10.50.201.252"), "ens4"),), METRIC)
    world.routes.present.add(stray)
    world.charon.establish("x")
    assert world.look() == []
    assert stray in world.routes.present


def test_the_holder_of_the_vip_starts_it_and_the_others_lead_there() -> None:
    world = World(node("b", x=OFFICE))
    assert world.roles(a=BACKUP, b=MASTER) == []
    assert world.ways() == {"172.16.1.0/24": "10.50.201.252"}
    assert world.roles(a=MASTER, b=MASTER) == ["initiate"]
    assert world.ways() == {}
    assert world.look(1.0) == []
    assert world.roles(a=BACKUP, b=MASTER) == ["terminate"]
    assert world.ways() == {"172.16.1.0/24": "10.50.201.252"}
    assert FOREIGN in world.routes.present


def test_the_other_tunnels_are_left_alone_when_one_moves() -> None:
    world = World(node("b", x=OFFICE, y=office(remote_peer="5.6.7.9", zone="b", remote_subnet="172.16.2.0/24")))
    world.routes.own = {"4.5.6.11"}
    world.agent.follow({"a": BACKUP, "b": MASTER})
    world.look()
    world.charon.calls.clear()
    world.routes.own |= {"4.5.6.10"}
    world.agent.follow({"a": MASTER, "b": MASTER})
    world.agent.settle()
    assert world.charon.calls == [("initiate", "x")]


def test_it_waits_for_the_vip_but_not_for_ever() -> None:
    world = World(node("a", x=OFFICE))
    world.agent.follow({"a": MASTER})
    assert world.look() == []
    assert world.look(1.0) == []
    assert world.look(1.5) == ["initiate"]


def test_a_tunnel_that_is_up_when_the_daemon_starts_is_kept() -> None:
    world = World(node("a", x=OFFICE))
    world.charon.establish("x")
    assert world.roles(a=MASTER) == []
    assert len(world.charon.up) == 1


def test_an_interface_has_the_route_where_the_kernel_has_it() -> None:
    world = World(node("a", x=OFFICE), "esp", "xfrm-interface")
    world.roles(a=MASTER)
    assert world.ways() == {"172.16.1.0/24": only(node("a", x=OFFICE)).device}
    (route,) = [route for route in world.routes.present if route.metric == METRIC]
    assert str(route.source) == "10.50.201.11"
    world.roles(a=BACKUP)
    assert world.ways() == {"172.16.1.0/24": "10.50.201.252"}


def test_a_route_that_cannot_be_yet_is_tried_again() -> None:
    world = World(node("a", x=OFFICE))
    world.agent.follow({"a": BACKUP})
    world.routes.own = {"10.50.201.252"}
    assert world.agent.settle() is True
    world.routes.own = set()
    world.now += 0.1
    assert world.agent.settle() is False
    assert world.ways() == {"172.16.1.0/24": "10.50.201.252"}


def test_routes_are_not_listed_at_every_look() -> None:
    world = World(node("a", x=OFFICE))
    world.roles(a=MASTER)
    before = world.routes.dumps
    for _ in range(9):
        world.look(1.0)
    assert world.routes.dumps == before
    world.look(2.0)
    assert world.routes.dumps == before + 1


def test_routes_go_with_the_connection() -> None:
    world = World(node("b", x=OFFICE))
    world.roles(a=BACKUP)
    world.agent.configure(node("b"), {"a": BACKUP})
    world.agent.settle()
    assert world.ways() == {}


def test_a_lost_tunnel_is_started_again_ever_later() -> None:
    world = World(node("a", x=OFFICE))
    world.roles(a=MASTER)
    attempts = []
    for second in range(1, 200):
        world.charon.up.clear()
        if world.look(1.0):
            attempts.append(second)
    pauses = [b - a for a, b in itertools.pairwise(attempts)]
    assert attempts[0] <= 2
    assert pauses == sorted(pauses)
    assert max(pauses) == 60


@pytest.mark.parametrize("action", ["none", "trap"])
def test_only_what_shall_start_is_started(action: str) -> None:
    world = World(node("a", x=office(start_action=action)))
    assert world.roles(a=MASTER) == (["install"] if action == "trap" else [])
    assert world.look(100.0) == []
    assert world.roles(a=BACKUP) == (["uninstall"] if action == "trap" else [])


def test_a_restart_of_charon_brings_all_back() -> None:
    world = World(node("a", x=OFFICE, y=office(remote_peer="5.6.7.9", zone="b")))
    world.roles(a=MASTER, b=BACKUP)
    world.charon.loaded.clear()
    world.charon.keys.clear()
    world.charon.up.clear()
    world.agent.configure(node("a", x=OFFICE, y=office(remote_peer="5.6.7.9", zone="b")), {"a": MASTER, "b": BACKUP})
    calls = world.look(60.0)
    assert set(world.charon.loaded) == {"x", "y"}
    assert calls.count("initiate") == 1


def test_what_was_loaded_again_while_a_commit_removed_it_goes_again() -> None:
    world = World(node("a", x=OFFICE))
    world.roles(a=MASTER)
    world.charon.loaded.clear()
    world.agent.configure(node("a", x=OFFICE), {"a": MASTER})
    world.look()
    assert set(world.charon.loaded) == {"x"}
    world.agent.configure(node("a"), {"a": MASTER})
    world.look()
    assert world.charon.loaded == {}


def test_a_commit_that_concerns_others_leaves_it_alone() -> None:
    world = World(node("a", x=OFFICE))
    world.roles(a=MASTER)
    world.agent.configure(node("a", x=OFFICE, y=office(remote_peer="5.6.7.9", zone="b")), {"a": MASTER})
    assert "terminate" not in world.look()
    assert [name for name, _item in world.charon.up] == ["x"]


def test_a_healed_split_starts_it_anew() -> None:
    world = World(node("a", x=OFFICE, y=office(remote_peer="5.6.7.9", zone="b")))
    world.roles(a=MASTER, b=BACKUP)
    world.agent.healed("b")
    assert world.look(5.0) == []
    world.agent.healed("a")
    assert world.look() == ["terminate"]
    assert world.look(0.1) == ["initiate"]
    assert [(name, item["uniqueid"]) for name, item in world.charon.up] == [("x", "2")]


def test_a_pair_that_comes_is_no_split() -> None:
    world = World(node("a", x=OFFICE))
    world.roles(a=MASTER)
    world.agent.healed("a")
    assert world.look(1.0) == []
    assert world.look(10.0) == []


def test_who_loses_a_pair_tells_its_holder() -> None:
    world = World(node("b", x=OFFICE))
    world.roles(a=BACKUP)
    assert world.contested == []
    world.roles(a=MASTER)
    world.roles(a=BACKUP)
    assert world.contested == [1]


# -- dead peers --------------------------------------------------------------------------------------------------


def tunnel(**settings: Any) -> Tunnel:
    view = node("a", x=office(dpd_timeout="20s", **settings))
    return Tunnel(only(view), view.config.ipsec["x"])


def association(
    number: int = 1, *, asking: bool = False, heard: int = 99, state: str = "ESTABLISHED"
) -> dict[str, Any]:
    child = {"state": "INSTALLED", "use-in": str(heard)}
    return {
        "uniqueid": str(number),
        "state": state,
        "tasks-active": ["IKE_DPD"] if asking else [],
        "child-sas": {"x-1": child} if state == "ESTABLISHED" else {},
    }


def silence(subject: Tunnel, *, seconds: int, heard: int = 99) -> tuple[int | None, list[Action]]:
    """Look every second while charon asks in vain; when something was done, and what."""
    subject.look(0.0, [association()], mine=True)
    for second in range(1, seconds + 1):
        actions = subject.look(float(second), [association(asking=True, heard=heard)], mine=True)
        if actions:
            return second, actions
    return None, []


@pytest.mark.parametrize(
    ("action", "then"),
    [("clear", []), ("restart", [Verb.INITIATE]), ("start", [Verb.INITIATE]), ("trap", [])],
)
def test_a_silent_peer_is_dead_within_dpd_timeout_and_one_probe(action: str, then: list[Verb]) -> None:
    subject = tunnel(dpd_action=action)
    second, actions = silence(subject, seconds=60)
    # charon begins to ask after five seconds without a packet
    assert second is not None
    assert 20 <= second + subject.connection.probe <= 20 + subject.connection.probe
    assert actions[0] == Action(Verb.TERMINATE, "1")
    assert (Action(Verb.INSTALL) in actions) == (action == "trap")
    assert "silent for 20s" in subject.note
    assert [item.verb for item in subject.look(second + 1.0, [], mine=True)] == then
    later = [subject.look(second + 2.0 + n, [], mine=True) for n in range(100)]
    assert any(later) == bool(then)


def test_a_peer_that_sends_is_not_silent() -> None:
    assert silence(tunnel(), seconds=60, heard=1) == (None, [])


def test_an_answer_in_time_begins_it_anew() -> None:
    subject = tunnel()
    for second in range(1, 100):
        asking = second % 12 != 0
        assert subject.look(float(second), [association(asking=asking)], mine=True) == []


def test_what_charon_gave_up_by_itself_was_dead_too() -> None:
    subject = tunnel(dpd_action="clear")
    assert silence(subject, seconds=3) == (None, [])
    assert subject.look(4.0, [], mine=True) == []
    assert subject.note == "the peer fell silent"
    assert subject.look(100.0, [], mine=True) == []


def test_an_attempt_without_an_answer_is_given_up_for_another() -> None:
    subject = tunnel()
    assert [item.verb for item in subject.look(0.0, [], mine=True)] == [Verb.INITIATE]
    connecting = association(state="CONNECTING")
    assert subject.look(1.0, [connecting], mine=True) == []
    assert subject.look(2.9, [connecting], mine=True) == []
    assert [item.verb for item in subject.look(3.1, [connecting], mine=True)] == [Verb.TERMINATE, Verb.INITIATE]


def test_an_exchange_under_way_gets_its_time() -> None:
    subject = tunnel()
    subject.look(0.0, [], mine=True)
    connecting = {**association(state="CONNECTING"), "responder-spi": "1234567890abcdef"}
    assert all(subject.look(float(second), [connecting], mine=True) == [] for second in range(1, 20))
    assert subject.look(30.0, [connecting], mine=True) != []


# -- reasons -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("received NO_PROPOSAL_CHOSEN notify error", "phase 1"),
        ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", "phase 2"),
        ("received AUTHENTICATION_FAILED notify error", "key or our identity"),
        ("received TS_UNACCEPTABLE notify, no CHILD_SA built", "our subnets"),
        ("retransmit 2 of request with message ID 0", "does not answer"),
        ("giving up after 5 retransmits", "does not answer"),
        ("tried 1 shared key for '4.5.6.10' - '5.6.7.8', but MAC mismatched", "another than ours"),
        ("unable to resolve vpn.partner.example, initiate aborted", "no address"),
    ],
)
def test_charons_words_are_translated(line: str, word: str) -> None:
    assert word in (reason(line) or "")


def test_other_words_say_nothing() -> None:
    assert reason("sending packet: from 4.5.6.10[500] to 5.6.7.8[500] (464 bytes)") is None


def test_the_last_reason_is_kept_until_it_is_up() -> None:
    world = World(node("a", x=OFFICE))
    world.roles(a=MASTER)
    world.charon.up.clear()
    world.agent._hear("x", "received AUTHENTICATION_FAILED notify error")
    assert world.agent.note("x") == "the peer refuses our key or our identity"
    world.look(0.1)
    assert world.agent.note("x")
    world.charon.establish("x")
    world.look(0.1)
    assert world.agent.note("x") == ""
