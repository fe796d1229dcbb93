"""Configuration files: text in, an accepted configuration out, or every problem with its file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.config.document import Document, Located, read_document
from appliance.config.strict_yaml import Node, NotYaml, Parsed, parse_yaml
from appliance.config.tree import Tree
from appliance.config.validate import check_tree
from appliance.schema.problem import InvalidConfig, Path, Problem, Severity
from appliance.schema.root import Config


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A problem of a file: printed as ``FILE:LINE: PATH: message``; line 0 is the file as a whole."""

    source: str
    line: int
    problem: Problem

    def text(self) -> str:
        """Spell the problem with its place, a warning as one."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        mark = "warning: " if self.problem.severity is Severity.WARNING else ""
        return f"{place}: {mark}{self.problem.text()}"


class InvalidFile(InvalidConfig):
    """A file is refused; `located` holds every reason with its line, in the order of the lines."""

    def __init__(self, located: tuple[FileProblem, ...]) -> None:
        super().__init__(item.problem for item in located)
        self.located = located
        self.args = ("\n".join(item.text() for item in located),)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An accepted file: its canonical tree (secrets included), its typed form, its lines and its warnings."""

    source: str
    tree: Tree
    config: Config
    lines: Mapping[Path, int]
    warnings: tuple[FileProblem, ...] = ()


def parse_config(text: str, source: str) -> Loaded:
    """Read a configuration's text, YAML or JSON; raises `InvalidFile` with all problems at once."""
    return load_document(parse_text(text, source), source)


def parse_text(text: str, source: str, first_line: int = 1) -> Parsed:
    """Parse a document that begins on `first_line` of its file; raises `InvalidFile`."""
    try:
        # Empty lines before it let the parser itself count as the file does.
        return parse_yaml("\n" * (first_line - 1) + text)
    except NotYaml as error:
        raise InvalidFile((FileProblem(source, error.line, Problem((), error.message)),)) from None


def load_document(parsed: Parsed, source: str, root: Node | None = None, under: Path = ()) -> Loaded:
    """Judge a parsed document, or the part `root` of it that stands `under` some keys; raises `InvalidFile`."""
    document = read_document(root or parsed.root)
    for twice in parsed.twice:
        if twice.path[: len(under)] == under:
            problem = Problem(twice.path[len(under) :], f"a second time; the first is on line {twice.first}")
            document.problems.append(Located(twice.line, problem))
    try:
        checked = check_tree(document.tree)
    except InvalidConfig as error:
        found = [Located(document.line(problem.path), problem) for problem in error.problems]
        raise _refuse(document, source, found) from None
    if document.problems:
        raise _refuse(document, source, [])
    warnings = tuple(FileProblem(source, document.line(item.path), item) for item in checked.warnings)
    return Loaded(source, checked.tree, checked.config, document.lines, warnings)


def _refuse(document: Document, source: str, found: list[Located]) -> InvalidFile:
    located = sorted([*document.problems, *found], key=lambda item: item.line)
    return InvalidFile(tuple(FileProblem(source, item.line, item.problem) for item in located))
