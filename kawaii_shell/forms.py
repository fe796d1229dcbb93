"""The answers about configurations and commits: texts, marks, plans, patches."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kawaii_shell.answer import Answer
from kawaii_shell.daemon import Outcome, WhoAmI
from kawaii_shell.document import Document, Json, documents, number, string, strings
from kawaii_shell.screen import Page, clean, render_table

COMMITS = (
    ("number", "Revision"),
    ("when", "When"),
    ("user", "User"),
    ("way", "Way"),
    ("confirmed", "Confirmed"),
    ("comment", "Comment"),
)


def guess_format(name: str, text: str) -> str:
    """Tell whether a text is `json`, `set` commands or `yaml`, by its name's ending, else by how it begins."""
    ending = name.rpartition(".")[2]
    if ending in ("json", "set", "yaml", "yml"):
        return {"yml": "yaml"}.get(ending, ending)
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    if first.startswith("{"):
        return "json"
    return "set" if first.split(" ")[0] in ("set", "delete") else "yaml"


def mark_changes(running: str, candidate: str) -> str:
    """Give the candidate's text, each line marked: `+` only there, `-` only in the running one, else blank."""
    old, new = running.splitlines(), candidate.splitlines()
    head = _common(old, new)
    tail = min(_common(old[::-1], new[::-1]), min(len(old), len(new)) - head)
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    marked = _mark_middle(middle_old, middle_new)
    same = [f"  {line}" for line in new[:head]], [f"  {line}" for line in new[len(new) - tail :]]
    return "\n".join([*same[0], *marked, *same[1]])


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    length = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        length += 1
    return length


def _mark_middle(old: list[str], new: list[str]) -> list[str]:
    import difflib

    marked: list[str] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > 2000)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            marked += [f"  {line}" for line in new[new_from:new_to]]
            continue
        marked += [f"- {line}" for line in old[old_from:old_to]]
        marked += [f"+ {line}" for line in new[new_from:new_to]]
    return marked


def paint_marks(text: str, page: Page) -> str:
    """Colour the lines that go and those that come."""
    colours = {"+": "good", "-": "bad"}
    lines = clean(text).rstrip("\n").split("\n")
    return "\n".join(page.paint(line, colours[line[0]]) if line[:1] in colours else line for line in lines)


def json_patch(changes: Json) -> Json:
    """Spell changes as a JSON Patch (RFC 6902), paths as JSON Pointers (RFC 6901)."""
    patch: list[Json] = []
    for change in documents(changes):
        pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in strings(change.get("path")))
        before, after = change.get("before"), change.get("after")
        if after is None:
            patch.append({"op": "remove", "path": pointer})
        else:
            patch.append({"op": "add" if before is None else "replace", "path": pointer, "value": after})
    return patch


def answer_commit(outcome: Outcome, *, check: bool) -> Answer:
    """Make the answer of a commit: what was or would be done, how much it disturbs, what is left to do."""
    return Answer(lambda page: _spell_commit(outcome, page, check=check), lambda: outcome.answer, paged=check)


def _spell_commit(outcome: Outcome, page: Page, *, check: bool) -> str:
    parts = [page.paint(page.fold(f"warning: {clean(text)}"), "warn") for text in outcome.warnings]
    if outcome.not_applied:
        names = ", ".join(clean(name) for name in outcome.not_applied)
        parts.append(page.paint(page.fold(f"not applied yet by this version: {names}"), "warn"))
    if check:
        parts += [_spell_step(step, page) for step in outcome.plan]
        parts.append(f"configuration check succeeds: {_steps(outcome)}")
        return "\n".join(parts)
    took = f" in {outcome.seconds:.2f} s" if outcome.seconds is not None else ""
    if outcome.revision is None:
        parts.append("nothing to commit: the candidate is the running configuration")
    else:
        parts.append(f"commit complete: revision {outcome.revision}{took} ({_steps(outcome)})")
    if outcome.confirm_seconds is not None:
        parts.append(f"it goes back by itself in {outcome.confirm_seconds} s, unless you confirm or commit again")
    return "\n".join(parts)


def _spell_step(step: Document, page: Page) -> str:
    """Spell a step of a plan: what it does, and the lines that go and come."""
    subsystem, action, impact = (clean(string(step.get(name))) for name in ("subsystem", "action", "impact"))
    head = page.paint(f"{subsystem}: {action}", "strong") + (f" (impact: {impact})" if impact else "")
    marked = mark_changes(string(step.get("before")), string(step.get("after")))
    changed = [line for line in marked.split("\n") if line[:1] in ("+", "-") and line[1:].strip()]
    return "\n".join([head, *(f"  {line}" for line in paint_marks("\n".join(changed), page).split("\n") if line)])


def answer_commits(revisions: list[Document]) -> Answer:
    """Make the answer of `show commits`."""
    shown: list[Document] = [{**each, "when": _spell_time(each.get("when"))} for each in revisions]
    return Answer(lambda page: render_table(COMMITS, shown, page), lambda: {"revisions": list(revisions)})


def _spell_time(value: Json) -> str:
    """Spell a moment, given in seconds of the epoch, in the zone of the terminal; text stays as it is."""
    seconds = number(value)
    return string(value) if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _steps(outcome: Outcome) -> str:
    count = len(outcome.plan)
    steps = f"{count} step{'' if count == 1 else 's'}" if count else "no step"
    return f"{steps}, impact: {outcome.impact}" if outcome.impact else steps


def answer_status(who: WhoAmI, session: Document) -> Answer:
    """Make the answer of `status`."""
    data: Document = {**who.answer, **session}
    rows: list[Document] = [
        {"name": "User", "value": f"{who.user} ({who.role or 'no role'})"},
        {"name": "Node", "value": who.node},
        {"name": "Zone", "value": who.zone},
        {"name": "VRRP", "value": who.vrrp},
        {"name": "Waits to be confirmed", "value": _spell_waiting(who)},
    ]
    if session:
        rows.append({"name": "Candidate", "value": "edited" if session.get("edited") else "as it began"})
    rows += [{"name": "Problem", "value": string(text)} for text in strings(who.answer.get("problems"))]

    def text(page: Page) -> str:
        return render_table((("name", "Name"), ("value", "Value")), rows, page).partition("\n")[2]

    return Answer(text, lambda: data, paged=False)


def _spell_waiting(who: WhoAmI) -> str:
    return "no" if who.confirm_seconds is None else f"yes, {who.confirm_seconds} s left"
