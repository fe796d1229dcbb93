"""Connections are loaded, changed and unloaded one by one, and the others are left in peace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from appliance.engine.errors import ApplyFailed, MissingTool, Refused
from appliance.engine.ports import Host, Link
from appliance.engine.step import Impact, Step
from appliance.subsystems.ipsec.connection import Connection
from appliance.subsystems.ipsec.subsystem import Ipsec, reload_forgotten
from tests.unit.subsystems.ipsec_cases import OFFICE, WILD, node, office
from tests.unit.subsystems.memory_charon import MemoryCharon

Connections = frozenset[Connection]


class MemoryFiles:
    def __init__(self, **texts: str) -> None:
        self.texts = texts

    def read(self, path: str) -> str | None:
        return self.texts.get(path)


class MemoryLinks:
    """As much of rtnetlink as xfrm interfaces need."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.mtus: dict[str, int | None] = {}

    def links(self) -> dict[str, Link]:
        return {name: Link(name, 9, "", True, True, 1400, "xfrm") for name in self.ids}

    def add_xfrm(self, name: str, if_id: int) -> None:
        self.ids[name] = if_id

    def set_link(self, name: str, *, up: bool | None = None, mtu: int | None = None) -> None:
        assert name in self.ids
        self.mtus[name] = mtu

    def delete_link(self, name: str) -> None:
        self.ids.pop(name, None)


class World:
    def __init__(self, *features: str, **files: str) -> None:
        self.charon = MemoryCharon()
        self.links = MemoryLinks()
        netlink: Any = self.links
        found: Any = MemoryFiles(**files)
        self.host = replace(
            bare_host(),
            netlink=netlink,
            files=found,
            vici=self.charon,
            features=frozenset(features),
        )


def bare_host() -> Host:
    """Give a host without any port."""
    blank: Any = None
    names = [name for name in Host.__dataclass_fields__ if name != "features"]
    return Host(**dict.fromkeys(names, blank))


SUBSYSTEM = Ipsec()


def rendered(**connections: dict[str, Any]) -> Connections:
    return SUBSYSTEM.render(node("a", **connections))


def apply(world: World, old: Connections | None, new: Connections) -> tuple[Step, ...]:
    steps = SUBSYSTEM.plan(old, new)
    for step in steps:
        step.apply(world.host)
    return steps


