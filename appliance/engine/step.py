"""A step of a plan: one change of the host, with what was before and what will be after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Protocol, TypeVar

from appliance.engine.ports import Host


class Phase(IntEnum):
    """When a step runs in a transaction; lower first, reverted in reverse."""

    LINKS = 10
    SYSCTL = 20
    FIREWALL = 30
    ADDRESSES = 40
    ROUTES = 50
    STATE_SYNC = 55
    VIPS = 60
    IPSEC = 70
    SYSTEM = 80
    REMOVE_ROUTES = 90
    REMOVE_ADDRESSES = 92
    REMOVE_LINKS = 94
    FORWARDING = 99


class Impact(StrEnum):
    """The worst that a step can do to traffic that is not concerned by the change."""

    NONE = "none"
    FLOWS = "flows"
    TUNNEL = "tunnel"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Step:
    """One idempotent change: `apply` makes `after` of `before`, `revert` the reverse, neither looks at the world.

    `before` and `after` are printable texts with secrets masked.
    """

    subsystem: str
    action: str
    phase: Phase
    apply: Callable[[Host], None]
    revert: Callable[[Host], None]
    before: str | None = None
    after: str | None = None
    impact: Impact = Impact.NONE


@dataclass(frozen=True, slots=True)
class Difference:
    """Something read back that is not as rendered."""

    subsystem: str
    where: str
    wanted: str | None
    found: str | None

    def text(self) -> str:
        """Say it in one line."""
        return f"{self.subsystem}: {self.where}: wanted {self.wanted or 'nothing'}, found {self.found or 'nothing'}"


V_contra = TypeVar("V_contra", contravariant=True)
A = TypeVar("A")


class Subsystem(Protocol[V_contra, A]):
    """One thing the gateway drives.  `V_contra` is what it renders from, `A` its rendered artefact, a plain value."""

    @property
    def name(self) -> str: ...

    def render(self, view: V_contra) -> A:
        """Give the artefact; pure and deterministic."""

    def text(self, artefact: A) -> str:
        """Print the artefact exactly as the kernel or the daemon gets it (`kawaii render`)."""

    def check(self, host: Host, artefact: A) -> None:
        """Have the real tool check the artefact; raises `Refused`, touches nothing."""

    def plan(self, old: A | None, new: A) -> tuple[Step, ...]:
        """Give the steps from `old` (None: nothing known, replace all that is ours) to `new`; pure, empty if equal."""

    def observe(self, host: Host, wanted: A) -> A | None:
        """Read what the host has of ours in the artefact's own form; None where it must be replaced as a whole."""

    def verify(self, host: Host, wanted: A) -> tuple[Difference, ...]:
        """Compare what the host has with what was rendered; empty if it is the same."""


AnySubsystem = Subsystem[Any, Any]
