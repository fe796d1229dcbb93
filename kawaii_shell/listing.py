"""What may follow, for people: Tab and `?`."""

from __future__ import annotations

from dataclasses import dataclass

from kawaii_shell.answer import Answer, spell_json
from kawaii_shell.context import Context
from kawaii_shell.cursor import Expected
from kawaii_shell.document import Document, Json
from kawaii_shell.grammar import Value
from kawaii_shell.names import Names, join, names_of
from kawaii_shell.parser import expected_at_end
from kawaii_shell.screen import Page, clean, width_of, wrap
from kawaii_shell.values import BOOLEANS, accepted_range
from kawaii_shell.words import Word, spell

SHOWN = 50  # choices listed at once
COLUMN = 22


@dataclass(frozen=True, slots=True)
class Completion:
    """What Tab does: the line with the word completed as far as it is certain, and what to list (if anything)."""

    line: str
    listing: Answer | None = None


def complete(line: str, context: Context) -> Completion:
    """Complete the word at the end of `line`; lists what may stand there where that is not one word.

    Raises WordError where a word before is wrong.
    """
    begun, expected = expected_at_end(line, context)
    offers = _fitting(begun, expected)
    before, own = line[: begun.start], _may_be_own(expected)
    if len(offers.words) == 1 and not (own and begun.text in ("", offers.words[0])):
        return Completion(before + spell(offers.words[0]) + " ")
    common = offers.common()
    if len(common) > len(begun.text) and not (own and not begun.text):
        whole = spell(common)
        # An opening quote stays open while the word is not whole: the user types on.
        return Completion(before + (whole[:-1] if whole.endswith('"') else whole), None)
    return Completion(line, _listing(begun, expected, offers))


def explain(line: str, context: Context) -> Answer:
    """Explain what may stand at the end of `line`: words with help, values with type, range, default, example."""
    begun, expected = expected_at_end(line, context)
    return _listing(begun, expected, _fitting(begun, expected))


def overview(context: Context) -> Answer:
    """Explain the console itself, and list the commands."""
    commands = explain("", context)
    return Answer(lambda page: f"{HELP}\n\n{commands.text(page)}", commands.data)


def _fitting(begun: Word, expected: Expected) -> Names:
    offers = expected.offers()
    if expected.value and expected.value.type == "bool" and not expected.value.enum:
        offers = join(offers, names_of(BOOLEANS.all))
    return offers.beginning(begun.text)


def _may_be_own(expected: Expected) -> bool:
    """Tell whether the word may as well be a new one, so that nothing is certain: the number of a new rule."""
    value = expected.value
    return value is not None and not expected.known and not value.enum and value.type != "bool"


def _listing(begun: Word, expected: Expected, offers: Names) -> Answer:
    def text(page: Page) -> str:
        return "\n".join(["Possible completions:", *_lines(expected, offers, page)])

    def data() -> Json:
        words: list[Json] = [{"word": word, "help": offers.explain(word)} for word in offers.words]
        value = {"value": _value_data(expected.value)} if expected.value else {}
        return {"begun": begun.text, "words": words, "end": expected.end, **value}

    return Answer(text, data, paged=False)


def _lines(expected: Expected, offers: Names, page: Page) -> list[str]:
    rows: list[tuple[str, str]] = []
    if expected.value and not expected.value.enum:
        rows += _value_rows(expected.value)
    elif expected.value:
        rows += [("", text) for text in [_facts(expected.value)] if text]
    rows += [(clean(spell(word)), clean(offers.explain(word))) for word in offers.words[:SHOWN]]
    if len(offers.words) > SHOWN:
        rows.append(("...", f"and {len(offers.words) - SHOWN} more: type a little of it"))
    if expected.end:
        rows += [("<Enter>", "Execute this command"), ("|", "Pipe the output through a command")]
    column = min(32, max([COLUMN, *(width_of(word) + 2 for word, _ in rows)]))
    return [line for word, text in rows for line in _row(word, text, column, page)]


def _row(word: str, text: str, column: int, page: Page) -> list[str]:
    room = max(20, (page.width or 1000) - column - 3)
    first, *others = wrap(text, room)
    gap = " " * max(1, column - width_of(word))
    return [f"  {word}{gap}{first}".rstrip(), *(f"  {'':{column}}{line}" for line in others)]


def _value_rows(value: Value) -> list[tuple[str, str]]:
    rows = [(f"<{value.name}>", value.help)]
    facts = _facts(value)
    return [*rows, ("", facts)] if facts else rows


def _facts(value: Value) -> str:
    """Spell type, range, default and example of a value."""
    facts = [] if value.type in ("text", "enum") else [value.type]
    limits = accepted_range(value)
    facts += [limits] if limits else []
    facts += [f"default {_spell(value.default)}"] if value.default not in (None, [], "") else []
    facts += [f"example {_spell(value.example)}"] if value.example not in (None, [], "") and not value.secret else []
    return ", ".join(facts)


def _spell(value: Json) -> str:
    if isinstance(value, list):
        return " ".join(_spell(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(spell(value if isinstance(value, str) else spell_json(value)))


def _value_data(value: Value) -> Document:
    return {
        "name": value.name,
        "help": value.help,
        "type": value.type,
        "enum": [choice.word for choice in value.enum.all],
        "range": [value.low, value.high],
        "default": value.default,
        "example": None if value.secret else value.example,
    }


HELP = """\
Tab completes a word, ? says what may stand here, a unique beginning of a word is enough.
Quotes hold a value together: set ipsec "ACME Office" remote_peer 5.6.7.8
A change is made in configuration mode and takes effect with commit:
  configure
  set ingress_rules 20 ports 9443
  compare
  commit confirmed 5        (goes back by itself in 5 minutes, unless you confirm)
  confirm
Output goes through pipes: show configuration | match 443 | count
Files are your own and have plain names: show configuration | save before.yaml"""