def hundred(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    many = {f"site {n}": office(remote_peer=f"192.0.2.{n}", remote_subnet=f"172.16.{n}.0/24") for n in range(1, 101)}
    return {**many, **changed}


def test_what_was_loaded_is_found_again() -> None:
    world, wanted = World(), rendered(**{WILD: OFFICE, "ACME Office": office(remote_peer="5.6.7.9")})
    apply(world, frozenset(), wanted)
    assert SUBSYSTEM.observe(world.host, wanted) == wanted
    assert SUBSYSTEM.verify(world.host, wanted) == ()
    (secret, owners), *_ = [world.charon.keys[item.secret_id] for item in wanted if item.name == WILD]
    assert secret == 'k#9} "quoted" ünïcode'.encode()
    assert owners == ("4.5.6.10", "5.6.7.8")


def test_one_of_a_hundred_changes_and_the_others_are_not_touched() -> None:
    world, old = World(), rendered(**hundred())
    apply(world, frozenset(), old)
    for item in old:
        world.charon.establish(item.wire)
    before = {name: item["uniqueid"] for name, item in world.charon.up}
    world.charon.calls.clear()
    new = rendered(**hundred(**{"site 7": office(remote_peer="192.0.2.7", remote_subnet="172.16.207.0/24")}))
    (step,) = apply(world, old, new)
    assert step.impact is Impact.TUNNEL
    assert {name for _call, name in world.charon.calls if "secret" not in _call} == {"site 7"}
    assert {name: item["uniqueid"] for name, item in world.charon.up} == {
        name: number for name, number in before.items() if name != "site 7"
    }
    assert SUBSYSTEM.verify(world.host, new) == ()
    assert len(world.charon.keys) == 100


def test_a_change_is_reverted_to_what_was_before() -> None:
    world, old = World(), rendered(x=OFFICE)
    apply(world, frozenset(), old)
    before = world.charon.snapshot()[:2]
    (step,) = apply(world, old, rendered(x=office(phase1_dh_group_number=15, pre_shared_key="new")))
    assert world.charon.snapshot()[:2] != before
    world.charon.establish("x")
    step.revert(world.host)
    assert world.charon.snapshot() == (*before, [])


def test_a_refused_change_leaves_the_living_tunnel_alone() -> None:
    world, old = World(), rendered(x=OFFICE)
    apply(world, frozenset(), old)
    world.charon.establish("x")
    before = world.charon.snapshot()
    (step,) = SUBSYSTEM.plan(old, rendered(x=office(phase1_dh_group_number=15)))
    world.charon.refuses = "x"
    with pytest.raises(ApplyFailed, match="invalid value"):
        step.apply(world.host)
    world.charon.refuses = None
    step.revert(world.host)
    assert world.charon.snapshot() == before


def test_another_secret_alone_is_a_change() -> None:
    world, old = World(), rendered(x=OFFICE)
    apply(world, frozenset(), old)
    world.charon.establish("x")
    apply(world, old, rendered(x=office(pre_shared_key="new")))
    assert [secret for secret, _owners in world.charon.keys.values()] == [b"new"]
    assert world.charon.up == []


def test_what_charon_does_not_get_is_no_step() -> None:
    changes = {"desc": "x", "start_action": "trap", "dpd_action": "clear", "ingress_rules": {"10": {"ports": "22"}}}
    assert SUBSYSTEM.plan(rendered(x=OFFICE), rendered(x=office(**changes))) == ()


def test_a_connection_goes_with_all_that_is_its_own() -> None:
    world = World("esp", "xfrm-interface")
    old = rendered(x=OFFICE, y=office(remote_peer="5.6.7.9"))
    apply(world, frozenset(), old)
    assert len(world.links.ids) == 2
    world.charon.establish("x")
    world.charon.establish("y")
    apply(world, old, rendered(y=office(remote_peer="5.6.7.9")))
    assert set(world.charon.loaded) == {"y"}
    assert [name for name, _item in world.charon.up] == ["y"]
    assert len(world.links.ids) == len(world.charon.keys) == 1


def test_interfaces_are_where_the_kernel_has_them() -> None:
    world, wanted = World("esp", "xfrm-interface"), rendered(x=OFFICE)
    (item,) = wanted
    apply(world, frozenset(), wanted)
    assert world.links.ids == {item.device: item.if_id}
    assert world.links.mtus == {item.device: 1400}
    assert world.charon.loaded["x"]["children"]["x"]["if_id_in"] == str(item.if_id)
    world.links.delete_link(item.device)
    assert SUBSYSTEM.verify(world.host, wanted)
    other = World()
    apply(other, frozenset(), wanted)
    assert other.links.ids == {}
    assert "if_id_in" not in other.charon.loaded["x"]["children"]["x"]


def test_strangers_and_differences_are_seen() -> None:
    world, wanted = World(), rendered(x=OFFICE)
    apply(world, frozenset(), wanted)
    world.charon.loaded["stranger"] = dict(world.charon.loaded["x"], children={})
    world.charon.loaded["x"]["remote_addrs"] = ["192.0.2.1"]
    assert {difference.where for difference in SUBSYSTEM.verify(world.host, wanted)} == {"stranger", "x"}
    found = SUBSYSTEM.observe(world.host, wanted)
    apply(world, found, wanted)
    assert SUBSYSTEM.verify(world.host, wanted) == ()


def test_a_secret_may_be_in_a_file() -> None:
    settings = office(pre_shared_key=None, pre_shared_key_file="psk")
    wanted = rendered(x=settings)
    world = World(psk="correct horse\n")
    SUBSYSTEM.check(world.host, wanted)
    apply(world, frozenset(), wanted)
    assert [secret for secret, _owners in world.charon.keys.values()] == [b"correct horse"]
    for missing in (World(), World(psk="\n")):
        with pytest.raises(Refused, match="no secret in psk"):
            SUBSYSTEM.check(missing.host, wanted)


def test_without_charon_nothing_is_applied_where_something_is_wanted() -> None:
    world, wanted = World(), rendered(x=OFFICE)
    world.charon.running = False
    with pytest.raises(MissingTool):
        SUBSYSTEM.check(world.host, wanted)
    (step,) = SUBSYSTEM.plan(frozenset(), wanted)
    with pytest.raises(MissingTool):
        step.apply(world.host)
    SUBSYSTEM.check(world.host, frozenset())
    assert SUBSYSTEM.verify(world.host, frozenset()) == ()


def test_at_start_tunnels_wait_for_charon_and_the_rest_goes_on() -> None:
    world, wanted = World(), rendered(x=OFFICE)
    world.charon.running = False
    assert SUBSYSTEM.observe(world.host, wanted) == wanted
    (difference,) = SUBSYSTEM.verify(world.host, wanted)
    assert difference.where == "charon"


def test_what_charon_forgot_is_loaded_again() -> None:
    world, wanted = World(), rendered(x=OFFICE, y=office(remote_peer="5.6.7.9"))
    apply(world, frozenset(), wanted)
    del world.charon.loaded["x"]
    assert reload_forgotten(world.host, wanted) == ("x",)
    assert reload_forgotten(world.host, wanted) == ()
    world.charon.keys.clear()
    assert set(reload_forgotten(world.host, wanted)) == {"x", "y"}
    assert SUBSYSTEM.verify(world.host, wanted) == ()


def test_no_secret_is_printed() -> None:
    old, new = rendered(x=office(pre_shared_key="first-word")), rendered(x=office(pre_shared_key="second-word"))
    (step,) = SUBSYSTEM.plan(old, new)
    shown = [SUBSYSTEM.text(new), repr(new), step.action, step.before, step.after]
    shown += [difference.text() for difference in SUBSYSTEM.verify(World().host, new)]
    assert not any("-word" in str(text) for text in shown)
