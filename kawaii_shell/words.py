"""A command line as words: quotes, escapes, pipes, and the same spelling back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

QUOTES = "\"'"
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
SPECIAL = set("\"'|;[]#\\?")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and the columns it stands in; `open` is a quote that was never closed."""

    text: str
    start: int
    end: int
    quoted: bool = False
    open: bool = False

    @property
    def is_pipe(self) -> bool:
        """Tell whether the word is the pipe sign itself, not a quoted one."""
        return self.text == "|" and not self.quoted


@dataclass(frozen=True, slots=True)
class Line:
    """One command of a script, and the line number it stands on (from 1)."""

    text: str
    number: int


def spell(text: str) -> str:
    """Spell a word so that `words_of` reads it back unchanged, with quotes where it needs them."""
    plain = text and text.isprintable() and not (set(text) & SPECIAL) and " " not in text
    if plain and not any(character.isspace() for character in text):
        return text
    return '"' + "".join(_escape(character) for character in text) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    if character in named:
        return named[character]
    raw = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[i : i + 2].hex()}" for i in range(0, len(raw), 2))


def words_of(text: str) -> list[Word]:
    """Split one command into words: `"…"` knows JSON's escapes, `'…'` is literal, `|` stands alone."""
    words = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        word = Word("|", at, at + 1) if text[at] == "|" else _read_word(text, at)
        words.append(word)
        at = word.end
    return words


def _read_word(text: str, start: int) -> Word:
    parts: list[str] = []
    at, quoted = start, False
    may_quote = True  # at the word's start and right behind a closing quote, so that don't needs no care
    while at < len(text) and not text[at].isspace() and text[at] != "|":
        if text[at] in QUOTES and may_quote:
            part, at, closed = _read_quoted(text, at)
            parts.append(part)
            quoted = True
            if not closed:
                return Word("".join(parts), start, at, quoted=True, open=True)
            continue
        may_quote = False
        parts.append(text[at])
        at += 1
    return Word("".join(parts), start, at, quoted=quoted)


def _read_quoted(text: str, start: int) -> tuple[str, int, bool]:
    quote, at, parts = text[start], start + 1, list[str]()
    while at < len(text):
        character = text[at]
        if character == quote:
            return "".join(parts), at + 1, True
        if character == "\\" and quote == '"' and at + 1 < len(text):
            part, at = _read_escape(text, at + 1)
            parts.append(part)
            continue
        parts.append(character)
        at += 1
    return "".join(parts), at, False


def _read_escape(text: str, at: int) -> tuple[str, int]:
    """Read what follows a backslash at `at`; a `\\uXXXX` pair of surrogates is one character (RFC 8259 §7)."""
    if text[at] != "u":
        return ESCAPES.get(text[at], "\\" + text[at]), at + 1
    unit = _code_unit(text, at)
    if unit is None:
        return "\\u", at + 1
    low = _code_unit(text, at + 6) if 0xD800 <= unit < 0xDC00 and text[at + 5 : at + 6] == "\\" else None
    if low is not None and 0xDC00 <= low < 0xE000:
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), at + 11
    return "\ufffd" if 0xD800 <= unit < 0xE000 else chr(unit), at + 5


def _code_unit(text: str, at: int) -> int | None:
    digits = text[at + 1 : at + 5]
    if text[at : at + 1] != "u" or len(digits) != 4 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return None
    return int(digits, 16)


def commands_of(text: str) -> Iterator[Line]:
    """Split a script into commands at line ends and at `;` outside quotes; `#` begins a comment line."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            continue
        yield from (Line(part, number) for part in split_line(line) if part.strip())


def split_line(line: str) -> list[str]:
    """Split one line at `;` outside quotes."""
    if ";" not in line:
        return [line]
    parts, start, at, may_quote = [], 0, 0, True
    while at < len(line):
        character = line[at]
        if character in QUOTES and may_quote:
            _, at, _ = _read_quoted(line, at)
            continue
        if character == ";":
            parts.append(line[start:at])
            start = at + 1
        may_quote = character.isspace() or character in ";|"
        at += 1
    return [*parts, line[start:]]
