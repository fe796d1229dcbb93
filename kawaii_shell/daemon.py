"""The daemon's calls that the console makes, typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kawaii_shell.client import Client, Problem, parse_problems, url
from kawaii_shell.commands import Commit, Path, Run
from kawaii_shell.document import Document, Json, document, documents, integer, number, string
from kawaii_shell.grammar import Choice, Grammar, parse_grammar
from kawaii_shell.words import spell


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """The user, what they may do, where they are, and the seconds left of a commit to be confirmed."""

    user: str
    role: str
    node: str
    zone: str
    vrrp: str
    confirm_seconds: int | None
    answer: Document


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a commit did or would do."""

    revision: int | None
    plan: list[Document]
    impact: str
    warnings: tuple[str, ...]
    not_applied: tuple[str, ...]
    seconds: float | None
    confirm_seconds: int | None
    answer: Document


@dataclass(frozen=True, slots=True)
class Edited:
    """The candidate after an edit."""

    edited: bool
    warnings: tuple[str, ...]


class Daemon:
    """The daemon behind its socket."""

    def __init__(self, client: Client) -> None:
        """Speak through `client`."""
        self.client = client

    def grammar(self) -> Grammar:
        """Fetch what can be said."""
        return parse_grammar(document(self.client.get("/v1/grammar")))

    def whoami(self) -> WhoAmI:
        """Fetch who the daemon takes us for."""
        answer = document(self.client.get("/v1/whoami"))
        return WhoAmI(
            user=string(answer.get("user")),
            role=string(answer.get("role")),
            node=string(answer.get("node")),
            zone=string(answer.get("zone")),
            vrrp=string(answer.get("vrrp")),
            confirm_seconds=integer(answer.get("confirm_seconds")),
            answer=answer,
        )

    def open_session(self) -> str:
        """Make a candidate of the running configuration; give its id."""
        return string(self.client.post("/v1/sessions").get("id"))

    def close_session(self, session: str) -> None:
        """Drop a candidate."""
        self.client.delete(url("sessions", session))

    def edit(self, session: str, ops: Sequence[Document]) -> Edited:
        """Edit a candidate, all or nothing."""
        answer = self.client.post(url("sessions", session, "edit"), {"ops": list(ops)})
        return Edited(answer.get("edited") is True, spelt_problems(answer.get("warnings")))

    def config_tree(self, session: str | None, path: Path) -> Json:
        """Fetch a part of a candidate, or of the running configuration, as data."""
        return document(self._config(session, path, "json")).get("tree")

    def config_text(self, session: str | None, path: Path, form: str) -> str:
        """Fetch the same as text, `yaml` or `set`."""
        return string(document(self._config(session, path, form)).get("text"))

    def _config(self, session: str | None, path: Path, form: str) -> Json:
        where = url("sessions", session, "config") if session else url("config")
        return self.client.get(where, [*(("path", part) for part in path), ("format", form)])

    def compare(self, session: str, revision: int | None, form: str) -> Document:
        """Fetch what a candidate changes: `text` and `changes`."""
        query = [("format", form)] + ([("revision", str(revision))] if revision is not None else [])
        return document(self.client.get(url("sessions", session, "compare"), query))

    def commit(self, session: str, commit: Commit) -> Outcome:
        """Check or apply a candidate."""
        body: Document = {
            "check": commit.check,
            "comment": commit.comment,
            "confirmed_seconds": commit.confirmed_seconds,
        }
        answer = self.client.post(url("sessions", session, "commit"), body)
        return Outcome(
            revision=integer(answer.get("revision")),
            plan=documents(answer.get("plan")),
            impact=string(answer.get("impact")),
            warnings=spelt_problems(answer.get("warnings")),
            not_applied=spelt_problems(answer.get("not_applied")),
            seconds=number(answer.get("seconds")),
            confirm_seconds=integer(answer.get("confirm_seconds")),
            answer=answer,
        )

    def confirm(self) -> int | None:
        """Keep the commit that waits; give its revision."""
        return integer(self.client.post("/v1/confirm").get("revision"))

    def commits(self) -> list[Document]:
        """Fetch the revisions, each with when, who, why."""
        return documents(document(self.client.get("/v1/revisions")).get("revisions"))

    def revisions(self) -> list[Choice]:
        """Fetch the revisions as choices."""
        fields = ("when", "user", "comment")
        return [
            Choice(string(each.get("number")), "  ".join(string(each.get(name)) for name in fields).rstrip())
            for each in self.commits()
        ]

    def run(self, run: Run) -> Document:
        """Run an operational command."""
        path = url("op", *run.operation.words)
        if run.operation.method == "POST":
            return self.client.post(path, {}, run.arguments)
        return document(self.client.get(path, run.arguments))

    def values(self, source: str) -> list[Choice]:
        """Fetch live values."""
        answer = document(self.client.get("/v1/complete", [("values", source)]))
        return [Choice(string(each.get("value")), string(each.get("help"))) for each in documents(answer.get("values"))]


def spelt_problems(source: Json) -> tuple[str, ...]:
    """Spell a list of problems, given as objects or as plain text, one line each."""
    items = source if isinstance(source, list) else []
    plain = [string(item) for item in items if not isinstance(item, dict)]
    return tuple(text for text in [*plain, *(spell_problem(each) for each in parse_problems(source))] if text)


def spell_problem(problem: Problem) -> str:
    """Spell a problem as the console writes a path: `ingress_rules 10 ports: not a port`."""
    path = spell_path(problem.path)
    return f"{path}: {problem.text}" if path and not problem.text.startswith(path) else problem.text


def spell_path(path: Iterable[str]) -> str:
    """Spell a path in the console's words."""
    return " ".join(spell(part) for part in path)
