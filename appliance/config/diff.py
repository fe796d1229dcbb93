"""Differences between trees, and three trees made one; what is the same object on both sides is not looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from appliance.config.tree import Tree, delete_at, set_at
from appliance.schema.problem import Path
from appliance.schema.refusal import child_shape
from appliance.schema.shape import Keyed, Part, Shape, root_shape

ORDERED = frozenset({("netcfg", "zones")})
"""Where the order of named entries means something: the first zone is the default, the next ones stand in."""


class _Absent:
    """Stands for nothing: None would be a value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest place where two trees differ; a whole entry that came or went is one change."""

    path: Path
    before: Any
    after: Any


def diff(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """Walk the differences in the new tree's order, each place's removals before what was added."""
    if old is new:
        return
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if not same(old, new):
            yield Change(path, old, new)
        return
    if path in ORDERED and [word for word in old if word in new] != [word for word in new if word in old]:
        yield Change(path, old, new)
        return
    for word, child in old.items():
        if word not in new:
            yield Change((*path, word), child, ABSENT)
    for word, child in new.items():
        if word in old:
            yield from diff(old[word], child, (*path, word))
        else:
            yield Change((*path, word), ABSENT, child)


def patch(tree: Tree, changes: Iterable[Change]) -> Tree:
    """Make the changes; raises `KeyError` with the path of what should go and is not there."""
    for change in changes:
        gone = change.after is ABSENT
        tree = delete_at(tree, change.path) if gone else set_at(tree, change.path, change.after)
    return tree


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal and of one type: true is not 1."""
    return type(one) is type(other) and bool(one == other)


@dataclass(frozen=True, slots=True)
class Merged:
    """Both sides' changes in one tree; at each of the `conflicts` it has mine."""

    tree: Tree
    conflicts: tuple[Path, ...]


def merge(base: Tree, mine: Tree, theirs: Tree) -> Merged:
    """Merge what I and what they changed since `base`.

    A conflict is a place that both changed, to different things; an entry (a rule, a tunnel) that both added under one
    key is a conflict as a whole.
    """
    conflicts: list[Path] = []
    tree = _merge((base, mine, theirs), root_shape(), (), conflicts)
    return Merged(tree, tuple(conflicts))


def _merge(sides: tuple[Any, Any, Any], shape: Shape | None, path: Path, conflicts: list[Path]) -> Any:
    base, mine, theirs = sides
    if theirs is base or same(theirs, base) or mine is theirs or same(mine, theirs):
        return mine
    if mine is base or same(mine, base):
        return theirs
    grounded = base is ABSENT or isinstance(base, dict)
    if isinstance(shape, Part | Keyed) and grounded and isinstance(mine, dict) and isinstance(theirs, dict):
        return _merge_children((base if isinstance(base, dict) else {}, mine, theirs), shape, path, conflicts)
    conflicts.append(path)
    return mine


def _merge_children(sides: tuple[Tree, Tree, Tree], shape: Part | Keyed, path: Path, conflicts: list[Path]) -> Tree:
    base, mine, theirs = sides
    result: Tree = {}
    for word in [*theirs, *(word for word in mine if word not in theirs)]:
        entry_is_new = isinstance(shape, Keyed) and word not in base
        merged = _merge(
            (base.get(word, ABSENT), mine.get(word, ABSENT), theirs.get(word, ABSENT)),
            None if entry_is_new else child_shape(shape, word),
            (*path, word),
            conflicts,
        )
        if merged is not ABSENT:
            result[word] = merged
    return result
