"""What charon is given for a connection: names, identities, algorithms, lives."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.schema.ipsec import DH_GROUPS, Encryption, Integrity
from appliance.subsystems.ipsec.connection import connections_of
from appliance.subsystems.ipsec.naming import allot_if_ids, device_of, identity, wire_name
from appliance.subsystems.ipsec.proposals import GROUPS
from appliance.subsystems.ipsec.subsystem import Ipsec
from tests.unit.subsystems.ipsec_cases import GOLDEN, OFFICE, WILD, node, office, only

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300)
CASES: dict[str, dict[str, Any]] = {
    "office": {"ACME Office": OFFICE},
    "wild": {WILD: office(local_id='gw "a" #1', remote_id="büro@acme.example", dpd_timeout="8s", rekey="5m")},
    "modern": {
        "AEAD": office(
            phase1_encryption_algorithm="AES256GCM16",
            phase1_dh_group_number=31,
            phase2_encryption_algorithm="CHACHA20POLY1305",
            phase2_dh_group_number=21,
            zone="b",
            remote_peer="vpn.partner.example",
            remote_subnets=["172.17.0.0/16", "fd00:77::/64"],
            local_subnets=["10.50.201.0/25", "fd00:50::/64"],
            phase1_lifetime="8h",
            phase2_lifetime="1m",
        )
    },
}


@pytest.mark.parametrize("name", CASES)
def test_text_is_the_golden_one(name: str) -> None:
    subsystem = Ipsec()
    text = subsystem.text(subsystem.render(node(**CASES[name])))
    golden = GOLDEN / f"{name}.conf"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.conf")} == set(CASES)


def test_every_group_has_a_keyword() -> None:
    assert set(GROUPS) == DH_GROUPS


@pytest.mark.parametrize("encryption", Encryption)
@pytest.mark.parametrize("integrity", Integrity)
def test_an_aead_has_a_pseudo_random_function_and_no_integrity(encryption: Encryption, integrity: Integrity) -> None:
    view = node(
        x=office(
            **{f"{phase}_encryption_algorithm": encryption.value for phase in ("phase1", "phase2")},
            **{f"{phase}_integrity_algorithm": integrity.value for phase in ("phase1", "phase2")},
        )
    )
    cipher, hashing = encryption.value.lower(), integrity.value.lower()
    if encryption.value.endswith(("GCM16", "POLY1305")):
        expected = (f"{cipher}-prf{hashing}-modp2048", f"{cipher}-modp2048")
    else:
        expected = (f"{cipher}-{hashing}-modp2048",) * 2
    assert (only(view).ike_proposal, only(view).esp_proposal) == expected


@given(NAMES, NAMES)
def test_any_name_has_a_spelling_of_its_own_that_vici_takes(one: str, other: str) -> None:
    spelled = wire_name(one)
    assert spelled.isascii()
    assert spelled.isprintable()
    assert 0 < len(spelled) <= 255
    assert (spelled == wire_name(other)) == (one == other)


def test_a_plain_name_is_itself() -> None:
    assert wire_name('ACME "Office" #1 {x}') == 'ACME "Office" #1 {x}'


@given(NAMES)
def test_an_escaped_name_is_no_other_name(name: str) -> None:
    spelled = wire_name(name)
    assert spelled == name or wire_name(spelled) != spelled


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("5.6.7.8", "5.6.7.8"),
        ('my "peer" #1', 'my "peer" #1'),
        ("büro", "fqdn:#62c3bc726f"),
        ("ü@x", "rfc822:#c3bc4078"),
    ],
)
def test_identities_are_plain_or_hexadecimal(text: str, spelled: str) -> None:
    assert identity(text) == spelled


@given(st.sets(NAMES, min_size=1, max_size=20), NAMES)
def test_an_interface_id_does_not_change_with_the_others(names: set[str], new: str) -> None:
    before, after = allot_if_ids(names), allot_if_ids(names | {new})
    assert {name: after[name] for name in names} == dict(before)
    assert len(set(after.values())) == len(after)
    assert all(len(device_of(number)) <= 15 for number in after.values())


def test_defaults_are_the_addresses_and_the_first_zone() -> None:
    found = only(node(x=OFFICE))
    assert (found.zone, found.local, found.remote) == ("a", ("4.5.6.10",), "5.6.7.8")
    assert (found.local_id, found.remote_id) == ("4.5.6.10", "5.6.7.8")
    assert [str(network) for network in found.local_networks] == ["10.50.201.0/24"]


def test_every_gateway_has_the_same_connections() -> None:
    connections = {"x": OFFICE, "y": office(zone="b", remote_peer="5.6.7.9")}
    assert list(connections_of(node("a", **connections))) == list(connections_of(node("b", **connections)))


def test_a_disabled_connection_is_not_loaded() -> None:
    assert not list(connections_of(node(x=office(disabled=True))))


def test_a_family_that_is_on_one_side_only_is_left_out() -> None:
    found = only(node(x=office(remote_subnets=["fd00:77::/64"])))
    assert [str(network) for network in found.remote_networks] == ["172.16.1.0/24"]


@given(st.integers(1, 200_000), st.integers(1, 200_000), st.integers(1, 200_000))
def test_rekeying_comes_before_the_end_of_a_life(ike: int, child: int, rekey: int) -> None:
    view = node(x=office(phase1_lifetime=f"{ike}s", phase2_lifetime=f"{child}s", rekey=f"{rekey}s"))
    tree = only(view).tree(xfrm=True)
    inner = tree["children"]["x"]

    def seconds(text: str) -> int:
        return int(text.removesuffix("s"))

    assert seconds(tree["rekey_time"]) + seconds(tree["over_time"]) == ike
    assert seconds(inner["life_time"]) == child
    assert 0 < seconds(inner["rekey_time"]) <= min(child, rekey)
    assert child < 3 or seconds(inner["rekey_time"]) < child
    for section in (tree, inner):
        assert 2 * seconds(section["rand_time"]) <= max(seconds(section["rekey_time"]), 1) + 1


def test_charon_does_nothing_by_itself() -> None:
    tree = only(node(x=office(start_action="start", dpd_action="restart"))).tree(xfrm=True)
    child = tree["children"]["x"]
    assert (child["start_action"], child["close_action"], child["dpd_action"]) == ("none", "none", "clear")
    assert (tree["unique"], tree["mobike"], tree["reauth_time"]) == ("replace", "no", "0s")


@pytest.mark.parametrize(("timeout", "probe"), [("240s", "30s"), ("8s", "2s"), ("1s", "1s"), ("1h", "30s")])
def test_charon_asks_several_times_within_dpd_timeout(timeout: str, probe: str) -> None:
    assert only(node(x=office(dpd_timeout=timeout))).tree(xfrm=False)["dpd_delay"] == probe


def test_the_digest_follows_the_settings_and_not_the_secret() -> None:
    first = only(node(x=OFFICE))
    assert only(node(x=office(pre_shared_key="another"))).digest == first.digest
    assert only(node(x=office(phase2_dh_group_number=15))).digest != first.digest
