"""Operational commands: the words the daemon offers, their arguments, and what the console itself adds."""

from __future__ import annotations

from kawaii_shell.commands import Command, Configure, Confirm, Help, Leave, Path, Run, Show, ShowCommits, Status
from kawaii_shell.context import Context
from kawaii_shell.cursor import Cursor, Suggest, WordError
from kawaii_shell.grammar import Choice, Choices, Operation, Value, Words
from kawaii_shell.place import Place, suggest_values, walk
from kawaii_shell.values import convert
from kawaii_shell.words import Word

COMMAND = Value("command", "The command to explain")


def parse_operational(cursor: Cursor, context: Context) -> Command:
    """Read a command of operational mode."""
    found = _parse_words(cursor, context, context.grammar.operational)
    return found if isinstance(found, Run) else _parse_own(cursor, context, found)


def parse_run(cursor: Cursor, context: Context) -> Command:
    """`run COMMAND`: an operational command in configuration mode."""
    first = cursor.words[cursor.at] if cursor.left else None
    command = parse_operational(cursor, context)
    if isinstance(command, Configure | Leave | Help):
        raise WordError("this is a command of configuration mode too: without run", first)
    return command


def parse_help(cursor: Cursor) -> Command:
    """`help [WORDS]`."""
    topic: list[str] = []
    while word := cursor.value_or_end(COMMAND):
        topic.append(word.text)
    return Help(" ".join(topic))


def _parse_own(cursor: Cursor, context: Context, operation: Operation) -> Command:
    verb = operation.words[-1]
    if verb == "help":
        return parse_help(cursor)
    path: Path = ()
    if verb == "configuration":
        place = Place(context.grammar.config, ())
        walk(cursor, context, place, known=True)
        path = place.path
    cursor.finish()
    own: dict[str, Command] = {
        "commits": ShowCommits(),
        "configuration": Show(path, running=True),
        "configure": Configure(),
        "confirm": Confirm(),
        "status": Status(),
    }
    return own.get(verb, Leave())


def _parse_words(cursor: Cursor, context: Context, words: Words) -> Run | Operation:
    while True:
        operation, choices = words.operation, words.choices(context.role)
        if operation and not operation.method:
            return operation
        below: Run | Choice
        if operation and operation.arguments:
            below = _parse_arguments(cursor, context, operation, choices)
            if isinstance(below, Run):
                return below
        elif operation and not choices:
            cursor.finish()
            return Run(operation)
        else:
            found = cursor.keyword_or_end(choices, end=operation is not None)
            if found is None and operation:
                return Run(operation)
            below = found or cursor.keyword(choices)
        words = words.following[below.word]


def _parse_arguments(cursor: Cursor, context: Context, operation: Operation, below: Choices) -> Run | Choice:
    """Take arguments in order, optional ones by name too; or the word that leads to a longer command."""
    given: list[tuple[str, str]] = []
    left = list(operation.arguments)
    while left:
        value, optional = left[0], all(each.optional for each in left)
        named = Choices((*below.all, *(Choice(each.name, each.help) for each in left if optional)))
        taken = cursor.either_or_end(named, value, _suggest(context, value), end=optional)
        if taken is None:
            return Run(operation, tuple(given))
        if isinstance(taken, Choice):
            if below.exact(taken.word):
                return taken
            value = next(each for each in left if each.name == taken.word)
            taken = cursor.value(value, _suggest(context, value))
        if isinstance(taken, Word):
            given.append((value.name, str(convert(value, taken))))
        left.remove(value)
        below = Choices(())
    cursor.finish()
    return Run(operation, tuple(given))


def _suggest(context: Context, value: Value) -> Suggest:
    return lambda: suggest_values(context, value)
