"""A commit is all or nothing, whatever fails and wherever it dies."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.store import Author
from appliance.engine.errors import ApplyFailed, Conflict, EngineError, Refused, VerifyFailed
from appliance.engine.gateway import Change
from appliance.schema.problem import InvalidConfig
from tests.unit.engine.world import MODEL, PARTS, Bench, Crash

ME = Change(Author("ann"))


def rules(*ports: str, policy: str = "accept") -> dict[str, Any]:
    numbered = {str(10 * (at + 1)): {"ports": port} for at, port in enumerate(ports)}
    return {"ingress_rules": numbered, "egress_policy": policy}


def expected(tree: dict[str, Any]) -> dict[str, str]:
    config = MODEL.validate(tree, None).config
    return {name: value for part in PARTS for name, value in part.render(config).items()}


TREES = st.builds(
    rules, st.sampled_from(["22", "80", "443", "1-1024"]), policy=st.sampled_from(["accept", "drop"])
) | st.builds(rules, st.sampled_from(["53", "8443"]), st.sampled_from(["9", "99"]))


def test_a_commit_makes_the_world_the_configuration() -> None:
    bench = Bench()
    result = bench.gateway.commit(rules("443"), ME)
    assert result.revision == 1
    assert bench.world.settings == expected(rules("443"))
    assert bench.gateway.revision(1).author.user == "ann"


def test_an_invalid_configuration_touches_nothing() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    before, writes = bench.snapshot(), bench.faults.writes
    with pytest.raises(InvalidConfig):
        bench.gateway.commit({"broken": True}, ME)
    with pytest.raises(Refused):
        bench.gateway.commit(rules("666"), ME)
    assert bench.snapshot() == before
    assert bench.faults.writes == writes


def test_check_plans_and_touches_nothing() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    before, writes = bench.snapshot(), bench.faults.writes
    result = bench.gateway.commit(rules("443", "80"), ME, check=True)
    assert result.revision is None
    assert [step.action for step in result.plan.steps] == ["set links.20", "set firewall.20", "set vips.20"]
    assert bench.snapshot() == before
    assert bench.faults.writes == writes


def test_a_commit_that_changes_nothing_writes_nothing() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    writes = bench.faults.writes
    assert bench.gateway.commit(rules("443"), ME).revision is None
    assert bench.faults.writes == writes
    assert len(bench.gateway.revisions()) == 1


def test_a_comment_alone_is_no_change() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    assert bench.gateway.commit(rules("443"), Change(Author("bob"), "again")).revision is None


@pytest.mark.parametrize("at", range(1, 40))
def test_a_failure_at_any_call_leaves_everything_as_it_was(at: int) -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    before = bench.snapshot()
    bench.faults.calls, bench.faults.fail_at = 0, at
    try:
        bench.gateway.commit(rules("80", "22", policy="drop"), ME)
    except (EngineError, OSError):
        assert bench.snapshot() == before
        bench.restart()
        assert bench.snapshot()[0] == before[0]
        assert bench.snapshot()[1:] == before[1:]
    else:
        assert bench.world.settings == expected(rules("80", "22", policy="drop"))


@pytest.mark.parametrize("at", range(1, 40))
def test_death_at_any_call_ends_all_old_or_all_new(at: int) -> None:
    bench = Bench()
    old, new = rules("443"), rules("80", "22", policy="drop")
    bench.gateway.commit(old, ME)
    bench.faults.calls, bench.faults.die_at = 0, at
    try:
        bench.gateway.commit(new, ME)
    except Crash:
        bench.restart()
    bench.faults.die_at = None
    tree = bench.gateway.running.valid.tree
    assert tree in (old, new)
    assert bench.world.settings == expected(tree)
    assert bench.gateway.commit(rules("8080"), ME).revision is not None
    assert bench.world.settings == expected(rules("8080"))


def test_a_difference_read_back_undoes_the_commit_and_names_it() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    before = bench.snapshot()
    bench.faults.lie = True
    with pytest.raises(VerifyFailed, match="wanted as rendered, found something else"):
        bench.gateway.commit(rules("80"), ME)
    assert bench.snapshot() == before


def test_an_unconfirmed_commit_goes_back_by_itself() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    bench.gateway.commit(rules("80"), Change(Author("ann"), confirm_within=0.05))
    assert bench.world.settings == expected(rules("80"))
    deadline = time.monotonic() + 5
    while bench.world.settings != expected(rules("443")) and time.monotonic() < deadline:
        time.sleep(0.01)
    with bench.gateway.exclusive():
        assert bench.world.settings == expected(rules("443"))
        assert bench.gateway.running.valid.tree == rules("443")
        assert bench.gateway.confirm_seconds() is None


def test_a_confirmed_commit_stays() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    bench.gateway.commit(rules("80"), Change(Author("ann"), confirm_within=60))
    assert bench.gateway.confirm() == 2
    assert bench.gateway.confirm_seconds() is None
    bench.restart()
    assert bench.world.settings == expected(rules("80"))
    with pytest.raises(Conflict):
        bench.gateway.confirm()


def test_another_commit_confirms() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    bench.gateway.commit(rules("80"), Change(Author("ann"), confirm_within=60))
    bench.gateway.commit(rules("80"), ME)
    assert bench.gateway.confirm_seconds() is None
    bench.restart()
    assert bench.world.settings == expected(rules("80"))


def test_a_second_confirmed_commit_goes_back_to_the_first_way_out() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    bench.gateway.commit(rules("80"), Change(Author("ann"), confirm_within=60))
    bench.gateway.commit(rules("22"), Change(Author("ann"), confirm_within=60))
    bench.restart()
    assert bench.gateway.running.valid.tree == rules("443")
    assert bench.world.settings == expected(rules("443"))


def test_a_restart_in_the_window_rolls_back_and_records_it() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    bench.gateway.commit(rules("80", policy="drop"), Change(Author("ann"), confirm_within=60))
    bench.restart()
    assert bench.world.settings == expected(rules("443"))
    newest = bench.gateway.revisions()[0]
    assert (newest.number, newest.tree) == (3, rules("443"))
    assert newest.comment == "revision 2 was not confirmed: back to 1"
    bench.restart()
    assert bench.gateway.revisions()[0].number == 3


def test_revisions_are_chained_by_digest() -> None:
    bench = Bench()
    for port in ("1", "2", "3"):
        bench.gateway.commit(rules(port), ME)
    third, second, first = bench.gateway.revisions()
    assert (third.parent, second.parent, first.parent) == (second.digest, first.digest, None)


def test_drift_is_seen_and_healed() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    bench.world.settings["firewall.10"] = "1-65535"
    assert [difference.subsystem for difference in bench.gateway.drift()] == ["firewall"]
    bench.gateway.heal()
    assert bench.gateway.drift() == []
    assert bench.world.settings == expected(rules("443"))


def test_a_start_with_everything_right_writes_nothing() -> None:
    bench = Bench()
    bench.gateway.commit(rules("443"), ME)
    writes = bench.faults.writes
    bench.restart()
    assert bench.faults.writes == writes


@settings(max_examples=60, deadline=None)
@given(trees=st.lists(TREES, min_size=1, max_size=6), back=st.integers(0, 5))
def test_rolling_back_gives_the_same_world_as_before(trees: list[dict[str, Any]], back: int) -> None:
    bench = Bench()
    worlds: dict[int, dict[str, str]] = {}
    for tree in trees:
        bench.gateway.commit(tree, ME)
        number = bench.snapshot()[1]
        assert number is not None
        worlds[number] = dict(bench.world.settings)
    number = sorted(worlds)[back % len(worlds)]
    bench.gateway.commit(bench.gateway.revision(number).tree, ME)
    assert bench.world.settings == worlds[number]


@settings(max_examples=150, deadline=None)
@given(trees=st.lists(TREES, min_size=2, max_size=5), at=st.integers(1, 120), dies=st.booleans())
def test_random_histories_survive_one_fault(trees: list[dict[str, Any]], at: int, dies: bool) -> None:
    bench = Bench()
    allowed: list[dict[str, Any]] = [{}]
    bench.faults.die_at, bench.faults.fail_at = (at, None) if dies else (None, at)
    for tree in trees:
        old = bench.gateway.running.valid.tree
        try:
            bench.gateway.commit(tree, ME)
            allowed = [tree]
        except (ApplyFailed, OSError):
            allowed = [old]
        except Crash:
            bench.restart()
            allowed = [old, tree]
        tree_now = bench.gateway.running.valid.tree
        assert tree_now in allowed
        if bench.gateway.running.revision is not None:
            assert bench.world.settings == expected(tree_now)


def test_retention_keeps_the_newest() -> None:
    bench = Bench()
    for port in range(1, 121):
        bench.gateway.commit(rules(str(port)), ME)
    numbers = [revision.number for revision in bench.gateway.revisions()]
    assert numbers == list(range(120, 20, -1))
