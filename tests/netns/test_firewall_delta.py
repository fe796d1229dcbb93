"""Changing the firewall in place, against the kernel: what is there afterwards is what a fresh load would give."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import Host
from appliance.subsystems.firewall.compare import compare
from appliance.subsystems.firewall.delta import delta
from appliance.subsystems.firewall.ruleset import FAMILY, TABLE, Chain, NamedSet, Ruleset
from appliance.subsystems.firewall.subsystem import Firewall
from appliance.system.nft import NftProgram
from tests.netns.scratch import scratch_namespace
from tests.unit.subsystems.firewall_cases import PEERED, RULES, V6, one_zone, rules_of, two_zones, view_of

pytestmark = pytest.mark.netns


@pytest.fixture
def nft() -> Iterator[NftProgram]:
    with scratch_namespace():
        yield NftProgram()


class OnlyNft:
    """A host of which only nftables is asked."""

    def __init__(self, nft: NftProgram) -> None:
        self.nft = nft


def assert_is(nft: NftProgram, wanted: Ruleset) -> None:
    canonical = nft.canonical(wanted.text(), FAMILY, TABLE)
    assert compare(wanted, canonical, nft.list_table(FAMILY, TABLE)) == ()


def move(nft: NftProgram, old: Ruleset, new: Ruleset) -> None:
    """Change and look; change again, as a revert after a failure may."""
    for _ in range(2):
        text = delta(old, new)
        nft.apply(text)
        assert_is(nft, new)


PORTS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda span: f"{span[0]}-{span[0] + span[1]}"),
    min_size=1,
    max_size=3,
).map(",".join)
SOURCES = st.sampled_from(["0.0.0.0/0", "203.0.113.0/24", "203.0.113.7", "::/0", "2001:db8::/32", "people", "crowd"])
TARGETS = st.sampled_from(["10.50.201.20", "10.50.201.21", "fd00:50::20"])
FLAGS: dict[str, Any] = {"log": st.booleans(), "disabled": st.booleans()}


def numbered(rule: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[int, dict[str, Any]]]:
    return st.dictionaries(st.integers(1, 6).map(lambda number: number * 10), rule, max_size=4)


INGRESS = st.fixed_dictionaries(
    {"source": SOURCES, "ports": PORTS, "protocol": st.sampled_from(["tcp", "udp"])},
    optional={**FLAGS, "limit": st.sampled_from(["3/minute", "10/second"])},
)
EGRESS = st.fixed_dictionaries({"destination": SOURCES, "ports": PORTS}, optional=FLAGS)
NAT = st.fixed_dictionaries(
    {"destination": TARGETS, "ports": PORTS},
    optional={
        **FLAGS,
        "to_port": st.integers(1, 99),
        "source_nat": st.sampled_from(["auto", "preserve", "masquerade"]),
    },
)
SIDE = st.fixed_dictionaries({"ports": PORTS}, optional=FLAGS)
PEERING = st.fixed_dictionaries(
    {"policy": st.sampled_from(["accept", "drop"]), "ingress_rules": numbered(SIDE), "egress_rules": numbered(SIDE)},
    optional={"transit": st.booleans(), "consent_key": st.just("a key")},
)
PEERINGS = st.dictionaries(st.sampled_from(["ceph", "marvelous", "far"]), PEERING, max_size=3)
ADDRESSES = st.lists(st.sampled_from(["192.0.2.0/24", "192.0.2.0/25", "198.51.100.9", "2001:db8:7::/48"]), max_size=4)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Draw configurations that share much, as one revision and the next do."""
    base = draw(st.sampled_from([one_zone(), two_zones(), V6]))
    return {
        **base,
        "subnets": PEERED["subnets"],
        "groups": {"addresses": {"people": draw(ADDRESSES), "crowd": ["203.0.113.64/26"]}},
        "ingress_rules": draw(numbered(INGRESS)),
        "egress_rules": draw(numbered(EGRESS)),
        "egress_policy": draw(st.sampled_from(["accept", "drop"])),
        "nat_rules": draw(numbered(NAT)),
        "vpc_peerings": draw(PEERINGS),
    }


