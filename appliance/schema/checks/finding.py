"""How checks say what they found."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.schema.problem import Path, Problem, Severity
from appliance.schema.types import IPNetwork, spell_network

Findings = Iterable[Problem]


def error(path: Path, message: str, found: object = None, accepted: object = None) -> Problem:
    """Make a finding that refuses the configuration."""
    return Problem(path, message, _text(found), _text(accepted))


def warning(path: Path, message: str, found: object = None, accepted: object = None) -> Problem:
    """Make a finding that is shown with the commit."""
    return Problem(path, message, _text(found), _text(accepted), Severity.WARNING)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def spell_networks(networks: Iterable[IPNetwork]) -> str | None:
    """List networks for a reader; None where there are none."""
    return ", ".join(map(spell_network, networks)) or None


def words(names: Iterable[object], otherwise: str) -> str:
    """List names for a reader, or say what is wanted where there are none."""
    return ", ".join(map(str, names)) or otherwise
