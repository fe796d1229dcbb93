"""What a check is, and how what it found of unchanged parts is taken over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.schema.checks.finding import Findings
from appliance.schema.problem import Problem
from appliance.schema.root import Config

Verdict = tuple[Problem, ...]
Verdicts = Mapping[str, Verdict]
"""What each check found, by its name."""
Entries = Mapping[Any, Any]
"""Entries of a keyed section, some or all of them."""


class Changes:
    """What differs between a configuration and the accepted one before it, by identity."""

    def __init__(self, config: Config, previous: Config | None) -> None:
        self.config = config
        self._previous = previous
        self._entries: dict[str, tuple[Entries, frozenset[str]]] = {}

    def same(self, sections: tuple[str, ...]) -> bool:
        """Tell whether all these sections are what they were."""
        before = self._previous
        return before is not None and all(getattr(self.config, name) is getattr(before, name) for name in sections)

    def entries(self, section: str) -> tuple[Entries, frozenset[str]]:
        """Give a section's entries that are new or changed, and the keys of these and of those that went."""
        if section not in self._entries:
            now: Entries = getattr(self.config, section)
            before: Entries = getattr(self._previous, section) if self._previous is not None else {}
            changed = {key: entry for key, entry in now.items() if before.get(key) is not entry}
            self._entries[section] = changed, frozenset(map(str, changed.keys() | (before.keys() - now.keys())))
        return self._entries[section]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule across the tree, judged anew whenever a section that it looks at changed.

    `judges` are the sections whose entries it finds fault with one by one, so that it can be run while other entries
    are missing; `reads` are those it must know in full.
    """

    name: str
    find: Callable[[Config], Findings]
    judges: tuple[str, ...]
    reads: tuple[str, ...] = ()

    def verdict(self, changes: Changes, known: Verdict | None) -> Verdict:
        """Give what it finds; `known` is what it found before."""
        if known is not None and changes.same(self.judges + self.reads):
            return known
        return tuple(self.find(changes.config))


@dataclass(frozen=True, slots=True)
class EntryCheck:
    """One rule for each entry of a section, judged anew for the entries that changed.

    `find` takes the configuration and the entries to judge; what it finds must be the same for one entry whichever
    others are judged with it, and its paths begin with the section and the entry's key.
    """

    name: str
    find: Callable[[Config, Entries], Findings]
    section: str
    reads: tuple[str, ...] = ()

    def verdict(self, changes: Changes, known: Verdict | None) -> Verdict:
        """Give what it finds; `known` is what it found before."""
        if known is None or not changes.same(self.reads):
            return tuple(self.find(changes.config, getattr(changes.config, self.section)))
        if changes.same((self.section,)):
            return known
        entries, keys = changes.entries(self.section)
        kept = tuple(problem for problem in known if problem.path[1] not in keys)
        return kept + tuple(self.find(changes.config, entries))
