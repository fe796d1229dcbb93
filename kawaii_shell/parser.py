"""A line as a command and its pipes; the same walk tells what may stand at the cursor."""

from __future__ import annotations

from kawaii_shell.commands import Command, Explain, Pipeline, Stage
from kawaii_shell.context import Context
from kawaii_shell.cursor import Cursor, Expected, Expecting, WordError
from kawaii_shell.grammar import Choice, Choices, Value
from kawaii_shell.operating import parse_operational
from kawaii_shell.values import take_integer
from kawaii_shell.verbs import CONFIGURING, CONFIGURING_VERBS, FILE
from kawaii_shell.words import Word, words_of

PATTERN = Value("pattern", "A regular expression; case makes no difference", example="443")
COUNT = Value("lines", "How many lines", "int", low=0, high=1_000_000, default=10, example=20)
PIPES: dict[str, tuple[str, Value | None]] = {
    "count": ("Count the lines", None),
    "except": ("Leave out the lines that match", PATTERN),
    "find": ("Begin at the first line that matches", PATTERN),
    "json": ("As JSON", None),
    "last": ("Only the last lines", COUNT),
    "match": ("Only the lines that match", PATTERN),
    "no-more": ("Do not stop at the end of a page", None),
    "save": ("Write it to a file of your own", FILE),
    "set": ("As set commands", None),
    "yaml": ("As YAML", None),
}
PIPE_NAMES = Choices(Choice(name, text) for name, (text, _) in PIPES.items())


def parse(line: str, context: Context) -> Pipeline | None:
    """Read a line; None for an empty one. Raises WordError."""
    words = words_of(line)
    if not words:
        return None
    if words[-1].text == "?" and not words[-1].quoted:
        return Pipeline(Explain(line[: words[-1].start]))
    parts = _split_pipes(words)
    if not parts[0]:
        raise WordError("there is no command before the pipe", words[0])
    return Pipeline(_parse_command(Cursor(parts[0]), context), tuple(_parse_stage(Cursor(part)) for part in parts[1:]))


def expected_at_end(line: str, context: Context) -> tuple[Word, Expected]:
    """Tell what may stand at the end of `line`, and the word begun there (empty behind a space).

    Raises WordError where a word before it is wrong already.
    """
    words = words_of(line)
    begun = words and words[-1].end == len(line) and not words[-1].is_pipe and (words[-1].open or _is_begun(line))
    if not begun:
        words.append(Word("", len(line), len(line)))
    parts = _split_pipes(words)
    parts[-1][-1] = _closed(parts[-1][-1])
    cursor = Cursor(parts[-1], completing=True)
    try:
        if len(parts) > 1:
            _parse_stage(cursor)
        else:
            _parse_command(cursor, context)
    except Expecting as found:
        return words[-1], found.expected
    raise WordError("nothing may follow here", words[-1])


def _is_begun(line: str) -> bool:
    return not line[-1:].isspace()


def _closed(word: Word) -> Word:
    return Word(word.text, word.start, word.end, word.quoted)


def _split_pipes(words: list[Word]) -> list[list[Word]]:
    parts: list[list[Word]] = [[]]
    for word in words:
        if word.is_pipe:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _parse_command(cursor: Cursor, context: Context) -> Command:
    if not context.configuring:
        return parse_operational(cursor, context)
    verb = cursor.keyword(CONFIGURING_VERBS)
    return CONFIGURING[verb.word][1](cursor, context)


def _parse_stage(cursor: Cursor) -> Stage:
    choice = cursor.keyword(PIPE_NAMES)
    value = PIPES[choice.word][1]
    if value is None:
        cursor.finish()
        return Stage(choice.word)
    if value is COUNT:
        count = take_integer(cursor, value, end=True)
        cursor.finish()
        return Stage(choice.word, str(10 if count is None else count))
    word = cursor.value(value)
    cursor.finish()
    return Stage(choice.word, word.text, word)
