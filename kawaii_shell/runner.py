"""Runs lines one after the other: edits in a row go to the daemon as one request, the first error stops."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kawaii_shell.answer import Answer
from kawaii_shell.commands import Change, Pipeline
from kawaii_shell.complaint import CONSOLE_ERRORS, OK, Complaint, Written, complain
from kawaii_shell.console import Console
from kawaii_shell.execute import Terminal, change, execute, fill_in
from kawaii_shell.parser import parse
from kawaii_shell.pipes import check_stages, pipe
from kawaii_shell.screen import Page
from kawaii_shell.words import Line

BATCH = 20_000  # edits in one request


def print_text(text: str) -> None:
    """Print an answer to standard output."""
    print(text)


def print_error(complaint: Complaint) -> None:
    """Print a complaint to standard error."""
    print("\n".join(complaint.lines), file=sys.stderr)


@dataclass(slots=True)
class Runner:
    """Runs commands for a console; where text and errors go is the caller's."""

    console: Console
    terminal: Terminal
    page: Callable[[], Page] = Page
    json: bool = False
    show: Callable[[str, Answer], None] = lambda text, _answer: print_text(text)
    complain: Callable[[Complaint], None] = print_error
    echo: bool = True
    _pending: list[Written] = field(default_factory=list)

    def run(self, lines: Iterator[Line]) -> int:
        """Run lines to the end, the first error, or the command that leaves the console; gives the exit code."""
        for line in lines:
            code = self._take(line)
            if code != OK or self.console.finished:
                return code
        return self._flush()

    def _take(self, line: Line) -> int:
        try:
            pipeline = parse(line.text, self.console.context())
        except CONSOLE_ERRORS as error:
            return self._flush() or self._failed(error, [Written(line)])
        if pipeline is None:
            return OK
        command = pipeline.command
        if isinstance(command, Change) and not pipeline.stages:
            return self._take_change(command, line)
        return self._flush() or self._perform(pipeline, line)

    def _take_change(self, command: Change, line: Line) -> int:
        try:
            ops = fill_in(command.ops, self.terminal)
        except CONSOLE_ERRORS as error:
            return self._flush() or self._failed(error, [Written(line)])
        self._pending.append(Written(line, ops))
        return self._flush() if len(self._pending) >= BATCH else OK

    def _flush(self) -> int:
        if not self._pending:
            return OK
        written, self._pending = self._pending, []
        try:
            answer = change(self.console, tuple(op for item in written for op in item.ops))
            if answer:
                self._emit(answer, None)
        except CONSOLE_ERRORS as error:
            return self._failed(error, written)
        return OK

    def _perform(self, pipeline: Pipeline, line: Line) -> int:
        written = [Written(line, pipeline.command.ops if isinstance(pipeline.command, Change) else ())]
        try:
            check_stages(pipeline.stages)
            answer = execute(self.console, pipeline.command, self.terminal)
            if answer:
                self._emit(answer, pipeline)
        except CONSOLE_ERRORS as error:
            return self._failed(error, written)
        return OK

    def _emit(self, answer: Answer, pipeline: Pipeline | None) -> None:
        stages = pipeline.stages if pipeline else ()
        if self.json and not stages:
            self.show(json.dumps(answer.data(), ensure_ascii=False), answer)
            return
        text = pipe(answer, stages, self.page(), self.console.files)
        if text:
            paged = answer.paged and not any(stage.name in ("no-more", "save") for stage in stages)
            self.show(text, Answer(answer.text, answer.data, answer.forms, paged))

    def _failed(self, error: Exception, written: list[Written]) -> int:
        complaint = complain(error, written, echo=self.echo or len(written) > 1)
        if self.json:
            text = json.dumps(complaint.data, ensure_ascii=False)
            complaint = Complaint([text], complaint.data, complaint.code, None, complaint.number)
        self.complain(complaint)
        return complaint.code
