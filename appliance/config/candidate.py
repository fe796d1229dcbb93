"""A candidate: a copy of the running configuration that a session edits, and merges back when it commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appliance.config.commands import compare, parse_set_commands, to_change_commands
from appliance.config.diff import ABSENT, diff, merge
from appliance.config.document import read_document
from appliance.config.edit import cut, move, put
from appliance.config.load import FileProblem, InvalidFile, parse_config, parse_text
from appliance.config.tree import Tree
from appliance.config.validate import redact, redact_value
from appliance.schema.problem import InvalidConfig, Path, Problem, spell_path
from appliance.schema.refusal import shape_at


class CandidateConflict(Exception):
    """The candidate and a commit since its base changed the same places to different things."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths
        super().__init__("changed meanwhile by another commit: " + "; ".join(spell_path(path) for path in paths))


class Candidate:
    """One session's tree, with the tree and revision it began from."""

    def __init__(self, key: str, base_number: int, base: Tree) -> None:
        self.id = key
        self.base_number = base_number
        self._base = base
        self.tree = base

    @property
    def edited(self) -> bool:
        """Whether anything differs from the base."""
        return self.tree is not self._base and self.tree != self._base

    def edit(self, operations: Sequence[Mapping[str, Any]], revision_tree: Callable[[int], Tree]) -> None:
        """Make edits in order, all or none; raises `InvalidConfig` with every problem, `KeyError` for a revision.

        An operation is ``{"op": "set" | "delete", "path", "value"?}``, ``{"op": "rename" | "copy", "path", "to"}``,
        ``{"op": "load", "mode": "merge" | "override" | "set", "format": "yaml" | "json" | "set", "text"}``,
        ``{"op": "rollback", "revision"}`` or ``{"op": "discard"}``.
        """
        tree = self.tree
        problems: list[Problem] = []
        for operation in operations:
            try:
                tree = self._make(tree, operation, revision_tree)
            except InvalidConfig as error:
                if len(operations) == 1:
                    raise
                problems.extend(error.problems)
        if problems:
            raise InvalidConfig(problems)
        self.tree = tree

    def _make(self, tree: Tree, operation: Mapping[str, Any], revision_tree: Callable[[int], Tree]) -> Tree:
        path = tuple(str(word) for word in operation.get("path", ()))
        match operation.get("op"):
            case "set":
                return put(tree, path, operation.get("value"))
            case "delete":
                return cut(tree, path, operation.get("value"))
            case "rename" | "copy" as kind:
                target = tuple(str(word) for word in operation.get("to", ()))
                return move(tree, path, target, keep=kind == "copy")
            case "load":
                return load(tree, operation)
            case "rollback":
                return revision_tree(int(operation["revision"]))
            case "discard":
                return self._base
            case other:
                raise TypeError(f"op: got {other!r}, expected set, delete, rename, copy, load, rollback or discard")

    def merged(self, running: Tree) -> Tree:
        """Merge this candidate's changes into what runs now; raises `CandidateConflict` with the paths."""
        if running is self._base:
            return self.tree
        result = merge(self._base, self.tree, running)
        if result.conflicts:
            raise CandidateConflict(result.conflicts)
        return result.tree

    def rebase(self, number: int, tree: Tree) -> None:
        """Begin anew from what runs now."""
        self.base_number, self._base, self.tree = number, tree, tree

    def compare(self, base: Tree, form: str) -> dict[str, Any]:
        """Give the differences from `base` as text and as changes, secrets masked."""
        if form == "set":
            text = "\n".join(to_change_commands(redact(base), redact(self.tree)))
        else:
            text = "\n".join(compare(base, self.tree))
        changes = [
            {"path": list(c.path), "before": _shown(c.path, c.before), "after": _shown(c.path, c.after)}
            for c in diff(base, self.tree)
        ]
        return {"text": text, "changes": changes}


def _shown(path: Path, value: Any) -> Any:
    return None if value is ABSENT else redact_value(value, shape_at(path))


def load(tree: Tree, operation: Mapping[str, Any]) -> Tree:
    """Load a text over a tree: override replaces it, merge lays it over, set commands are applied to it."""
    text, mode = str(operation.get("text", "")), operation.get("mode", "merge")
    name = str(operation.get("name", "input"))
    if operation.get("format") == "set" or mode == "set":
        return parse_set_commands(text, name, {} if mode == "override" else tree)
    if mode == "override":
        return parse_config(text, name).tree
    if mode == "merge":
        laid: Tree = overlay(tree, parse_part(text, name))
        return laid
    raise TypeError(f"mode: got {mode!r}, expected merge, override or set")


def parse_part(text: str, name: str) -> Tree:
    """Read a part of a configuration, judged by the schema but not as a whole; raises `InvalidFile`."""
    document = read_document(parse_text(text, name).root)
    if document.problems:
        raise InvalidFile(tuple(FileProblem(name, found.line, found.problem) for found in document.problems))
    tree: Tree = document.tree
    return tree


def overlay(under: Any, over: Any) -> Any:
    """Lay one tree over another: mappings are joined, everything else is replaced."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{word: overlay(under[word], child) if word in under else child for word, child in over.items()}}
