"""Paths of the configuration's tree, word by word."""

from __future__ import annotations

from dataclasses import dataclass

from kawaii_shell.commands import Path
from kawaii_shell.context import Context
from kawaii_shell.cursor import Cursor, Expected, Suggest, WordError
from kawaii_shell.grammar import Keyed, Leaf, Node, Section, Value
from kawaii_shell.names import NONE, Names, join
from kawaii_shell.values import convert
from kawaii_shell.words import Word


@dataclass(slots=True)
class Place:
    """Where the words have led: the node, its path, the words taken, and whether it is an entry of a list."""

    node: Node
    path: Path
    words: tuple[Word, ...] = ()
    entry: bool = False


def start(context: Context) -> Place:
    """Begin at the level being edited."""
    return Place(context.node(), context.path)


def step(cursor: Cursor, context: Context, place: Place, *, end: bool, known: bool = False) -> bool:
    """Go down by one word; False where the line ends and `end` allows it. Nothing is below a leaf.

    `known` offers only what the candidate has.
    """
    node = place.node
    if isinstance(node, Section):
        looking = known and cursor.completing and cursor.left == 1
        choices = context.present(node, place.path) if looking else node.choices
        choice = cursor.keyword_or_end(choices, end=end)
        if choice is None:
            return False
        place.path, place.node, place.entry = (*place.path, choice.word), node.children[choice.word], False
    elif isinstance(node, Keyed):
        word = cursor.value_or_end(node.key, suggest_keys(context, node, place.path), end=end, known=known)
        if word is None:
            return False
        check_key(node, word)
        place.path, place.node, place.entry = (*place.path, word.text), node.entry, True
    else:
        return False
    place.words = (*place.words, cursor.words[cursor.at - 1])
    return True


def walk(cursor: Cursor, context: Context, place: Place, *, known: bool = False, at_least: int = 0) -> None:
    """Take the words of a path as far as they go; the line may end behind `at_least` words."""
    while not isinstance(place.node, Leaf):
        if not step(cursor, context, place, end=len(place.words) >= at_least, known=known):
            return


def check_key(node: Keyed, word: Word) -> None:
    """Refuse a key that can name nothing: an empty one, or no number where numbers are the keys."""
    if not word.text:
        raise WordError(f"an empty {node.key.name}", word, Expected(value=node.key), value=True)
    if node.key.type == "int":
        convert(node.key, word)


def suggest_keys(context: Context, node: Keyed, path: Path) -> Suggest:
    """Make the question which keys there are: the candidate's, and live ones where the grammar names a source."""

    def suggest() -> Names:
        return join(context.known.keys(path), suggest_values(context, node.key))

    return suggest


def suggest_values(context: Context, value: Value) -> Names:
    """Give the live values that would do."""
    return context.known.values(value.live) if value.live else NONE
