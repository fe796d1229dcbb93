"""A tree as set commands, and back: ``set ingress_rules 10 ports 80,443``, one value a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticCustomError

from appliance.config.diff import ABSENT, Change, diff
from appliance.config.load import FileProblem, InvalidFile
from appliance.config.tree import Tree, delete_at, flatten, get_at, has_at, set_at
from appliance.schema.aliases import canonical_key
from appliance.schema.problem import InvalidConfig, Path, Problem, quote_word, spell_path
from appliance.schema.refusal import child_shape, describe_accepted, shape_at, spell_found, unknown_key
from appliance.schema.shape import Keyed, Leaf, LeafList, Part, Shape, root_shape
from appliance.schema.value import MASK


def to_set_commands(tree: Tree) -> list[str]:
    """Write a tree as set commands that make it again, in the tree's order."""
    return [f"set {words}" for path, value in flatten(tree) if path for words in _spell_leaf(path, value)]


def to_change_commands(old: Tree, new: Tree) -> list[str]:
    """Write the set and delete commands that lead from one tree to another."""
    commands = []
    for change in diff(old, new):
        if change.after is ABSENT:
            commands.append(f"delete {spell_path(change.path)}")
            continue
        if isinstance(change.after, list | dict) and change.before is not ABSENT:
            commands.append(f"delete {spell_path(change.path)}")
        commands += [f"set {words}" for words in _spell_change(change.path, change.after)]
    return commands


def compare(old: Tree, new: Tree) -> list[str]:
    """Spell the differences for a reader: ``- PATH VALUE`` goes, ``+ PATH VALUE`` comes; secrets are masked."""
    lines = []
    for change in diff(old, new):
        gone, come = _side(change, change.before), _side(change, change.after)
        if isinstance(change.before, dict) and isinstance(change.after, dict):
            place = spell_path(change.path)
            lines += [
                f"- {place} in order: {', '.join(change.before)}",
                f"+ {place} in order: {', '.join(change.after)}",
            ]
        if _hides_secret(change):
            lines += [f"- {line}" for line in gone] + [f"+ {line}" for line in come]
            continue
        lines += [f"- {line}" for line in gone if line not in come]
        lines += [f"+ {line}" for line in come if line not in gone]
    return lines


def _side(change: Change, value: Any) -> list[str]:
    if value is ABSENT:
        return []
    lines = []
    for path, leaf in flatten(value, change.path):
        shape = shape_at(path)
        shown = MASK if shape is None or (isinstance(shape, Leaf) and shape.secret) else leaf
        lines += list(_spell_leaf(path, shown))
    return lines


def _hides_secret(change: Change) -> bool:
    shape = shape_at(change.path)
    return isinstance(shape, Leaf) and shape.secret


def _spell_change(path: Path, value: Any) -> Iterator[str]:
    for leaf_path, leaf in flatten(value, path):
        yield from _spell_leaf(leaf_path, leaf)


def _spell_leaf(path: Path, value: Any) -> Iterator[str]:
    words = spell_path(path)
    if isinstance(value, list) and value:
        for item in value:
            yield f"{words} {_spell_word(item)}"
    elif isinstance(value, list):
        yield f"{words} [ ]"
    elif isinstance(value, dict):
        yield words
    else:
        yield f"{words} {_spell_word(value)}"


def _spell_word(value: Any) -> str:
    return quote_word(value) if isinstance(value, str) else json.dumps(value)


# -- reading -----------------------------------------------------------------------------------------------------

_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']+))(?=\s|$)""", re.DOTALL)


def split_words(line: str) -> list[str]:
    """Split a command line into words: quoted as JSON or within single quotes; ``#`` begins a comment.

    Raises `ValueError` with the column of a quote that does not end.
    """
    words = []
    at = 0
    while line[at:].strip() and not line[at:].lstrip().startswith("#"):
        match = _WORD.match(line, at)
        if match is None:
            raise ValueError(f"column {at + 1}: a quote that does not end, or text after a closing quote")
        words.append(_unquote(match, at))
        at = match.end()
    return words


def _unquote(match: re.Match[str], at: int) -> str:
    quoted, single, bare = match.groups()
    if quoted is None:
        return single if single is not None else bare
    try:
        return str(json.loads(f'"{quoted}"', strict=False))
    except ValueError:
        raise ValueError(f"column {at + 1}: not a quoted text") from None


