"""Errors for people: the line, a caret under the word, what was expected, the nearest spelling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kawaii_shell.client import Problem, Refused, Unreachable
from kawaii_shell.commands import Op
from kawaii_shell.cursor import Expected, WordError
from kawaii_shell.daemon import spell_problem
from kawaii_shell.document import Document
from kawaii_shell.execute import NotNow
from kawaii_shell.files import FileRefused
from kawaii_shell.screen import clean, width_of
from kawaii_shell.words import Line, Word

OK, REFUSED, USAGE = 0, 1, 2
CONSOLE_ERRORS = (WordError, Refused, Unreachable, FileRefused, NotNow)


@dataclass(frozen=True, slots=True)
class Written:
    """A command as it was written, and the edits it asked for."""

    line: Line
    ops: tuple[Op, ...] = ()


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error ready to be shown: its lines, as data, the exit code, and the caret's column where it is one line's."""

    lines: list[str]
    data: Document
    code: int
    column: int | None = None
    number: int | None = None


def complain(error: Exception, written: Sequence[Written], *, echo: bool) -> Complaint:
    """Explain an error of the console or the daemon about what was written; `echo` repeats the line it points at."""
    match error:
        case WordError():
            return _word_error(error, written[-1].line, echo=echo)
        case Refused():
            return _refused(error, written, echo=echo)
        case _:
            return Complaint([clean(str(error))], {"title": str(error)}, REFUSED)


def _word_error(error: WordError, line: Line, *, echo: bool) -> Complaint:
    column = error.word.start if error.word else len(line.text.rstrip()) + 1
    hint = _hint(error)
    lines = _pointed(line, column, error.word.end if error.word else None) if echo else []
    lines += [clean(error.message)] + ([hint] if hint else [])
    data: Document = {"title": error.message, "line": line.number, "column": column + 1, "hint": hint}
    return Complaint(lines, data, REFUSED if error.value else USAGE, column, line.number)


def _pointed(line: Line, column: int, end: int | None) -> list[str]:
    """Repeat a line up to the word that is wrong (what follows may be a secret), and point at it."""
    shown = line.text[:end].rstrip() if end is not None else line.text.rstrip()
    blank = len(shown) - len(shown.lstrip())
    prefix = f"line {line.number}: "
    shift = width_of(clean(line.text[blank:column])) if column >= blank else 0
    return [prefix + clean(shown[blank:]), " " * (len(prefix) + shift) + "^"]


def _hint(error: WordError) -> str:
    names = [choice.word for choice in error.expected.choices.all if not choice.hidden]
    if error.expected.value:
        names += [choice.word for choice in error.expected.value.enum.all]
    near = nearest(error.word.text, names) if error.word and names and "ambiguous" not in error.message else ""
    if near:
        return f"did you mean {near}?"
    wanted = _wanted(error.expected, names)
    return (
        f"expected {wanted}" if wanted and "expected" not in error.message and "ambiguous" not in error.message else ""
    )


def _wanted(expected: Expected, names: list[str]) -> str:
    parts = [f"<{expected.value.name}>"] if expected.value else []
    parts += names[:12] + (["..."] if len(names) > 12 else [])
    return ", ".join(parts)


def nearest(text: str, names: Sequence[str]) -> str:
    """Give the name that is spelt most like `text`; empty where none is."""
    import difflib

    found = difflib.get_close_matches(text.replace("-", "_"), names, n=1, cutoff=0.6)
    return found[0] if found else ""


def _refused(error: Refused, written: Sequence[Written], *, echo: bool) -> Complaint:
    lines: list[str] = []
    column = number = None
    for problem in error.problems:
        found = _find(problem, written)
        if found and echo:
            lines += _pointed_masked(*found)
        elif found and column is None:
            column, number = found[1].start, found[0].number
        lines.append(("warning: " if problem.severity == "warning" else "") + clean(spell_problem(problem)))
        near = nearest(problem.found.strip('"'), problem.accepted.split(", ")) if problem.found else ""
        lines += [f"did you mean {clean(near)}?"] if near else []
    about = [text for text in (error.title, error.detail) if text]
    if not any(written_down.ops for written_down in written) or not lines:
        lines.append(clean(": ".join(about)))
    lines += [clean(error.hint)] if error.hint else []
    return Complaint(lines, error.answer or {"title": error.title}, REFUSED, column, number)


def _find(problem: Problem, written: Sequence[Written]) -> tuple[Line, Word, Op] | None:
    """Find the line and the word that a problem's path is about: the edit that shares most of it."""
    best: tuple[int, Line, Word, Op] | None = None
    for item in written:
        for op in item.ops:
            shared = _shared(problem.path, op.path)
            if not op.places or not shared or (best and best[0] >= shared):
                continue
            above = len(op.path) - (len(op.places) - (1 if op.value is not None and op.places else 0))
            at = min(max(0, shared - max(0, above)), len(op.places) - 1)
            best = (shared, item.line, op.places[at], op)
    return best[1:] if best else None


def _shared(path: Sequence[str], other: Sequence[str]) -> int:
    shared = 0
    for mine, theirs in zip(path, other, strict=False):
        if mine != theirs:
            break
        shared += 1
    return shared


def _pointed_masked(line: Line, word: Word, op: Op) -> list[str]:
    end = op.places[-2].end if op.secret and len(op.places) > 1 else word.end
    return _pointed(line, min(word.start, end), end)
