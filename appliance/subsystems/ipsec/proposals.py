"""Proposals as strongSwan spells them (swanctl.conf(5), proposals and esp_proposals)."""

from __future__ import annotations

from appliance.schema.ipsec import Encryption, Integrity, IpsecConnection

GROUPS = {
    2: "modp1024",
    5: "modp1536",
    14: "modp2048",
    15: "modp3072",
    16: "modp4096",
    17: "modp6144",
    18: "modp8192",
    19: "ecp256",
    20: "ecp384",
    21: "ecp521",
    22: "modp1024s160",
    23: "modp2048s224",
    24: "modp2048s256",
    25: "ecp192",
    26: "ecp224",
    27: "ecp224bp",
    28: "ecp256bp",
    29: "ecp384bp",
    30: "ecp512bp",
    31: "curve25519",
    32: "curve448",
}
"""Diffie-Hellman groups by IANA number."""

AEADS = frozenset({Encryption.AES128GCM16, Encryption.AES256GCM16, Encryption.CHACHA20POLY1305})
"""Encryption that authenticates by itself (RFC 5282): no integrity algorithm beside it."""


def ike_proposal(connection: IpsecConnection) -> str:
    """Give the IKE SA's one proposal; beside an AEAD the integrity algorithm is the pseudo-random function's."""
    encryption = connection.phase1_encryption_algorithm
    integrity = _keyword(connection.phase1_integrity_algorithm)
    middle = f"prf{integrity}" if encryption in AEADS else integrity
    return f"{_keyword(encryption)}-{middle}-{GROUPS[connection.phase1_dh_group_number]}"


def esp_proposal(connection: IpsecConnection) -> str:
    """Give the child SA's one proposal."""
    encryption = connection.phase2_encryption_algorithm
    words = [_keyword(encryption)]
    if encryption not in AEADS:
        words.append(_keyword(connection.phase2_integrity_algorithm))
    return "-".join([*words, GROUPS[connection.phase2_dh_group_number]])


def _keyword(algorithm: Encryption | Integrity) -> str:
    return algorithm.value.lower()
