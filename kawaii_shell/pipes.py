"""What an output goes through on its way to the screen: forms, line filters, the user's own files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kawaii_shell.answer import Answer, spell_json, spell_yaml
from kawaii_shell.commands import Stage
from kawaii_shell.cursor import WordError
from kawaii_shell.files import OwnFiles
from kawaii_shell.screen import Page

FORMS = ("json", "yaml", "set")
PLAIN = Page()


def check_stages(stages: Sequence[Stage]) -> None:
    """Refuse pipes that cannot work before the command runs: a bad pattern, a form behind a filter."""
    for at, stage in enumerate(stages):
        if stage.name in FORMS and at > 0:
            raise WordError(f"| {stage.name} must be the first pipe", stage.word)
        if stage.name in ("match", "except", "find"):
            _pattern(stage)


def _pattern(stage: Stage) -> re.Pattern[str]:
    try:
        return re.compile(stage.argument, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise WordError(f"not a regular expression: {error}", stage.word, value=True) from error


def pipe(answer: Answer, stages: Sequence[Stage], page: Page, files: OwnFiles) -> str:
    """Give an answer as the text that is left behind the pipes; `save` leaves a line that says so."""
    first = stages[0].name if stages else ""
    text = spell_form(answer, first) if first in FORMS else answer.text(PLAIN if stages else page)
    for stage in stages[1:] if first in FORMS else stages:
        text = _through(text, stage, files)
    return text


def spell_form(answer: Answer, form: str) -> str:
    """Spell an answer as `json`, `yaml` or `set`; only a configuration has set commands."""
    if form in answer.forms:
        return answer.forms[form]()
    if form == "set":
        raise WordError("only a configuration can be shown as set commands", None)
    return spell_json(answer.data()) if form == "json" else spell_yaml(answer.data())


def _through(text: str, stage: Stage, files: OwnFiles) -> str:
    lines = text.splitlines()
    match stage.name:
        case "match":
            pattern = _pattern(stage)
            lines = [line for line in lines if pattern.search(line)]
        case "except":
            pattern = _pattern(stage)
            lines = [line for line in lines if not pattern.search(line)]
        case "find":
            pattern = _pattern(stage)
            first = next((at for at, line in enumerate(lines) if pattern.search(line)), len(lines))
            lines = lines[first:]
        case "count":
            return f"Count: {len(lines)} lines"
        case "last":
            lines = lines[max(0, len(lines) - int(stage.argument)) :]
        case "save":
            return f"Saved {len(lines)} lines to {files.write(stage.argument, text)}"
    return "\n".join(lines)
