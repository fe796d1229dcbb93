"""Names and identities of any text, as VICI takes them: printable ASCII of at most 255 bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

LONGEST = 200
KEPT = 150
ANYONE = "%any"


def wire_name(name: str) -> str:
    """Spell a connection's name for charon: itself where it can be, else with percent signs; one name, one spelling."""
    spelled = "".join(char if _plain(char) and char != "%" else _escape(char) for char in name)
    if len(spelled) <= LONGEST:
        return spelled
    # No spelling has a tilde after a percent sign.
    return f"{spelled[:KEPT]}%~{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def identity(text: str) -> str:
    """Spell an identity (RFC 7296, section 3.5) for charon, which takes other than printable ASCII as hexadecimal."""
    if all(_plain(char) for char in text):
        return text
    kind = "rfc822" if "@" in text[1:] else "fqdn"
    return f"{kind}:#{text.encode().hex()}"


def allot_if_ids(names: Iterable[str]) -> Mapping[str, int]:
    """Give every connection the id of its xfrm interface: from its name, so that no other's changes with it."""
    taken: dict[int, str] = {}
    for name in sorted(names):
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
        while number in taken or number == 0:
            number = (number + 1) % 2**32
        taken[number] = name
    return {name: number for number, name in taken.items()}


def device_of(if_id: int) -> str:
    """Name an xfrm interface."""
    return f"xfrm-{if_id:08x}"


def _plain(char: str) -> bool:
    return " " <= char <= "~"


def _escape(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())
