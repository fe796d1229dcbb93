"""The verbs of configuration mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kawaii_shell.commands import (
    Command,
    Commit,
    Compare,
    Confirm,
    Discard,
    EditLevel,
    Leave,
    Load,
    Rollback,
    Save,
    Status,
)
from kawaii_shell.configuring import parse_delete, parse_edit, parse_move, parse_set, parse_show
from kawaii_shell.context import Context
from kawaii_shell.cursor import Cursor
from kawaii_shell.grammar import Choice, Choices, Value
from kawaii_shell.operating import parse_help, parse_run
from kawaii_shell.values import parse_delay, take_integer
from kawaii_shell.words import Word

Parse = Callable[[Cursor, Context], Command]

REVISION = Value("revision", "A revision's number, as `show commits` gives it", "int", low=0, example=1)
DELAY = Value("delay", "Minutes to wait for confirm, or as 30s, 5m, 1h", "duration", default=10, example="30s")
COMMENT = Value("comment", "Why, in one word or in quotes", example="opened the shop")
FILE = Value("file", "A file of your own (letters, digits, . _ -)", example="before-the-move.yaml")
SOURCE = Value("file", "A file of your own, or an address over https", example="https://files.example/gw.yaml")
LEVELS = Value("levels", "How many levels", "int", low=1, high=20, default=1, example=2)


def _commit(cursor: Cursor, context: Context) -> Command:
    check, comment, seconds, quits = False, "", None, False
    left = {
        "and-quit": "Leave configuration mode when it is done",
        "check": "Only check, and show what would be done",
        "comment": "Say why",
        "confirmed": "Go back by itself unless confirmed in time",
    }
    while left:
        word = cursor.keyword_or_end(Choices(Choice(name, text) for name, text in left.items()))
        if word is None:
            break
        del left[word.word]
        match word.word:
            case "check":
                check = True
            case "and-quit":
                quits = True
            case "comment":
                comment = cursor.value(COMMENT).text
            case "confirmed":
                others = Choices(Choice(name, text) for name, text in left.items())
                taken = cursor.either_or_end(others, DELAY)
                seconds = parse_delay(DELAY, taken) if isinstance(taken, Word) else 600
                cursor.at -= isinstance(taken, Choice)
    cursor.finish()
    return Commit(check, comment, seconds, quits)


def _compare(cursor: Cursor, context: Context) -> Command:
    revision = take_integer(cursor, REVISION, context.known.revisions, end=True)
    cursor.finish()
    return Compare(revision)


def _rollback(cursor: Cursor, context: Context) -> Command:
    revision = take_integer(cursor, REVISION, context.known.revisions)
    cursor.finish()
    return Rollback(revision or 0)


def _load(cursor: Cursor, context: Context) -> Command:
    mode = cursor.keyword(LOAD_MODES)
    terminal = Choices((Choice("terminal", "What is typed or pasted, up to Ctrl-D"),))
    source = cursor.either(terminal, SOURCE, context.known.files_saved)
    cursor.finish()
    return Load(mode.word, source.text if isinstance(source, Word) else "", terminal=isinstance(source, Choice))


def _save(cursor: Cursor, context: Context) -> Command:
    name = cursor.value(SOURCE, context.known.files_saved)
    cursor.finish()
    return Save(name.text)


def _exit(cursor: Cursor, context: Context) -> Command:
    word = cursor.keyword_or_end(EXITS)
    cursor.finish()
    return Leave(discard=word is not None and word.word == "discard", mode=word is not None)


def _up(cursor: Cursor, context: Context) -> Command:
    count = take_integer(cursor, LEVELS, end=True) or 1
    cursor.finish()
    return EditLevel(context.path[: max(0, len(context.path) - count)])


def _top(cursor: Cursor, context: Context) -> Command:
    """`top`, or `top set …`: paths start from the top of the tree for this command."""
    verb = cursor.keyword_or_end(Choices(choice for choice in CONFIGURING_VERBS.all if choice.word in WITH_PATH))
    return CONFIGURING[verb.word][1](cursor, replace(context, path=())) if verb else EditLevel(())


def _alone(command: Command) -> Parse:
    def parse(cursor: Cursor, context: Context) -> Command:
        cursor.finish()
        return command

    return parse


LOAD_MODES = Choices(
    (
        Choice("merge", "Add it to the candidate"),
        Choice("override", "Make it the whole candidate"),
        Choice("set", "Run set and delete lines"),
    )
)
EXITS = Choices(
    (
        Choice("configuration-mode", "Leave all levels at once"),
        Choice("discard", "Drop what was edited, and leave"),
    )
)
WITH_PATH = ("copy", "delete", "edit", "rename", "set", "show")
CONFIGURING: dict[str, tuple[str, Parse]] = {
    "commit": ("Check the candidate and make it the running configuration", _commit),
    "compare": ("Show what the candidate changes", _compare),
    "confirm": ("Keep the commit that waits to be confirmed", _alone(Confirm())),
    "copy": ("Copy an entry of a list", lambda cursor, context: parse_move(cursor, context, "copy")),
    "delete": ("Delete a setting, an entry or a section", parse_delete),
    "discard": ("Drop what was edited", _alone(Discard())),
    "edit": ("Make a part of the tree the level that paths start from", parse_edit),
    "exit": ("Leave the level, or configuration mode", _exit),
    "help": ("Explain the console, or a command", lambda cursor, context: parse_help(cursor)),
    "load": ("Load a file, or what is typed, into the candidate", _load),
    "quit": ("Leave the level, or configuration mode", _exit),
    "rename": ("Give an entry of a list another name", lambda cursor, context: parse_move(cursor, context, "rename")),
    "rollback": ("Load a revision into the candidate", _rollback),
    "run": ("Run a command of operational mode", parse_run),
    "save": ("Write the candidate to a file of your own", _save),
    "set": ("Set a value, or add an entry", parse_set),
    "show": ("Show the candidate, or a part of it", parse_show),
    "status": ("Show who and where you are, and what is pending", _alone(Status())),
    "top": ("Leave all levels, or run a command from there", _top),
    "up": ("Leave one level, or some", _up),
}
CONFIGURING_VERBS = Choices(Choice(name, text) for name, (text, _) in CONFIGURING.items())
