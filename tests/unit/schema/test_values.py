"""Each value type: what it reads, how it spells it, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from appliance.schema.ipsec import Encryption, Integrity
from appliance.schema.refusal import shape_at
from appliance.schema.shape import Leaf
from appliance.schema.types import Protocol, Secret

WHERE = {
    "ports": ("groups", "ports", "x"),
    "port-selector": ("ingress_rules", "1", "ports"),
    "selector": ("ingress_rules", "1", "source"),
    "network": ("ipsec", "x", "remote_subnet"),
    "subnet": ("subnets", "x", "cidr"),
    "address": ("nat_rules", "1", "destination"),
    "duration": ("ipsec", "x", "rekey"),
    "mac": ("subnets", "x", "mac"),
    "limit": ("ingress_rules", "1", "limit"),
    "dh-group": ("ipsec", "x", "phase1_dh_group_number"),
    "hostname": ("system", "hostname"),
    "name": ("system", "zone"),
    "device": ("interfaces", "public", "device"),
    "float": ("ha", "advert_int"),
    "bool": ("ingress_rules", "1", "log"),
}


def leaf(kind: str) -> Leaf:
    shape = shape_at(WHERE[kind])
    assert isinstance(shape, Leaf)
    assert shape.kind == kind
    return shape


@pytest.mark.parametrize(
    ("kind", "written", "spelled"),
    [
        ("ports", "80-443, 9-10", "9-10,80-443"),
        ("ports", "3,1,2", "1-3"),
        ("ports", 443, "443"),
        ("port-selector", "web", "web"),
        ("selector", "0.0.0.0/0", "0.0.0.0/0"),
        ("selector", "192.0.2.1/32", "192.0.2.1"),
        ("selector", "2001:DB8::/32", "2001:db8::/32"),
        ("selector", "offices", "offices"),
        ("subnet", "10.0.0.0/24", "10.0.0.0/24"),
        ("address", " 192.0.2.1", "192.0.2.1"),
        ("duration", "3600", "1h"),
        ("duration", 90, "90s"),
        ("duration", "48H", "2d"),
        ("mac", "52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef"),
        ("limit", "10 / Minute", "10/minute"),
        ("dh-group", "14", 14),
        ("float", "5", 5),
        ("float", 0.3, 0.3),
        ("bool", "True", True),
    ],
)
def test_a_value_is_spelled_canonically(kind: str, written: Any, spelled: Any) -> None:
    found = leaf(kind).spell(leaf(kind).parse(written))
    assert found == spelled
    assert type(found) is type(spelled)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("ports", ""),
        ("ports", "0"),
        ("ports", "65536"),
        ("ports", "443-80"),
        ("ports", "80,,443"),
        ("ports", "-5"),
        ("ports", "８０"),
        ("ports", True),
        ("selector", "10.0.0.1/24"),
        ("selector", "10.0.0.0/33"),
        ("selector", "fe80::1%eth0"),
        ("subnet", "10.0.0.1/32"),
        ("address", "10.0.0.0/24"),
        ("address", 167772161),
        ("duration", "1.5h"),
        ("duration", "-1s"),
        ("mac", "53:54:00:12:34:56"),
        ("mac", "52:54:00:12:34"),
        ("limit", "0/minute"),
        ("limit", "10/week"),
        ("dh-group", 1),
        ("dh-group", 13),
        ("dh-group", True),
        ("hostname", "-a"),
        ("hostname", "a..b"),
        ("name", "a b"),
        ("name", "a" * 64),
        ("device", "a" * 16),
        ("float", "nan"),
        ("float", True),
        ("bool", "yes"),
        ("bool", 1),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_is_accepted(kind: str, written: Any) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        leaf(kind).parse(written)
    assert refused.value.context
    assert refused.value.context["accepted"]


@pytest.mark.parametrize(
    ("choice", "written", "member"),
    [
        (Protocol, "TCP", Protocol.TCP),
        (Integrity, "SHA2-256", Integrity.SHA256),
        (Integrity, "sha2_512", Integrity.SHA512),
        (Integrity, "sha-1", Integrity.SHA1),
        (Encryption, "aes-256", Encryption.AES256),
        (Encryption, "Camellia128", Encryption.CAMELLIA128),
        (Encryption, "chacha20-poly1305", Encryption.CHACHA20POLY1305),
    ],
)
def test_words_are_read_in_any_case(choice: Any, written: str, member: Any) -> None:
    assert choice(written) is member


@pytest.mark.parametrize(
    ("choice", "written"), [(Protocol, "sctp"), (Integrity, "SHA2-1"), (Integrity, "MD5"), (Protocol, 6)]
)
def test_other_words_are_refused(choice: Any, written: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        choice(written)


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hush")
    assert "hush" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hush"
    assert secret == Secret("hush")
    assert secret != Secret("other")
