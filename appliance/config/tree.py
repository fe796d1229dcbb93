"""The configuration as data: nested dicts, lists and scalars, never changed in place.

An edit copies what lies on its path and shares the rest, so that what did not change is the same object before and
after; `validate` and `diff` look only where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.schema.problem import Path

Tree = dict[str, Any]


def get_at(tree: Any, path: Path) -> Any:
    """Give what stands at a path; raises `KeyError` with the path where nothing does."""
    node = tree
    for word in path:
        if not isinstance(node, dict) or word not in node:
            raise KeyError(path)
        node = node[word]
    return node


def has_at(tree: Any, path: Path) -> bool:
    """Tell whether anything stands at a path."""
    try:
        get_at(tree, path)
    except KeyError:
        return False
    return True


def set_at(tree: Tree, path: Path, value: Any) -> Tree:
    """Give a tree with `value` at a path; sections on the way are made, a scalar in the way is replaced."""
    if not path:
        if not isinstance(value, dict):
            raise TypeError("the whole tree is a mapping")
        return value
    word, rest = path[0], path[1:]
    if rest:
        child = tree.get(word)
        value = set_at(child if isinstance(child, dict) else {}, rest, value)
    return {**tree, word: value}


def delete_at(tree: Tree, path: Path) -> Tree:
    """Give a tree without what stands at a path; raises `KeyError` with the path where nothing does."""
    if not path:
        return {}
    word, rest = path[0], path[1:]
    if word not in tree or (rest and not isinstance(tree[word], dict)):
        raise KeyError(path)
    if not rest:
        return {key: value for key, value in tree.items() if key != word}
    try:
        child = delete_at(tree[word], rest)
    except KeyError:
        raise KeyError(path) from None
    return {**tree, word: child}


def flatten(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Walk the leaves in order as (path, value); a list of values is one leaf, an empty entry is ``{}``."""
    if isinstance(tree, dict) and (tree or not path):
        for word, child in tree.items():
            yield from flatten(child, (*path, word))
    else:
        yield path, tree
