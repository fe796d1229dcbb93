"""With whom a node has to agree, and what two agents make of each other over a wire in memory."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from appliance.agents.agent import VrrpRole
from appliance.agents.consent import ConsentAgent, Place
from appliance.agents.consent_plan import partners
from appliance.engine.ports import Host
from appliance.schema.types import IPAddress
from appliance.sources.userdata import load_text
from appliance.subsystems.view import NodeFacts, NodeView, build_view

MASTER, BACKUP = VrrpRole.MASTER, VrrpRole.BACKUP
ACME = """
interfaces:
  public: {{device: ens3, subnet: 4.5.6.0/26, gateway: 4.5.6.62}}
  private: {{device: ens4, subnet: 10.50.201.0/24}}
subnets:
  ceph: {{cidr: 10.50.102.0/24, device: ens5, application: ceph}}
  marvelous: {{cidr: 10.50.205.0/24, device: ens6, gateways: [10.50.205.252]}}
  behind: {{cidr: 10.50.206.0/24, gateways: [10.50.201.99]}}
netcfg:
  zones:
    - {{zone: a, public_ip: 4.5.6.10, private_ip: 10.50.201.252, vrid: 1, peer: 10.50.201.11}}
    - {{zone: b, public_ip: 4.5.6.11, private_ip: 10.50.201.253, vrid: 2, peer: 10.50.201.12}}
vpc_peerings:
  - {{subnet: ceph, consent_key: unused, netcfg: [{{zone: a, private_ip: 10.50.102.70}}]}}
  - subnet: marvelous
    netcfg: [{{zone: a, private_ip: 10.50.205.70}}, {{zone: b, private_ip: 10.50.205.71}}]
    {key}
  - {{subnet: behind, consent_key: another}}
"""
MARVELOUS = """
interfaces:
  public: {{device: ens3, subnet: 4.5.6.0/26, gateway: 4.5.6.62}}
  private: {{device: ens4, subnet: 10.50.205.0/24}}
subnets:
  acme: {{cidr: 10.50.201.0/24, gateways: [10.50.205.70, 10.50.205.71]}}
netcfg:
  zones: [{{zone: a, public_ip: 4.5.6.20, private_ip: 10.50.205.252, vrid: 7, peer: 10.50.205.11}}]
vpc_peerings:
  - subnet: acme
    {key}
"""
KEY = "consent_key: both agree"
OPEN = {("consent_marvelous", "ipv4")}


def view_of(text: str, key: str = KEY) -> NodeView:
    """Give the view of the gateway of zone a."""
    return build_view(load_text(text.format(key=key), "test").config, NodeFacts(zone="a"))


def ends(view: NodeView | None, **roles: VrrpRole) -> set[tuple[str, str, str, str]]:
    """Give the partners as (peering, device, local, remote)."""
    return {(p.agreement.peering, p.device, str(p.local), str(p.remote)) for p in partners(view, roles)}


def test_each_zones_address_that_is_held_needs_an_agreement_of_its_own() -> None:
    view = view_of(ACME)
    home = {
        ("marvelous", "ens6", "10.50.205.70", "10.50.205.252"),
        ("behind", "ens4", "10.50.201.252", "10.50.201.99"),
    }
    standing_in = {
        ("marvelous", "ens6", "10.50.205.71", "10.50.205.252"),
        ("behind", "vip2", "10.50.201.253", "10.50.201.99"),
    }
    assert ends(view, a=MASTER, b=BACKUP) == home
    assert ends(view, a=MASTER, b=MASTER) == home | standing_in
    assert ends(view, a=BACKUP) == ends(view) == set()


def test_without_a_key_or_a_configuration_nobody_is_asked() -> None:
    assert {peering for peering, *_ in ends(view_of(ACME, "policy: accept"), a=MASTER)} == {"behind"}
    assert ends(None, a=MASTER) == set()


class Wire:
    """Carries datagrams between agents by address."""

    def __init__(self) -> None:
        self.inboxes: dict[str, queue.Queue[tuple[Place, IPAddress, bytes]]] = {}
        self.places: dict[str, Place] = {}
        self.cut = False


class WireSockets:
    """One agent's end of a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._inbox: queue.Queue[Any] = queue.Queue()
        self._mine: set[Place] = set()

    def use(self, places: Iterable[Place]) -> None:
        self._mine = set(places)
        for place in self._mine:
            self._wire.inboxes[str(place[0])] = self._inbox
            self._wire.places[str(place[0])] = place

    def send(self, place: Place, remote: IPAddress, data: bytes) -> bool:
        inbox = self._wire.inboxes.get(str(remote))
        if inbox is not None and not self._wire.cut and place in self._mine:
            inbox.put((self._wire.places[str(remote)], place[0], data))
        return inbox is not None

    def wait(self, seconds: float) -> list[tuple[Place, IPAddress, bytes]]:
        try:
            found = self._inbox.get(timeout=max(0.001, seconds))
        except queue.Empty:
            return []
        return [] if found is None else [found]

    def wake(self) -> None:
        self._inbox.put(None)

    def close(self) -> None:
        return None


