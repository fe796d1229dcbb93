"""Words of the user's own as values: numbers, booleans, one of a few words; the rest is the daemon's to judge."""

from __future__ import annotations

import re

from kawaii_shell.cursor import Cursor, Expected, Suggest, WordError
from kawaii_shell.document import Json
from kawaii_shell.grammar import Choice, Choices, Value
from kawaii_shell.words import Word

BOOLEANS = Choices((Choice("true"), Choice("false")))
SECONDS = {"s": 1, "m": 60, "h": 3600}


def convert(value: Value, word: Word) -> Json:
    """Give a word as the value it stands for.

    A unique beginning of one of a few words, in any case, is that word; an unknown one goes to the daemon, which
    knows other spellings. Raises WordError for what is no number, out of range, no boolean, or ambiguous.
    """
    if value.enum:
        return _convert_choice(value, word)
    if value.type == "bool":
        return _convert_boolean(value, word)
    if value.type in ("int", "float"):
        return _convert_number(value, word)
    return word.text


def _convert_choice(value: Value, word: Word) -> Json:
    exact = value.enum.exact(word.text)
    folded = word.text.casefold()
    found = [exact] if exact else [choice for choice in value.enum.all if choice.word.casefold() == folded]
    found = found or [choice for choice in value.enum.all if choice.word.casefold().startswith(folded)]
    if len(found) > 1:
        meant = ", ".join(choice.word for choice in found[:8])
        raise WordError(f'"{word.text}" is ambiguous: {meant}', word, Expected(value=value), value=True)
    if value.type in ("int", "float"):
        return _convert_number(value, word)
    return found[0].word if found else word.text


def _convert_boolean(value: Value, word: Word) -> bool:
    found = BOOLEANS.starting(word.text.casefold()) if word.text else []
    if len(found) != 1:
        raise WordError(f'not true or false (got "{word.text}")', word, Expected(value=value), value=True)
    return found[0].word == "true"


def _convert_number(value: Value, word: Word) -> int | float:
    kind = "a whole number" if value.type == "int" else "a number"
    limits = accepted_range(value)
    accepted = f"{kind} {limits}" if limits else kind
    pattern = r"[+-]?\d{1,18}" if value.type == "int" else r"[+-]?\d{1,18}(\.\d{1,18})?"
    if not re.fullmatch(pattern, word.text, re.ASCII):
        raise WordError(f'not {kind} (got "{word.text}", expected {accepted})', word, Expected(value=value), value=True)
    number = int(word.text) if value.type == "int" else float(word.text)
    if (value.low is not None and number < value.low) or (value.high is not None and number > value.high):
        raise WordError(f"out of range (got {word.text}, expected {limits})", word, Expected(value=value), value=True)
    return number


def accepted_range(value: Value) -> str:
    """Spell the limits of a value: `1-65535`, `at least 1`; empty without limits."""
    if value.low is not None and value.high is not None:
        return f"{_spell_number(value.low)}-{_spell_number(value.high)}"
    if value.low is not None:
        return f"at least {_spell_number(value.low)}"
    return f"at most {_spell_number(value.high)}" if value.high is not None else ""


def _spell_number(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def take_integer(cursor: Cursor, value: Value, suggest: Suggest | None = None, *, end: bool = False) -> int | None:
    """Take a whole number from the command; None at the end, where the command may `end` here."""
    word = cursor.value_or_end(value, suggest, end=end)
    return int(_convert_number(value, word)) if word else None


def parse_delay(value: Value, word: Word) -> int:
    """Read a delay as seconds: a bare number is minutes, else `30s`, `5m`, `1h`."""
    match = re.fullmatch(r"(\d{1,6})([smh]?)", word.text, re.ASCII)
    if not match or not 1 <= int(match[1]) * SECONDS[match[2] or "m"] <= 86400:
        message = f'not a delay (got "{word.text}", expected minutes, or as 30s, 5m, 1h; at most a day)'
        raise WordError(message, word, Expected(value=value), value=True)
    return int(match[1]) * SECONDS[match[2] or "m"]
