"""The commands of configuration mode that name a part of the tree."""

from __future__ import annotations

from kawaii_shell.commands import Change, Command, EditLevel, Op, Path, Show
from kawaii_shell.context import Context, node_at
from kawaii_shell.cursor import Cursor, WordError
from kawaii_shell.grammar import Choice, Choices, Keyed, Leaf, Section
from kawaii_shell.place import Place, check_key, start, step, suggest_keys, suggest_values, walk
from kawaii_shell.values import convert
from kawaii_shell.words import Word

TO = Choice("to", "The new name")


def parse_set(cursor: Cursor, context: Context) -> Command:
    """`set PATH VALUE [NAME VALUE …]`: more settings of the same section may follow; a list's entry may stand alone."""
    place, ops = start(context), list[Op]()
    while True:
        taken = len(place.words)
        while not isinstance(place.node, Leaf):
            if not step(cursor, context, place, end=place.entry or (bool(ops) and len(place.words) == taken)):
                if len(place.words) > taken:
                    ops.append(Op("set", place.path, places=place.words))
                return Change(tuple(ops))
        ops += _take_values(cursor, context, place, place.node)
        if not (cursor.left or cursor.completing):
            return Change(tuple(ops))
        path = place.path[:-1]
        place = Place(node_at(context.grammar.config, path), path, place.words[:-1])


def _take_values(cursor: Cursor, context: Context, place: Place, leaf: Leaf) -> list[Op]:
    def op(word: Word) -> Op:
        value = convert(leaf.value, word)
        return Op("set", place.path, value, places=(*place.words, word), secret=leaf.value.secret, many=leaf.many)

    if leaf.many:
        items = _take_items(cursor, context, leaf)
        return [op(word) for word in items] or [Op("set", place.path, [], places=place.words)]
    word = cursor.value_or_end(leaf.value, lambda: suggest_values(context, leaf.value), end=leaf.value.secret)
    if word is None:
        return [Op("set", place.path, places=place.words, asks=True, secret=True)]
    return [op(word)]


def _take_items(cursor: Cursor, context: Context, leaf: Leaf) -> list[Word]:
    """Take the items of a leaf-list: all words up to the end, or those between `[` and `]`, which may be none."""
    items: list[Word] = []
    bracket = False
    while True:
        end = bool(items) and not bracket
        word = cursor.value_or_end(leaf.value, lambda: suggest_values(context, leaf.value), end=end)
        if word is None or (bracket and word.text == "]" and not word.quoted):
            return items
        if word.text == "[" and not word.quoted and not items:
            bracket = True
            continue
        items.append(word)


def parse_delete(cursor: Cursor, context: Context) -> Command:
    """`delete PATH [ITEM …]`: a setting, an entry, a whole section, or items of a leaf-list."""
    place = start(context)
    walk(cursor, context, place, known=True, at_least=1)
    ops = [Op("delete", place.path, places=place.words)]
    if isinstance(place.node, Leaf) and place.node.many:
        leaf, path = place.node, place.path
        items = []
        while word := cursor.value_or_end(leaf.value, lambda: context.known.keys(path), known=True):
            items.append(Op("delete", path, convert(leaf.value, word), places=(*place.words, word), many=True))
        ops = items or ops
    cursor.finish()
    return Change(tuple(ops))


def parse_edit(cursor: Cursor, context: Context) -> Command:
    """`edit PATH`: a section, a list or an entry."""
    place = start(context)
    walk(cursor, context, place, at_least=1)
    if isinstance(place.node, Leaf):
        raise WordError(f'"{place.path[-1]}" is a setting: use set', place.words[-1])
    cursor.finish()
    return EditLevel(place.path)


def parse_show(cursor: Cursor, context: Context) -> Command:
    """`show [PATH]`."""
    place = start(context)
    walk(cursor, context, place, known=True)
    cursor.finish()
    return Show(place.path)


def parse_move(cursor: Cursor, context: Context, op: str) -> Command:
    """`rename PATH to KEY`, `copy PATH to KEY`: an entry of a list, under a new key; `to LIST KEY` is understood."""
    place = start(context)
    origin: tuple[Keyed, Path] | None = None
    while not (place.entry and _takes_to(cursor, place)):
        if isinstance(place.node, Leaf):
            raise WordError("only an entry of a list can have a new name", place.words[-1])
        origin = (place.node, place.path) if isinstance(place.node, Keyed) else origin
        step(cursor, context, place, end=False)
    if origin is None:
        raise WordError("only an entry of a list can have a new name", None)
    keyed, path = origin
    again = Choices((Choice(path[-1], keyed.help),) if path else ())
    taken = cursor.either(again, keyed.key, suggest_keys(context, keyed, path))
    word = cursor.value(keyed.key) if isinstance(taken, Choice) else taken
    check_key(keyed, word)
    cursor.finish()
    return Change((Op(op, place.path, to=(*path, word.text), places=place.words),))


def _takes_to(cursor: Cursor, place: Place) -> bool:
    """Take `to` behind an entry; False, and nothing taken, where a word further down the tree follows instead."""
    below = place.node.choices.all if isinstance(place.node, Section) else ()
    choice = cursor.keyword(Choices((TO, *below)))
    if choice is not TO:
        cursor.at -= 1
    return choice is TO
