"""A table of nftables rules as a plain value, and the draft it is written in (nft(8))."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

FAMILY = "inet"
TABLE = "kawaii"

Element = tuple[str, str | None]
"""A set's element (its key, None) or a map's (its key, its value), both as nft text."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a base chain is called from, and its policy."""

    kind: str
    point: str
    priority: str
    policy: str

    def text(self) -> str:
        """Spell it as nft does."""
        return f"type {self.kind} hook {self.point} priority {self.priority}; policy {self.policy};"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain; each of its rules is one kernel rule."""

    name: str
    rules: tuple[str, ...] = ()
    hook: Hook | None = None

    def text(self) -> str:
        """Spell it as in a table's block."""
        lines = ([self.hook.text()] if self.hook else []) + list(self.rules)
        return _block(f"chain {self.name}", lines)


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A set, or with `value` (a data type or ``counter``) a map.

    Elements of a `dynamic` one come and go at run time and are no part of what is verified.
    """

    name: str
    key: str
    value: str | None = None
    flags: tuple[str, ...] = ()
    elements: tuple[Element, ...] = ()
    timeout: str | None = None
    size: int | None = None

    @property
    def kind(self) -> str:
        """``set`` or ``map``, as nft's commands name it."""
        return "set" if self.value is None else "map"

    @property
    def dynamic(self) -> bool:
        """Whether elements come and go without a commit."""
        return "dynamic" in self.flags or "timeout" in self.flags

    def definition(self) -> list[str]:
        """Spell all but the elements."""
        lines = [f"type {self.key}" if self.value is None else f"type {self.key} : {self.value}"]
        if self.flags:
            lines.append(f"flags {','.join(self.flags)}")
        if self.timeout is not None:
            lines.append(f"timeout {self.timeout}")
        if self.size is not None:
            lines.append(f"size {self.size}")
        return lines

    def text(self) -> str:
        """Spell it as in a table's block."""
        lines = self.definition()
        if self.elements:
            lines.append(f"elements = {spell_elements(self.elements)}")
        return _block(f"{self.kind} {self.name}", lines)


def spell_elements(elements: Iterable[Element]) -> str:
    """Spell elements in braces."""
    return "{ " + ", ".join(key if value is None else f"{key} : {value}" for key, value in elements) + " }"


def _block(head: str, lines: Iterable[str]) -> str:
    return "".join([f"\t{head} {{\n", *(f"\t\t{line}\n" for line in lines), "\t}\n"])


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The whole table; equal rulesets are the same kernel state."""

    counters: tuple[str, ...] = ()
    sets: tuple[NamedSet, ...] = ()
    chains: tuple[Chain, ...] = ()

    def text(self) -> str:
        """Spell the transaction that replaces the table with this one, whatever was there."""
        counters = "".join(f"\tcounter {name} {{ }}\n" for name in self.counters)
        parts = [counters] if counters else []
        parts += [item.text() for item in self.sets]
        parts += [chain.text() for chain in self.chains]
        head = f"add table {FAMILY} {TABLE}\ndelete table {FAMILY} {TABLE}\n"
        return f"{head}table {FAMILY} {TABLE} {{\n" + "\n".join(parts) + "}\n"


@dataclass(slots=True)
class Draft:
    """A ruleset being written; what is named twice must be the same thing."""

    _counters: dict[str, None] = field(default_factory=dict)
    _sets: dict[str, NamedSet] = field(default_factory=dict)
    _chains: dict[str, tuple[Hook | None, list[str]]] = field(default_factory=dict)

    def chain(self, name: str, hook: Hook | None = None) -> None:
        """Open a chain; its rules follow by `rule`."""
        self._chains[name] = (hook, [])

    def rule(self, chain: str, *parts: str) -> None:
        """Append a rule; empty parts are left out."""
        self._chains[chain][1].append(" ".join(part for part in parts if part))

    def counter(self, name: str) -> str:
        """Give the statement that counts by a named counter, which outlives its rule's replacement."""
        self._counters[name] = None
        return f'counter name "{name}"'

    def named_set(self, item: NamedSet) -> str:
        """Add a set or map; gives the reference to it."""
        self._sets[item.name] = item
        return f"@{item.name}"

    def finish(self) -> Ruleset:
        """Give the ruleset."""
        chains = tuple(Chain(name, tuple(rules), hook) for name, (hook, rules) in self._chains.items())
        return Ruleset(tuple(self._counters), tuple(self._sets.values()), chains)
