"""Text for a terminal: safe characters, columns, colours, tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kawaii_shell.document import Document, Json, documents, string, strings

RESET = "\x1b[0m"
COLOURS = {"good": "\x1b[32m", "bad": "\x1b[31m", "warn": "\x1b[33m", "strong": "\x1b[1m", "faint": "\x1b[2m"}
GOOD = {"up", "master", "established", "installed", "agreed", "active", "alive", "running", "ok", "reachable"}
BAD = {"down", "fault", "failed", "dead", "error", "unreachable", "missing", "stopped"}


@dataclass(frozen=True, slots=True)
class Page:
    """What output is laid out for: columns (None: as many as it takes) and whether colours show."""

    width: int | None = None
    colour: bool = False

    def paint(self, text: str, colour: str) -> str:
        """Colour a text, where colours show."""
        return f"{COLOURS[colour]}{text}{RESET}" if self.colour and text else text

    def fold(self, text: str) -> str:
        """Break a sentence at blanks, so that it fits the page."""
        return "\n".join(wrap(text, self.width)) if self.width else text


def clean(text: str) -> str:
    """Make a text safe to print: control characters, which could drive the terminal, become visible escapes."""
    if text.isprintable():
        return text
    return "".join(character if _is_safe(character) else _visible(character) for character in text)


def _is_safe(character: str) -> bool:
    return character in "\n\t" or character.isprintable() or unicodedata.category(character) in ("Zs", "Mn", "Mc")


def _visible(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width_of(text: str) -> int:
    """Count the columns a text takes: wide characters two, combining ones none (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines of at most `width` columns, at blanks where there are any."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = paragraph
        while width_of(line) > width:
            cut = _columns(line, width)
            blank = line.rfind(" ", 1, cut + 1)
            cut = blank if blank > width // 3 else cut
            lines.append(line[:cut].rstrip())
            line = line[cut:].lstrip()
        lines.append(line)
    return lines


def _columns(text: str, width: int) -> int:
    """Count the characters of `text` that fit into `width` columns; at least one."""
    used = 0
    for at, character in enumerate(text):
        used += _character_width(character)
        if used > width:
            return max(1, at)
    return len(text)


def spell_cell(value: Json) -> str:
    """Spell a value for people: nothing is `-`, lists are joined."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(spell_cell(item) for item in value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {spell_cell(item)}" for name, item in value.items()) or "-"
    return clean(string(value)).expandtabs(2)


def render_answer(answer: Document, page: Page) -> str:
    """Lay an operational answer out: its tables, its text, its notes."""
    tables = documents(answer.get("tables")) or [answer]
    parts = [part for table in tables if (part := _render_one(table, page))]
    if tables != [answer]:
        parts += _ending(answer)
    return "\n\n".join(parts)


def _render_one(source: Document, page: Page) -> str:
    columns, rows = documents(source.get("columns")), documents(source.get("rows"))
    body = render_table([(string(each.get("name")), string(each.get("title"))) for each in columns], rows, page)
    title = clean(string(source.get("title")))
    parts = [page.paint(title, "strong")] if title and (columns or source.get("text")) else []
    if columns:
        parts.append(body or "(none)")
    return "\n".join([*parts, *_ending(source)])


def _ending(source: Document) -> list[str]:
    text = clean(string(source.get("text"))).rstrip("\n")
    notes = [clean(note) for note in strings(source.get("notes"))]
    return ([text] if text else []) + notes


def render_table(columns: Sequence[tuple[str, str]], rows: Iterable[Document], page: Page) -> str:
    """Lay rows out in columns (name, title); cells wrap where the page is too narrow. Empty without rows."""
    cells = [[spell_cell(row.get(name)) for name, _ in columns] for row in rows]
    if not cells:
        return ""
    titles = [title or name for name, title in columns]
    right = [_is_numeric([row[at] for row in cells]) for at in range(len(columns))]
    widths = [
        max(width_of(line) for text in texts for line in text.split("\n")) for texts in zip(titles, *cells, strict=True)
    ]
    if page.width:
        widths = _fit(widths, page.width)
    lines = [page.paint(line, "strong") for line in _table_row(titles, widths, right)]
    for row in cells:
        lines += [_colour_row(line, row, page) for line in _table_row(row, widths, right)]
    return "\n".join(lines)


def _is_numeric(texts: list[str]) -> bool:
    return any(text != "-" for text in texts) and all(
        text == "-" or text.replace(".", "", 1).isdecimal() for text in texts
    )


def _fit(widths: list[int], page: int) -> list[int]:
    """Narrow the widest columns, to no less than eight, until the row fits the page."""
    widths = list(widths)
    while sum(widths) + 2 * (len(widths) - 1) > page and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    return widths


def _table_row(texts: list[str], widths: list[int], right: list[bool]) -> list[str]:
    wrapped = [wrap(text, width) for text, width in zip(texts, widths, strict=True)]
    lines = []
    for at in range(max(len(lines) for lines in wrapped)):
        parts = [
            _pad(cell[at] if at < len(cell) else "", width, side)
            for cell, width, side in zip(wrapped, widths, right, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return lines


def _pad(text: str, width: int, right: bool) -> str:
    blank = " " * max(0, width - width_of(text))
    return blank + text if right else text + blank


def _colour_row(line: str, row: list[str], page: Page) -> str:
    if not page.colour:
        return line
    words = {text.casefold() for text in row}
    if words & BAD:
        return page.paint(line, "bad")
    return page.paint(line, "good") if words & GOOD else line
