"""What the kernel lists of our table against what a fresh load of the wanted ruleset would list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.engine.step import Difference
from appliance.subsystems.firewall.ruleset import FAMILY, TABLE, Ruleset

Listing = Sequence[Mapping[str, Any]]
"""The objects of ``nft -j list table`` (libnftables-json(5))."""

SUBSYSTEM = "firewall"
SHOWN = 20
"""Differences told of one chain or set; the rest says no more."""


@dataclass(slots=True)
class _Contents:
    """A listing without what changes by itself: counters' values, dynamic elements, the order in hash tables."""

    objects: dict[str, str] = field(default_factory=dict)
    """Chains', sets' and counters' definitions by ``chain input``."""
    parts: dict[str, list[str]] = field(default_factory=dict)
    """A chain's rules in their order, a set's elements sorted."""


def compare(ruleset: Ruleset, wanted: Listing | None, found: Listing | None) -> tuple[Difference, ...]:
    """Compare listings; `ruleset` is what `wanted` was loaded from and spells its rules for people."""
    if found is None or wanted is None:
        if found is wanted:
            return ()
        there = f"table {FAMILY} {TABLE}"
        missing = "the table" if found is None else None
        return (Difference(SUBSYSTEM, there, missing, None if found is None else "the table"),)
    want, have = _read(wanted), _read(found)
    texts = {chain.name: chain.rules for chain in ruleset.chains}
    differences: list[Difference] = []
    for name in dict.fromkeys((*want.objects, *have.objects)):
        one, other = want.objects.get(name), have.objects.get(name)
        if one != other:
            differences.append(Difference(SUBSYSTEM, name, one, other))
        elif want.parts.get(name) != have.parts.get(name):
            kind, plain = name.split(" ", 1)
            spelling = texts.get(plain, ()) if kind == "chain" else ()
            differences += _compare_parts(name, want.parts.get(name, []), have.parts.get(name, []), spelling)
    return tuple(differences)


def _compare_parts(name: str, want: list[str], have: list[str], texts: Sequence[str]) -> list[Difference]:
    spelled = dict(zip(want, texts, strict=False))
    if name.startswith("chain "):
        start = next((i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b), min(len(want), len(have)))
        ends = zip(reversed(want[start:]), reversed(have[start:]), strict=False)
        same = next((i for i, (a, b) in enumerate(ends) if a != b), min(len(want), len(have)) - start)
        mine, theirs = want[start : len(want) - same], have[start : len(have) - same]
        pairs = [
            (f"{name} rule {start + i + 1}", _at(mine, i), _at(theirs, i)) for i in range(max(len(mine), len(theirs)))
        ]
    else:
        missing, extra = [p for p in want if p not in set(have)], [p for p in have if p not in set(want)]
        pairs = [*((name, part, None) for part in missing), *((name, None, part) for part in extra)]
    return [
        Difference(SUBSYSTEM, where, one and spelled.get(one, one), other and spelled.get(other, other))
        for where, one, other in pairs[:SHOWN]
    ]


def _at(parts: list[str], index: int) -> str | None:
    return parts[index] if index < len(parts) else None


def _read(listing: Listing) -> _Contents:
    contents = _Contents()
    for entry in listing:
        for kind, attributes in entry.items():
            if kind == "rule":
                rules = contents.parts.setdefault(f"chain {attributes['chain']}", [])
                rules.append(_spell(attributes["expr"]))
                continue
            name = f"{kind} {attributes['name']}"
            volatile = {"elem", "packets", "bytes", "handle", "family", "table", "name"}
            contents.objects[name] = _spell({k: v for k, v in attributes.items() if k not in volatile})
            if kind in ("set", "map") and not {"timeout", "dynamic"} & set(attributes.get("flags", ())):
                contents.parts[name] = sorted(_spell(element) for element in attributes.get("elem", ()))
    return contents


def _spell(value: Any) -> str:
    return json.dumps(_settle(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _settle(value: Any) -> Any:
    """Bring equal expressions into one form: anonymous sets sorted, anonymous counters without their values."""
    if isinstance(value, list):
        return [_settle(item) for item in value]
    if not isinstance(value, dict):
        return value
    settled = {key: _settle(item) for key, item in value.items()}
    if isinstance(settled.get("set"), list):
        settled["set"] = sorted(settled["set"], key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(settled.get("counter"), dict) and "packets" in settled["counter"]:
        settled["counter"] = None
    return settled