@settings(max_examples=60, deadline=None)
@given(old=trees(), new=trees())
def test_changing_gives_what_loading_afresh_gives_there_and_back(old: dict[str, Any], new: dict[str, Any]) -> None:
    one, other = rules_of(old), rules_of(new)
    with scratch_namespace():
        nft = NftProgram()
        nft.apply(one.text())
        move(nft, one, other)
        move(nft, other, one)


def test_equal_rulesets_need_no_transaction() -> None:
    assert delta(rules_of(RULES), rules_of(RULES)) == ""
    assert Firewall().plan(rules_of(RULES), rules_of(RULES)) == ()


def test_chains_that_do_not_change_are_not_named() -> None:
    old = rules_of(one_zone(ingress_rules={10: {"ports": "443"}}))
    new = rules_of(one_zone(ingress_rules={10: {"ports": "443"}, 20: {"ports": "8443"}}))
    lines = delta(old, new).splitlines()
    assert all(line.split()[-1] == "ingress_20" or "ingress" in line for line in lines)
    assert "flush chain inet kawaii forward" not in lines


def hit(counter: str) -> str:
    """Give a rule that counts what the gateway sends to itself."""
    return f'chain probe {{ type filter hook output priority 10; policy accept; counter name "{counter}"; }};'


def packets(nft: NftProgram, counter: str) -> int:
    listing = nft.list_table(FAMILY, TABLE)
    assert listing is not None
    return int(
        next(entry["counter"]["packets"] for entry in listing if entry.get("counter", {}).get("name") == counter)
    )


def test_counters_live_through_a_change_of_their_own_rule(nft: NftProgram) -> None:
    old = rules_of(one_zone(ingress_rules={10: {"ports": "443"}}))
    new = rules_of(one_zone(ingress_rules={10: {"ports": "8443"}, 20: {"ports": "53", "protocol": "udp"}}))
    nft.apply(old.text())
    nft.apply(f"table inet kawaii {{ {hit('ingress_10')} }}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ping", "-c", "2", "-i", "0.1", "127.0.0.1"], check=True, capture_output=True)
    before = packets(nft, "ingress_10")
    assert before >= 2
    nft.apply(delta(old, new))
    assert packets(nft, "ingress_10") == before


def test_dynamic_elements_live_through_a_change_and_are_no_difference(nft: NftProgram) -> None:
    new = rules_of({**PEERED, "egress_rules": {10: {"ports": "25"}}})
    nft.apply(rules_of(PEERED).text())
    nft.apply("add element inet kawaii consent_marvelous { ipv4 timeout 60s }")
    nft.apply(delta(rules_of(PEERED), new))
    assert_is(nft, new)
    listing = nft.list_table(FAMILY, TABLE)
    assert listing is not None
    consent = next(entry["set"] for entry in listing if entry.get("set", {}).get("name") == "consent_marvelous")
    assert consent["elem"][0]["elem"]["val"] == "ipv4"


def test_tables_of_others_are_left_alone(nft: NftProgram) -> None:
    nft.apply("table ip keepalived { chain in { type filter hook input priority 0; counter; }; }")
    before = nft.list_table("ip", "keepalived")
    nft.apply(rules_of(RULES).text())
    nft.apply(delta(rules_of(RULES), rules_of(PEERED)))
    nft.apply(Firewall().text(Firewall().render(view_of({}, None))))
    assert nft.list_table("ip", "keepalived") == before


def test_large_sets_change_by_element(nft: NftProgram) -> None:
    key = "ipv4_addr . inet_service"
    many = tuple((f"10.0.{i // 256}.{i % 256} . {port}", None) for i in range(2000) for port in (80, 443))
    for flags in ((), ("interval",)):
        old = Ruleset(sets=(NamedSet("big", key, flags=flags, elements=many),))
        new = Ruleset(sets=(NamedSet("big", key, flags=flags, elements=(*many[:-1], ("10.9.9.9 . 25", None))),))
        nft.apply(old.text())
        text = delta(old, new)
        assert len(text.splitlines()) <= 3
        nft.apply(text)
        assert_is(nft, new)
        nft.apply(text)
        assert_is(nft, new)