def parse_set_commands(text: str, source: str = "commands", base: Tree | None = None) -> Tree:
    """Apply set and delete commands, one a line, to `base`; raises `InvalidFile` with all problems and their lines."""
    tree = base or {}
    located = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            tree = _apply(tree, split_words(line))
        except InvalidConfig as error:
            located += [FileProblem(source, number, problem) for problem in error.problems]
        except ValueError as error:
            located.append(FileProblem(source, number, Problem((), str(error))))
    if located:
        raise InvalidFile(tuple(located))
    return tree


def _apply(tree: Tree, words: list[str]) -> Tree:
    if not words:
        return tree
    if words[0] == "set":
        return set_words(tree, words[1:])
    if words[0] == "delete":
        return delete_words(tree, words[1:])
    raise InvalidConfig([Problem((), "not a command", spell_found(words[0]), "set or delete")])


def set_words(tree: Tree, words: list[str]) -> Tree:
    """Apply the words of one set command; a value is added to a list of values, ``[ a b ]`` replaces the list.

    Raises `InvalidConfig` where the words name no place or the value is refused.
    """
    path, shape, values = resolve_words(words)
    if isinstance(shape, Leaf):
        if len(values) != 1:
            raise _wrong(path, "one value", values, shape)
        return set_at(tree, path, _parse(shape, values[0], path))
    if isinstance(shape, LeafList):
        return set_at(tree, path, _listed(tree, path, shape, values))
    if not isinstance(shape_at(path[:-1]), Keyed):
        raise _wrong(path, "more words", values, shape)
    return tree if has_at(tree, path) else set_at(tree, path, {})


def delete_words(tree: Tree, words: list[str]) -> Tree:
    """Apply the words of one delete command, of a list's value too; raises `InvalidConfig` where nothing is there."""
    path, shape, values = resolve_words(words)
    if not path:
        raise InvalidConfig([Problem((), "nothing named to delete")])
    try:
        if not values:
            return delete_at(tree, path)
        present = get_at(tree, path)
        wanted = [_parse(shape.item if isinstance(shape, LeafList) else shape, value, path) for value in values]
        items = present if isinstance(present, list) else [present]
        for item in wanted:
            if item not in items:
                raise KeyError(path)
    except KeyError:
        raise InvalidConfig([Problem(path, "nothing there to delete")]) from None
    rest = [item for item in items if item not in wanted]
    return set_at(tree, path, rest) if rest else delete_at(tree, path)


def resolve_words(words: list[str]) -> tuple[Path, Shape, list[str]]:
    """Tell which place the words name: its canonical path, its shape, and the words left over, its value.

    Raises `InvalidConfig` at the first word that names nothing.
    """
    shape: Shape = root_shape()
    path: Path = ()
    for index, word in enumerate(words):
        if isinstance(shape, Leaf | LeafList):
            return path, shape, words[index:]
        if isinstance(shape, Part):
            key = canonical_key(shape, word)
            if key is None:
                raise InvalidConfig([unknown_key((*path, word), shape)])
        else:
            key = str(_parse(shape.key_leaf, word, (*path, word)))
        path = (*path, key)
        child = child_shape(shape, key)
        if child is None:
            raise InvalidConfig([Problem(path, "unknown key")])
        shape = child
    return path, shape, []


def _listed(tree: Tree, path: Path, shape: LeafList, values: list[str]) -> list[Any]:
    if len(values) > 1 and values[0] == "[" and values[-1] == "]":
        return [_parse(shape.item, value, path) for value in values[1:-1]]
    if not values:
        raise _wrong(path, "a value", values, shape)
    present = get_at(tree, path) if has_at(tree, path) else []
    kept = list(present) if isinstance(present, list) else []
    for value in values:
        item = _parse(shape.item, value, path)
        if item not in kept:
            kept.append(item)
    return kept


def _parse(leaf: Shape, word: str, path: Path) -> Any:
    if not isinstance(leaf, Leaf):
        raise InvalidConfig([Problem(path, "not a value")])
    try:
        return leaf.spell(leaf.parse(word))
    except PydanticCustomError as error:
        context = error.context or {}
        found = None if leaf.secret else spell_found(word)
        raise InvalidConfig([Problem(path, error.message(), found, context.get("accepted"))]) from None
    except ValueError:
        raise InvalidConfig(
            [Problem(path, "not one of the words", spell_found(word), describe_accepted(leaf))]
        ) from None


def _wrong(path: Path, wanted: str, values: list[str], shape: Shape) -> InvalidConfig:
    found = "none" if not values else f"{len(values)} words"
    return InvalidConfig([Problem(path, f"{wanted} wanted", found, describe_accepted(shape))])
