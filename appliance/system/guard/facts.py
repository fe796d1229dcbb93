"""What the guard knows of a configuration: comment lines of keepalived's own file, so that both are one write."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

MARK = "#: "
"""Begins each line of facts; they are several because keepalived cuts a line at 1023 characters, comments too."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A VRRP instance: its VRID, the addresses its advertisements count, and the others it moves.

    An address is a pair: with its prefix length, and the device's name.
    """

    vrid: int
    addresses: tuple[tuple[str, str], ...] = ()
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """The upstream gateway to ask by ARP; `interval` in seconds, `fall` and `rise` count probes."""

    device: str
    gateway: str
    interval: float
    fall: int
    rise: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A configuration as the guard sees it; `advert_int` in seconds, `source` and `peers` are IPv4 addresses."""

    advert_int: float = 1.0
    source: str | None = None
    peers: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()
    probe: Probe | None = None

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """All virtual addresses with their devices."""
        return tuple(item for one in self.instances for item in (*one.addresses, *one.more))


def read_facts(text: str) -> Facts:
    """Read the facts from a keepalived configuration; raises `ValueError` where they are missing or damaged."""
    joined = " ".join(line[len(MARK) :] for line in text.splitlines() if line.startswith(MARK))
    try:
        found: dict[str, Any] = json.loads(joined)
        return Facts(
            advert_int=float(found["advert_int"]),
            source=found["source"],
            peers=tuple(found["peers"]),
            instances=tuple(
                Instance(item["vrid"], _pairs(item["addresses"]), _pairs(item["more"])) for item in found["instances"]
            ),
            probe=Probe(**found["probe"]) if found["probe"] else None,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"the guard's facts are damaged: {error}") from error


def digest_of(text: str) -> str:
    """Name a configuration's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _pairs(items: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((address, device) for address, device in items)
