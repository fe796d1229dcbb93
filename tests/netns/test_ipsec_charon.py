"""Connections on a real charon against a second one: algorithms, names, what a change leaves alone (I01, I02, I07)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.engine.errors import ApplyFailed
from appliance.schema.ipsec import DH_GROUPS, Encryption, Integrity
from appliance.subsystems.ipsec.connection import Connection
from appliance.subsystems.ipsec.subsystem import Ipsec
from tests.netns.two_charons import Pair, connection, two_charons, wait_until
from tests.unit.subsystems.ipsec_cases import WILD

pytestmark = pytest.mark.netns

ALGORITHMS = [
    (group, integrity, encryption)
    for group in sorted(DH_GROUPS)
    for integrity in Integrity
    for encryption in Encryption
]
WILD_NAMES = (WILD, "ACME Office", "büro ☃", "line\nbreak\ttab", "x" * 300, " leading", "%", "a%20b", "名" * 99)
WILD_SECRETS = ('k#9} "quoted" ünïcode', "0x00", "0sAAAA", "line\nbreak", "{}#=\\", "x" * 2000, " ", "%any", "'")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with two_charons(tmp_path, len(ALGORITHMS)) as found:
        yield found


def site(number: int, group: int, integrity: Integrity, encryption: Encryption) -> Connection:
    """Give a connection that has the same algorithms in both phases."""
    settings: dict[str, Any] = {}
    for phase in ("phase1", "phase2"):
        settings[f"{phase}_dh_group_number"] = group
        settings[f"{phase}_integrity_algorithm"] = integrity.value
        settings[f"{phase}_encryption_algorithm"] = encryption.value
    return connection(number, **settings)


def change(pair: Pair, old: list[Connection], new: list[Connection]) -> int:
    """Do what a commit does; gives the number of steps."""
    steps = Ipsec().plan(frozenset(old), frozenset(new))
    for step in steps:
        step.apply(pair.near)
    assert Ipsec().verify(pair.near, frozenset(new)) == ()
    return len(steps)


def bring_up(pair: Pair, connections: list[Connection]) -> None:
    """Start all and wait until all are up."""
    for item in connections:
        pair.near.vici.initiate(item.wire)
    wanted = {item.wire for item in connections}
    assert wait_until(lambda: wanted <= set(pair.up()), 60), sorted(wanted - set(pair.up()))


def test_every_combination_of_algorithms_comes_up(pair: Pair) -> None:
    connections = [site(number, *algorithms) for number, algorithms in enumerate(ALGORITHMS, 1)]
    pair.load(connections)
    assert Ipsec().verify(pair.near, frozenset(connections)) == ()
    bring_up(pair, connections)


def test_any_name_and_any_secret(pair: Pair) -> None:
    named = [
        connection(n, name, pre_shared_key=s)
        for n, (name, s) in enumerate(zip(WILD_NAMES, WILD_SECRETS, strict=True), 1)
    ]
    pair.load(named)
    assert Ipsec().verify(pair.near, frozenset(named)) == ()
    bring_up(pair, named)
    identified = [
        replace(connection(n, f"id {n}"), local_id=identity)
        for n, identity in enumerate(('my "gw" #1 {x}', "fqdn:#62c3bc726f", "rfc822:#c3bc4078"), 50)
    ]
    pair.load(identified)
    bring_up(pair, identified)


def test_another_secret_does_not_come_up(pair: Pair) -> None:
    item = connection(1)
    pair.load([item])
    pair.near.vici.load_secret(item.secret_id, b"another", item.owners)
    pair.near.vici.initiate(item.wire)
    assert not wait_until(pair.up, 2)


@pytest.mark.parametrize("kind", ["change", "add", "remove"])
def test_one_of_a_hundred_is_touched_and_99_are_not(pair: Pair, kind: str) -> None:
    old = [connection(number) for number in range(1, 101)]
    pair.load(old)
    bring_up(pair, old)
    before = pair.up()
    new = {
        "change": [*old[:49], replace(old[49], child_life=1800), *old[50:]],
        "add": [*old, connection(101)],
        "remove": [*old[:49], *old[50:]],
    }[kind]
    assert change(pair, old, new) == 1
    touched = {"change": "site 50", "add": "site 101", "remove": "site 50"}[kind]
    after = pair.up()
    assert {name: ids for name, ids in before.items() if name != touched} == after
    assert len(after) == (100 if kind == "add" else 99)


def test_a_change_leaves_one_alone_that_is_connecting(pair: Pair) -> None:
    nowhere = replace(connection(3), remote="10.1.255.254")
    old = [connection(1), connection(2)]
    pair.load(old)
    Ipsec().put(pair.near, nowhere)
    pair.near.vici.initiate(nowhere.wire)
    assert wait_until(pair.near.vici.associations, 5)
    change(pair, [*old, nowhere], [old[0], replace(old[1], child_life=1800), nowhere])
    ((name, association),) = pair.near.vici.associations()
    assert (name, association["state"], association["uniqueid"]) == (nowhere.wire, "CONNECTING", "1")


def test_a_refused_change_leaves_the_tunnel_up(pair: Pair) -> None:
    old = connection(1)
    pair.load([old])
    bring_up(pair, [old])
    before = pair.up()
    (step,) = Ipsec().plan(frozenset({old}), frozenset({replace(old, esp_proposal="nonsense")}))
    with pytest.raises(ApplyFailed, match="proposals"):
        step.apply(pair.near)
    step.revert(pair.near)
    assert pair.up() == before
    assert Ipsec().verify(pair.near, frozenset({old})) == ()


def test_a_change_that_is_reverted_comes_up_as_before(pair: Pair) -> None:
    old = connection(1)
    pair.load([old])
    bring_up(pair, [old])
    (step,) = Ipsec().plan(frozenset({old}), frozenset({replace(old, ike_proposal="aes128-sha256-ecp256")}))
    step.apply(pair.near)
    step.revert(pair.near)
    assert Ipsec().verify(pair.near, frozenset({old})) == ()
    bring_up(pair, [old])


def test_rekeying_comes_before_the_end_of_the_lives(pair: Pair) -> None:
    # both ends want to, which may well be at the same moment
    item = replace(connection(1), ike_life=15, child_life=9, child_rekey=6)
    pair.load([item])
    bring_up(pair, [item])
    seen = set()
    end = time.monotonic() + 24
    while time.monotonic() < end:
        # while a child is being replaced there are two, and never none
        assert pair.near.vici.associations()
        seen |= set(pair.up().values())
        time.sleep(0.2)
    assert len({spi for _number, spi in seen}) >= 3
    assert len({number for number, _spi in seen}) >= 2
