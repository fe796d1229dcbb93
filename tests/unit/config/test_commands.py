"""Set and delete commands: what the words name, what is refused, and how differences are shown."""

# ruff: noqa: E501  (a table reads best a row a line)

from __future__ import annotations

from typing import Any

import pytest

from appliance.config.commands import compare, parse_set_commands, split_words, to_change_commands
from appliance.config.diff import ABSENT, Change, diff, merge, patch
from appliance.config.load import InvalidFile
from appliance.config.tree import delete_at, get_at, has_at, set_at

RULES: dict[str, Any] = {"ingress_rules": {"10": {"ports": "443"}, "20": {"ports": "80"}}}


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("set ingress_rules 10 ports 443,80", {"ingress_rules": {"10": {"ports": "80,443"}}}),
        ("set ingress-rules 10 protocol UDP", {"ingress_rules": {"10": {"protocol": "udp"}}}),
        ("set dnat 10 to_port 22", {"nat_rules": {"10": {"to_port": 22}}}),
        ("set ha conntrack_sync false\nset ha advert_int 0.5", {"ha": {"conntrack_sync": False, "advert_int": 0.5}}),
        ("set system dns 192.0.2.1\nset system dns 192.0.2.2", {"system": {"dns": ["192.0.2.1", "192.0.2.2"]}}),
        ("set system dns 192.0.2.1\nset system dns [ 192.0.2.2 ]", {"system": {"dns": ["192.0.2.2"]}}),
        ("set ha track interfaces [ ]", {"ha": {"track": {"interfaces": []}}}),
        ("set vpc_peerings x", {"vpc_peerings": {"x": {}}}),
        ('# a comment\n\n  set ipsec "ACME Office" desc "a \\"b\\" # c"  # why', {"ipsec": {"ACME Office": {"desc": 'a "b" # c'}}}),
        ("set ipsec 'x y' pre_shared_key 'k\"#'", {"ipsec": {"x y": {"pre_shared_key": 'k"#'}}}),
        ("set system dns [ 192.0.2.1 192.0.2.2 ]\ndelete system dns 192.0.2.1", {"system": {"dns": ["192.0.2.2"]}}),
        ("set ingress_rules 10 ports 1\ndelete ingress_rules 10", {"ingress_rules": {}}),
    ],
)  # fmt: skip
def test_commands_make_a_tree(text: str, tree: dict[str, Any]) -> None:
    assert parse_set_commands(text) == tree


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("set ingress_rules 10 ports 70000", 'c:1: ingress_rules 10 ports: not a port (got "70000", expected 1-65535)'),
        ("set ingress_rules 10 portz 1", "c:1: ingress_rules 10 portz: unknown key, did you mean ports? (expected source, limit, protocol, ports, desc, log, disabled)"),
        ("set egress_policy maybe", 'c:1: egress_policy: not one of the words (got "maybe", expected accept, drop)'),
        ("set ingress_rules ten ports 1", 'c:1: ingress_rules ten: not a whole number (got "ten", expected 1-9999999)'),
        ("set ipsec x desc two words", "c:1: ipsec x desc: one value wanted (got 2 words, expected a text)"),
        ("set ha", "c:1: ha: more words wanted (got none, expected a mapping)"),
        ("set system dns", "c:1: system dns: a value wanted (got none, expected a list, each an IPv4 or IPv6 address)"),
        ("\ndelete ha", "c:2: ha: nothing there to delete"),
        ("delete", "c:1: nothing named to delete"),
        ("commit", 'c:1: not a command (got "commit", expected set or delete)'),
        ('set ipsec "x', "c:1: column 10: a quote that does not end, or text after a closing quote"),
        ("set ipsec x pre_shared_key ********", "c:1: ipsec x pre_shared_key: a masked secret (expected the secret itself, as `convert --secrets` prints it)"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_told_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        parse_set_commands(text, "c")
    assert str(refused.value).splitlines() == [problem]


def test_all_wrong_commands_are_told_at_once() -> None:
    with pytest.raises(InvalidFile) as refused:
        parse_set_commands("set a\nset ha mode unicast\nset b\n", "c")
    assert [item.line for item in refused.value.located] == [1, 3]


def test_commands_edit_a_tree_and_leave_the_old_one_alone() -> None:
    assert parse_set_commands("delete ingress_rules 20", base=RULES) == {"ingress_rules": {"10": {"ports": "443"}}}
    assert "20" in RULES["ingress_rules"]


@pytest.mark.parametrize("line", ['"a', "a 'b", '"a"b', '"\\x"'])
def test_a_quote_that_does_not_end_is_told(line: str) -> None:
    with pytest.raises(ValueError, match="column"):
        split_words(line)


def test_a_comparison_shows_what_goes_and_what_comes() -> None:
    new = {
        "system": {"dns": ["192.0.2.1"]},
        "ingress_rules": {"10": {"ports": "443,8443"}},
        "vpc_peerings": {"x": {"consent_key": "hush"}},
    }
    assert compare({**RULES, "system": {"dns": ["192.0.2.1", "192.0.2.2"]}}, new) == [
        "- system dns 192.0.2.2",
        "- ingress_rules 20 ports 80",
        "- ingress_rules 10 ports 443",
        "+ ingress_rules 10 ports 443,8443",
        "+ vpc_peerings x consent_key ********",
    ]


def test_a_secret_that_changed_is_shown_as_changed() -> None:
    def tree(secret: str) -> dict[str, Any]:
        return {"vpc_peerings": {"x": {"consent_key": secret}}}

    line = "vpc_peerings x consent_key ********"
    assert compare(tree("one"), tree("other")) == [f"- {line}", f"+ {line}"]
    assert compare(tree("one"), tree("one")) == []


def test_change_commands_replace_lists() -> None:
    old, new = {"system": {"dns": ["192.0.2.1"]}}, {"system": {"dns": ["192.0.2.2"]}}
    assert to_change_commands(old, new) == ["delete system dns", "set system dns 192.0.2.2"]


def test_an_edit_shares_what_it_does_not_touch() -> None:
    new = set_at(RULES, ("ingress_rules", "10", "ports"), "1")
    assert new["ingress_rules"]["20"] is RULES["ingress_rules"]["20"]
    assert get_at(RULES, ("ingress_rules", "10", "ports")) == "443"
    assert not has_at(delete_at(new, ("ingress_rules", "10")), ("ingress_rules", "10"))
    with pytest.raises(KeyError):
        delete_at(RULES, ("ingress_rules", "10", "source"))
    with pytest.raises(KeyError):
        get_at(RULES, ("ingress_rules", "10", "ports", "443"))


def test_a_difference_is_the_smallest_place() -> None:
    new = {"ingress_rules": {"10": {"ports": "443", "log": True}, "30": {"ports": "1"}}}
    assert list(diff(RULES, new)) == [
        Change(("ingress_rules", "20"), {"ports": "80"}, ABSENT),
        Change(("ingress_rules", "10", "log"), ABSENT, True),
        Change(("ingress_rules", "30"), ABSENT, {"ports": "1"}),
    ]


def test_a_merge_takes_both_sides() -> None:
    mine = set_at(RULES, ("ingress_rules", "10", "log"), True)
    theirs = delete_at(set_at(RULES, ("ingress_rules", "10", "ports"), "444"), ("ingress_rules", "20"))
    merged = merge(RULES, mine, theirs)
    assert merged.tree == {"ingress_rules": {"10": {"ports": "444", "log": True}}}
    assert not merged.conflicts


@pytest.mark.parametrize(
    ("mine", "theirs", "conflict"),
    [
        ("set ingress_rules 10 ports 1", "set ingress_rules 10 ports 2", ("ingress_rules", "10", "ports")),
        ("set ingress_rules 30 ports 1", "set ingress_rules 30 protocol udp", ("ingress_rules", "30")),
        ("delete ingress_rules 10", "set ingress_rules 10 log true", ("ingress_rules", "10")),
        ("set ha mode unicast", "set ha mode multicast", ("ha", "mode")),
    ],
)
def test_a_merge_names_the_place_that_both_changed(mine: str, theirs: str, conflict: tuple[str, ...]) -> None:
    merged = merge(RULES, parse_set_commands(mine, base=RULES), parse_set_commands(theirs, base=RULES))
    assert merged.conflicts == (conflict,)


def test_a_merge_of_two_new_entries_has_no_conflict() -> None:
    mine = parse_set_commands("set ipsec x desc a\nset ha mode unicast", base=RULES)
    theirs = parse_set_commands("set ipsec y desc b\nset ha advert_int 1", base=RULES)
    merged = merge(RULES, mine, theirs)
    assert not merged.conflicts
    assert set(merged.tree["ipsec"]) == {"x", "y"}
    assert merged.tree["ha"] == {"mode": "unicast", "advert_int": 1}


def test_another_order_of_zones_is_a_difference() -> None:
    zones = {"a": {"vrid": 1}, "b": {"vrid": 2}}
    old, new = {"netcfg": {"zones": zones}}, {"netcfg": {"zones": dict(reversed(zones.items()))}}
    assert compare(old, new) == ["- netcfg zones in order: a, b", "+ netcfg zones in order: b, a"]
    assert list(parse_set_commands("\n".join(to_change_commands(old, new)), base=old)["netcfg"]["zones"]) == ["b", "a"]
    assert list(patch(old, diff(old, new))["netcfg"]["zones"]) == ["b", "a"]
    assert not compare(old, parse_set_commands("set netcfg zones c vrid 3\ndelete netcfg zones c", base=old))
