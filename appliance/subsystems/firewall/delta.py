"""From one ruleset to another in a single nft transaction that touches only what differs."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.subsystems.firewall.ruleset import FAMILY, TABLE, Chain, Element, NamedSet, Ruleset, spell_elements

REFILL = 256
"""Up to so many elements an interval set is emptied and refilled; beyond, only its differing elements are sent."""

CHUNK = 1000
"""Elements per command."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What differs between two lists of named things."""

    gone: tuple[str, ...]
    new: tuple[str, ...]
    changed: tuple[str, ...]


def delta(old: Ruleset, new: Ruleset) -> str:
    """Give the commands that make `new` of `old`, empty if they are equal.

    Sent to a kernel that is at `new` already, they leave it there.  Counters and dynamic elements of what stays are
    kept.  Where a chain's hook or a set's type differs the table is replaced as a whole.
    """
    if old == new:
        return ""
    old_sets, new_sets = ({item.name: item for item in rules.sets} for rules in (old, new))
    old_chains, new_chains = ({chain.name: chain for chain in rules.chains} for rules in (old, new))
    if _irreconcilable(old_sets, new_sets, old_chains, new_chains):
        return new.text()
    chains = _compare(old_chains, new_chains)
    sets = _compare(old_sets, new_sets)
    old_counters = dict.fromkeys(old.counters)
    new_counters = dict.fromkeys(new.counters)
    lines = [f"add counter {_at(name)}" for name in new_counters if name not in old_counters]
    lines += [_add_chain(new_chains[name]) for name in chains.new]
    lines += [_add_set(new_sets[name]) for name in sets.new]
    for name in (*chains.gone, *chains.changed, *chains.new):
        # A chain that is gone may be gone from the kernel too: naming it first makes the command hold in both cases.
        lines += [_add_chain(old_chains[name])] if name in chains.gone else []
        lines.append(f"flush chain {_at(name)}")
    for name in sets.new:
        lines += _elements("add", name, new_sets[name].elements)
    for name in sets.changed:
        lines += _change_elements(old_sets[name], new_sets[name])
    for name in (*chains.new, *chains.changed):
        lines += [f"add rule {_at(name)} {rule}" for rule in new_chains[name].rules]
    lines += [f"delete chain {_at(name)}" for name in chains.gone]
    for name in sets.gone:
        item = old_sets[name]
        lines += [_add_set(item), f"delete {item.kind} {_at(name)}"]
    for name in old_counters:
        if name not in new_counters:
            lines += [f"add counter {_at(name)}", f"delete counter {_at(name)}"]
    return "".join(f"{line}\n" for line in lines)


def changed_parts(old: Ruleset, new: Ruleset) -> str:
    """Print what of `new` is not in `old`, for people."""
    counted = set(old.counters)
    counters = "".join(f"\tcounter {name} {{ }}\n" for name in new.counters if name not in counted)
    known_sets, known_chains = set(old.sets), set(old.chains)
    sets = (item.text() for item in new.sets if item not in known_sets)
    chains = (chain.text() for chain in new.chains if chain not in known_chains)
    return "\n".join(part for part in (counters, *sets, *chains) if part)


def _irreconcilable(
    old_sets: dict[str, NamedSet],
    new_sets: dict[str, NamedSet],
    old_chains: dict[str, Chain],
    new_chains: dict[str, Chain],
) -> bool:
    sets = old_sets.keys() & new_sets
    chains = old_chains.keys() & new_chains
    return any(old_sets[name].definition() != new_sets[name].definition() for name in sets) or any(
        old_chains[name].hook != new_chains[name].hook for name in chains
    )


def _compare(old: dict[str, Chain] | dict[str, NamedSet], new: dict[str, Chain] | dict[str, NamedSet]) -> _Change:
    return _Change(
        gone=tuple(name for name in old if name not in new),
        new=tuple(name for name in new if name not in old),
        changed=tuple(name for name in new if name in old and old[name] != new[name]),
    )


def _at(name: str) -> str:
    return f"{FAMILY} {TABLE} {name}"


def _add_chain(chain: Chain) -> str:
    return f"add chain {_at(chain.name)}" + (f" {{ {chain.hook.text()} }}" if chain.hook else "")


def _add_set(item: NamedSet) -> str:
    return f"add {item.kind} {_at(item.name)} {{ {'; '.join(item.definition())}; }}"


def _elements(verb: str, name: str, elements: tuple[Element, ...]) -> list[str]:
    chunks = (elements[at : at + CHUNK] for at in range(0, len(elements), CHUNK))
    return [f"{verb} element {_at(name)} {spell_elements(chunk)}" for chunk in chunks]


def _change_elements(old: NamedSet, new: NamedSet) -> list[str]:
    name = new.name
    if "interval" in new.flags and len(new.elements) <= REFILL and len(old.elements) <= REFILL:
        # Intervals that overlap old ones could not be named in the "already there" case below.
        return [f"flush {new.kind} {_at(name)}", *_elements("add", name, new.elements)]
    before, after = dict(old.elements), dict(new.elements)
    gone = tuple((key, value) for key, value in old.elements if key not in after)
    replaced = tuple((key, None) for key, value in new.elements if key in before and before[key] != value)
    added = tuple((key, value) for key, value in new.elements if key not in before or before[key] != value)
    return [
        *_elements("add", name, gone),  # they are there, or were removed already: deleting succeeds either way
        *_elements("delete", name, tuple((key, None) for key, _value in gone) + replaced),
        *_elements("add", name, added),
    ]
