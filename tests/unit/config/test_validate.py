"""A tree judged step by step is what it is when judged whole; what did not change is the same object."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from appliance.config.tree import delete_at, set_at
from appliance.config.validate import Checked, check_tree, dump_tree, redact, validate_tree
from appliance.schema.problem import InvalidConfig
from appliance.sources.userdata import load_file

EXAMPLES = Path(__file__).parents[3] / "cloud-init" / "examples"
SOME_RULE = {"source": "203.0.113.0/24", "ports": "9443"}


@pytest.fixture(scope="module")
def acme() -> Checked:
    return check_tree(load_file(EXAMPLES / "acme-user-data.yaml").tree)


EDITS: list[tuple[tuple[str, ...], Any]] = [
    (("ingress_rules", "5"), SOME_RULE),
    (("ingress_rules", "20"), {**SOME_RULE, "protocol": "UDP"}),
    (("ingress_rules", "10", "ports"), "22, 8443"),
    (("egress_policy",), "drop"),
    (("groups", "ports", "web"), "443,80"),
    (("vpc_peerings", "eu-west-marvelous", "ingress_rules", "5"), {"ports": "1"}),
    (("netcfg", "zones", "eu-west-c"), {"public_ip": "4.5.6.12", "vrid": 3}),
    (("ha",), {"track": {}}),
    (("ingress_rules", "10"), None),
    (("ingress_rules",), None),
    (("vpc_peerings", "eu-west-ceph"), None),
    (("ipsec",), None),
    (("routes", "10.7.0.0/16"), {"next_hops": {"10.50.201.2": {"dev": "private"}}}),
]


def edited(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    return delete_at(tree, path) if value is None else set_at(tree, path, value)


@pytest.mark.parametrize(("path", "value"), EDITS)
def test_an_edit_judged_alone_is_the_edit_judged_with_all(acme: Checked, path: tuple[str, ...], value: Any) -> None:
    tree = edited(acme.tree, path, value)
    step, whole = check_tree(tree, acme), check_tree(tree)
    assert step.tree == whole.tree
    assert list(step.tree) == list(whole.tree)
    assert step.config == whole.config
    assert sorted(map(str, step.warnings)) == sorted(map(str, whole.warnings))
    assert dump_tree(step.config, secrets=True) == step.tree


def test_edits_one_after_the_other_are_all_of_them_at_once(acme: Checked) -> None:
    step = acme
    for path, value in EDITS:
        step = check_tree(edited(step.tree, path, value), step)
    whole = check_tree(step.tree)
    assert step.config == whole.config
    assert list(step.config.ingress_rules) == sorted(step.config.ingress_rules)
    assert sorted(map(str, step.warnings)) == sorted(map(str, whole.warnings))


def test_what_did_not_change_is_the_same_object(acme: Checked) -> None:
    step = check_tree(set_at(acme.tree, ("nat_rules", "30"), {"destination": "10.50.201.21", "ports": "22"}), acme)
    assert step.config.nat_rules[10] is acme.config.nat_rules[10]
    assert step.tree["nat_rules"]["10"] is acme.tree["nat_rules"]["10"]
    assert step.config.ipsec is acme.config.ipsec
    assert check_tree(acme.tree, acme).config is acme.config


def test_a_fault_in_an_edit_is_found_beside_what_is_taken_over(acme: Checked) -> None:
    tree = set_at(acme.tree, ("nat_rules", "30"), {"destination": "10.50.201.21", "ports": "443"})
    with pytest.raises(InvalidConfig, match="nat_rules 30: takes the same packets as nat_rules 10"):
        check_tree(tree, acme)
    with pytest.raises(InvalidConfig, match="netcfg zones eu-west-b vrid: the VRID of zone eu-west-a too"):
        check_tree(set_at(acme.tree, ("netcfg", "zones", "eu-west-b", "vrid"), 1), acme)
    with pytest.raises(InvalidConfig, match="ipsec x remote_peer: missing"):
        check_tree(set_at(acme.tree, ("ipsec", "x"), {}), acme)


@pytest.mark.parametrize("known", [False, True])
def test_one_key_in_two_spellings_is_refused(acme: Checked, known: bool) -> None:
    hop: dict[str, Any] = {"next_hops": {"4.5.6.62": {}}}
    tree = set_at(set_at(acme.tree, ("routes", "2001:db8::/32"), hop), ("routes", "2001:DB8::/32"), hop)
    with pytest.raises(InvalidConfig, match="two entries of one destination"):
        check_tree(tree, acme if known else None)


def test_a_tree_and_its_typed_form_serve_as_the_one_before(acme: Checked) -> None:
    tree = set_at(acme.tree, ("ingress_rules", "20"), SOME_RULE)
    assert validate_tree(tree, (acme.tree, acme.config)) == validate_tree(tree)


def test_secrets_are_masked_unless_asked_for(acme: Checked) -> None:
    assert dump_tree(acme.config)["ipsec"]["ACME Office"]["pre_shared_key"] == "********"
    assert dump_tree(acme.config, secrets=True)["ipsec"]["ACME Office"]["pre_shared_key"] == 'k#9} "quoted" ünïcode'
    assert redact({"strange": {"key": 1}, "ipsec": {"x": {"psk": "?"}}}) == {
        "strange": "********",
        "ipsec": {"x": {"psk": "********"}},
    }


def test_a_mask_is_no_secret(acme: Checked) -> None:
    with pytest.raises(InvalidConfig, match="a masked secret"):
        check_tree(redact(acme.tree))


def test_one_change_among_many_costs_a_fraction_of_judging_all() -> None:
    rules = {str(n): {"source": f"100.64.{n // 256}.{n % 256}", "ports": str(n)} for n in range(1, 5001)}
    begin = time.perf_counter()
    whole = check_tree({"ingress_rules": rules})
    middle = time.perf_counter()
    check_tree(set_at(whole.tree, ("ingress_rules", "2500", "ports"), "7"), whole)
    assert (time.perf_counter() - middle) * 5 < middle - begin
