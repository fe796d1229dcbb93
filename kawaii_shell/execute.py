"""What each command does."""

from __future__ import annotations

from collections.abc import Callable

from kawaii_shell.answer import Answer, plain_answer, spell_json
from kawaii_shell.commands import (
    Change,
    Command,
    Commit,
    Compare,
    Configure,
    Confirm,
    Discard,
    EditLevel,
    Explain,
    Help,
    Leave,
    Load,
    Op,
    Path,
    Rollback,
    Run,
    Save,
    Show,
    ShowCommits,
    Status,
)
from kawaii_shell.console import Console
from kawaii_shell.document import Document, Json, string
from kawaii_shell.forms import (
    answer_commit,
    answer_commits,
    answer_status,
    guess_format,
    json_patch,
    mark_changes,
    paint_marks,
)
from kawaii_shell.grammar import WATCH
from kawaii_shell.listing import explain, overview
from kawaii_shell.remote import fetch, is_remote, send
from kawaii_shell.screen import Page, clean, render_answer


class NotNow(Exception):
    """Something that cannot be done in the state the console is in; says what to do first."""


class Terminal:
    """What a command may ask of the user; a script answers from its input."""

    def secret(self, name: str) -> str:
        """Ask for a secret without echo."""
        raise NotNow(f"{name}: the value is missing; a script states it")

    def text(self) -> str:
        """Read lines up to the end of input."""
        raise NotNow("there is no terminal to load from")

    def watch(self, ask: Callable[[], Answer]) -> None:
        """Show an answer again and again."""
        raise NotNow("there is no terminal to watch it on: use show")


def execute(console: Console, command: Command, terminal: Terminal) -> Answer | None:
    """Do what a command says; None where there is nothing to tell. Raises NotNow, Refused, Unreachable, FileRefused."""
    answer: Answer | None = None
    match command:
        case EditLevel(path):
            console.go(path)
        case Configure():
            console.configure()
        case Leave():
            _leave(console, command)
        case Run():
            answer = _run(console, command, terminal)
        case Show(path, running):
            answer = _show(console, path, running=running)
        case ShowCommits():
            answer = answer_commits(console.daemon.commits())
        case Help(text):
            answer = explain(text + " ", console.context()) if text else overview(console.context())
        case Explain(text):
            answer = explain(text, console.context())
        case Status():
            console.refresh()
            answer = answer_status(console.who, {"edited": console.edited} if console.session else {})
        case _:
            answer = _execute_on_candidate(console, command, terminal)
    return answer


def _execute_on_candidate(console: Console, command: Command, terminal: Terminal) -> Answer | None:
    answer: Answer | None = None
    match command:
        case Change():
            answer = change(console, fill_in(command.ops, terminal))
        case Compare(revision):
            answer = _compare(console, revision)
        case Commit():
            answer = _commit(console, command)
        case Confirm():
            answer = _confirm(console)
        case Rollback(revision):
            answer = _replace(console, {"op": "rollback", "revision": revision})
        case Discard():
            answer = _replace(console, {"op": "discard"})
        case Load():
            answer = _load(console, command, terminal)
        case Save(name):
            answer = _save(console, name)
    return answer


def _confirm(console: Console) -> Answer:
    revision = console.daemon.confirm()
    console.confirmed()
    return plain_answer(f"confirmed: revision {revision} stays", {"revision": revision})


def fill_in(ops: tuple[Op, ...], terminal: Terminal) -> tuple[Op, ...]:
    """Ask for the secrets that a line left out."""
    if not any(op.asks for op in ops):
        return ops
    return tuple(
        Op(op.op, op.path, terminal.secret(op.path[-1]), op.to, op.places, secret=True) if op.asks else op for op in ops
    )


def change(console: Console, ops: tuple[Op, ...]) -> Answer | None:
    """Edit the candidate; says nothing but warnings."""
    edited = console.change(ops)
    if not edited.warnings:
        return None
    return plain_answer("\n".join(f"warning: {clean(text)}" for text in edited.warnings))


def _replace(console: Console, op: Document) -> Answer:
    edited = console.replace(op)
    state = "the candidate is edited now" if edited.edited else "the candidate is the running configuration"
    warnings = [f"warning: {clean(text)}" for text in edited.warnings]
    return plain_answer("\n".join([*warnings, state]), {"edited": edited.edited, "warnings": list(edited.warnings)})


def _load(console: Console, command: Load, terminal: Terminal) -> Answer:
    if command.terminal:
        text = terminal.text()
    else:
        text = fetch(command.source) if is_remote(command.source) else console.files.read(command.source)
    form = "set" if command.mode == "set" else guess_format(command.source, text)
    name = command.source or "terminal"
    return _replace(console, {"op": "load", "mode": command.mode, "text": text, "format": form, "name": name})


def _save(console: Console, name: str) -> Answer:
    text = _spell_saved(console, name)
    if is_remote(name):
        send(name, text)
    else:
        console.files.write(name, text)
    return plain_answer(f"saved to {name}", {"saved": name})


def _spell_saved(console: Console, name: str) -> str:
    form = guess_format(name, "")
    if form == "json":
        return spell_json(console.on_candidate(lambda session: console.daemon.config_tree(session, ())))
    return console.on_candidate(lambda session: console.daemon.config_text(session, (), form))


def _show(console: Console, path: Path, *, running: bool) -> Answer:
    daemon = console.daemon

    def form(name: str) -> str:
        if running:
            return daemon.config_text(None, path, name).rstrip("\n")
        return console.on_candidate(lambda session: daemon.config_text(session, path, name)).rstrip("\n")

    def tree() -> Json:
        if running:
            return daemon.config_tree(None, path)
        return console.on_candidate(lambda session: daemon.config_tree(session, path))

    def text(page: Page) -> str:
        shown = form("yaml")
        if running or not console.edited:
            return clean(shown)
        return paint_marks(mark_changes(daemon.config_text(None, path, "yaml"), shown), page)

    return Answer(text, tree, {"yaml": lambda: form("yaml"), "set": lambda: form("set")})


def _compare(console: Console, revision: int | None) -> Answer:
    def ask(form: str) -> Document:
        return console.on_candidate(lambda session: console.daemon.compare(session, revision, form))

    def text(form: str) -> str:
        return string(ask(form).get("text")).rstrip("\n")

    def data() -> Json:
        return json_patch(ask("text").get("changes"))

    return Answer(lambda page: paint_marks(text("text"), page), data, {"set": lambda: text("set")})


def _commit(console: Console, command: Commit) -> Answer:
    outcome = console.on_candidate(lambda session: console.daemon.commit(session, command))
    if not command.check:
        console.committed(outcome.confirm_seconds)
        if command.and_quit:
            console.leave()
    return answer_commit(outcome, check=command.check)


def _leave(console: Console, command: Leave) -> None:
    if not console.session:
        console.finished = True
    elif console.path and not command.discard and not command.mode:
        console.back()
    elif console.edited and not command.discard and console.interactive:
        raise NotNow("the candidate is edited: commit it, or `exit discard` to drop it")
    else:
        console.leave()


def _run(console: Console, command: Run, terminal: Terminal) -> Answer | None:
    if command.operation.method != WATCH:
        return answer_operation(console.daemon.run(command))
    terminal.watch(lambda: answer_operation(console.daemon.run(command)))
    return None


def answer_operation(answer: Document) -> Answer:
    """Make the answer of an operational command."""
    return Answer(lambda page: render_answer(answer, page), lambda: answer)