def test_what_cannot_be_altered_in_place_is_replaced(nft: NftProgram) -> None:
    old = Ruleset(sets=(NamedSet("s", "ipv4_addr"),), chains=(Chain("c", ("ip saddr @s accept",)),))
    new = Ruleset(sets=(NamedSet("s", "inet_service"),), chains=(Chain("c", ("tcp dport @s accept",)),))
    nft.apply(old.text())
    nft.apply(delta(old, new))
    assert_is(nft, new)


def test_map_values_change_in_place(nft: NftProgram) -> None:
    old = Ruleset(sets=(NamedSet("m", "mark", "ipv4_addr", elements=(("1", "4.5.6.10"), ("2", "4.5.6.11"))),))
    new = Ruleset(sets=(NamedSet("m", "mark", "ipv4_addr", elements=(("1", "4.5.6.12"), ("3", "4.5.6.11"))),))
    nft.apply(old.text())
    move(nft, old, new)
    move(nft, new, old)


# -- the subsystem -----------------------------------------------------------------------------------------------


def only(nft: NftProgram) -> Host:
    host: Any = OnlyNft(nft)
    return host  # type: ignore[no-any-return]


def test_steps_apply_and_revert_and_verify_agrees(nft: NftProgram) -> None:
    firewall, host = Firewall(), only(nft)
    first, second = firewall.render(view_of(RULES)), firewall.render(view_of(PEERED))
    (load,) = firewall.plan(None, first)
    load.apply(host)
    assert firewall.observe(host, first) is first
    (change,) = firewall.plan(first, second)
    change.apply(host)
    assert firewall.verify(host, second) == ()
    change.revert(host)
    assert firewall.verify(host, first) == ()
    change.revert(host)
    assert firewall.verify(host, first) == ()
    load.revert(host)
    assert firewall.verify(host, firewall.render(view_of({}, None))) == ()


def test_drift_is_told_by_rule_and_set_in_nfts_words(nft: NftProgram) -> None:
    firewall, host = Firewall(), only(nft)
    wanted = firewall.render(view_of(RULES))
    nft.apply(wanted.text())
    nft.apply("insert rule inet kawaii ingress tcp dport 23 accept\nadd element inet kawaii public_vips4 { 4.5.6.9 }")
    found = {difference.where: difference for difference in firewall.verify(host, wanted)}
    assert set(found) == {"chain ingress rule 1", "set public_vips4"}
    assert found["chain ingress rule 1"].wanted is None
    assert "23" in str(found["chain ingress rule 1"].found)
    assert "4.5.6.9" in str(found["set public_vips4"].found)
    assert firewall.observe(host, wanted) is None


def test_rule_taken_away_by_hand_is_told_as_it_was_rendered(nft: NftProgram) -> None:
    firewall, host = Firewall(), only(nft)
    wanted = firewall.render(view_of(RULES))
    nft.apply(wanted.text())
    nft.apply("flush chain inet kawaii egress")
    (difference,) = firewall.verify(host, wanted)
    assert difference.text() == (
        'firewall: chain egress rule 1: wanted counter name "egress_policy" accept, found nothing'
    )


def test_missing_table_is_one_difference(nft: NftProgram) -> None:
    firewall, host = Firewall(), only(nft)
    (difference,) = firewall.verify(host, firewall.render(view_of(RULES)))
    assert difference.where == "table inet kawaii"


def test_change_on_a_kernel_that_lost_the_table_fails_and_says_where_to_look(nft: NftProgram) -> None:
    firewall, host = Firewall(), only(nft)
    (change,) = firewall.plan(firewall.render(view_of(RULES)), firewall.render(view_of(PEERED)))
    with pytest.raises(ApplyFailed, match="show drift"):
        change.apply(host)
    assert nft.list_table(FAMILY, TABLE) is None