class Sets:
    """The consent sets of a kernel."""

    def __init__(self) -> None:
        self.nft = self
        self.elements: set[tuple[str, str]] = set()

    def apply(self, text: str) -> None:
        for line in text.splitlines():
            verb, _element, _family, _table, name, _brace, element, *_ = line.split()
            (self.elements.add if verb == "add" else self.elements.remove)((name, element))


@contextmanager
def agent_on(wire: Wire) -> Iterator[tuple[ConsentAgent, Sets]]:
    """Give an agent with a kernel of its own, until the context ends."""
    kernel = Sets()
    agent = ConsentAgent(cast("Host", kernel), WireSockets(wire))
    try:
        yield agent, kernel
    finally:
        agent.stop()


def soon(condition: Callable[[], bool], seconds: float = 4.0) -> bool:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_two_agents_open_what_they_agree_on_and_a_new_table_gets_it_back() -> None:
    wire = Wire()
    with agent_on(wire) as (acme, sets), agent_on(wire) as (marvelous, theirs):
        acme.configure(view_of(ACME), {"a": MASTER})
        marvelous.configure(view_of(MARVELOUS), {"a": MASTER})
        assert soon(lambda: sets.elements == OPEN and theirs.elements == {("consent_acme", "ipv4")})
        wire.cut = True
        sets.elements.clear()
        acme.configure(view_of(ACME), {"a": MASTER})
        assert sets.elements == OPEN


@pytest.mark.parametrize("key", ["policy: accept", "consent_key: another one"])
def test_an_end_that_withdraws_its_key_closes_both_at_once(key: str) -> None:
    wire = Wire()
    with agent_on(wire) as (acme, sets), agent_on(wire) as (marvelous, theirs):
        acme.configure(view_of(ACME), {"a": MASTER})
        marvelous.configure(view_of(MARVELOUS), {"a": MASTER})
        assert soon(lambda: bool(sets.elements and theirs.elements))
        acme.configure(view_of(ACME, key), {"a": MASTER})
        assert soon(lambda: not theirs.elements, 0.5)
        said = {standing.words for standing in marvelous.standing() if standing.remote == "10.50.205.70"}
        assert said == {"the other end has withdrawn its key"}


def test_different_keys_open_nothing_and_are_called_so() -> None:
    wire = Wire()
    with agent_on(wire) as (acme, sets), agent_on(wire) as (marvelous, theirs):
        acme.configure(view_of(ACME), {"a": MASTER})
        marvelous.configure(view_of(MARVELOUS, "consent_key: mine"), {"a": MASTER})
        assert soon(lambda: "the other end has another key" in {item.words for item in marvelous.standing()})
        assert not sets.elements
        assert not theirs.elements


def test_an_end_without_a_pair_agrees_with_nobody() -> None:
    wire = Wire()
    with agent_on(wire) as (acme, sets), agent_on(wire) as (marvelous, theirs):
        acme.configure(view_of(ACME), {"a": BACKUP})
        marvelous.configure(view_of(MARVELOUS), {"a": MASTER})
        time.sleep(1.2)
        assert not sets.elements
        assert not theirs.elements
        acme.follow({"a": MASTER})
        assert soon(lambda: bool(sets.elements and theirs.elements))
