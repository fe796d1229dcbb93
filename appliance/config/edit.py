"""Single edits of a tree, judged by the schema as they are made: what cannot be is refused at once."""

from __future__ import annotations

import json
from typing import Any

from appliance.config.commands import delete_words, resolve_words, set_words
from appliance.config.document import read_value
from appliance.config.tree import Tree, delete_at, get_at, has_at, set_at
from appliance.schema.problem import InvalidConfig, Path, Problem
from appliance.schema.refusal import spell_found
from appliance.schema.shape import Keyed, LeafList, Part, Shape


def canonical_path(path: Path) -> tuple[Path, Shape]:
    """Spell a path's words as the schema does and give the shape it ends at; raises `InvalidConfig`."""
    place, shape, rest = resolve_words(list(path))
    if rest:
        raise InvalidConfig([Problem((*place, rest[0]), "nothing follows a value", accepted="the end of the path")])
    return place, shape


def put(tree: Tree, path: Path, value: Any = None) -> Tree:
    """Set a value, add one to a list of values, or make a section or an entry; raises `InvalidConfig`."""
    if isinstance(value, dict):
        place, shape = canonical_path(path)
        read, problems = read_value(value, shape, place)
        if problems:
            raise InvalidConfig(problems)
        return set_at(tree, place, read)
    if isinstance(value, list):
        return set_words(tree, [*path, "[", *(_word(item) for item in value), "]"])
    return set_words(tree, [*path] if value is None else [*path, _word(value)])


def cut(tree: Tree, path: Path, value: Any = None) -> Tree:
    """Delete what stands at a path, or one value of a list there; raises `InvalidConfig` where there is nothing."""
    place, shape = canonical_path(path)
    if value is not None and not isinstance(shape, LeafList):
        raise InvalidConfig([Problem(place, "one value of no list", spell_found(value), "the path alone")])
    return _prune(delete_words(tree, [*place] if value is None else [*place, _word(value)]), place)


def move(tree: Tree, path: Path, to: Path, *, keep: bool) -> Tree:
    """Copy (`keep`) or rename an entry; raises `InvalidConfig` where the source is missing or the target is taken."""
    source, shape = canonical_path(path)
    target, other = canonical_path(to)
    if not has_at(tree, source):
        raise InvalidConfig([Problem(source, "nothing to copy" if keep else "nothing to rename")])
    if shape != other:
        raise InvalidConfig([Problem(target, "another kind of thing", accepted=f"a place like {' '.join(source)}")])
    if has_at(tree, target):
        raise InvalidConfig([Problem(target, "already there")])
    value = get_at(tree, source)
    return set_at(tree if keep else _prune(delete_at(tree, source), source), target, value)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _prune(tree: Tree, path: Path) -> Tree:
    """Delete the sections above a deleted path that are empty now; an entry of a list stays."""
    for length in range(len(path) - 1, 0, -1):
        above = path[:length]
        shape, parent = canonical_path(above)[1], canonical_path(above[:-1])[1]
        if not isinstance(shape, Part | Keyed) or isinstance(parent, Keyed):
            return tree
        if not has_at(tree, above) or get_at(tree, above):
            return tree
        tree = delete_at(tree, above)
    return tree
