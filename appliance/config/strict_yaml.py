"""YAML read strictly, with the line of everything: the core schema of YAML 1.2, no key twice, no guessing.

Stock loaders follow YAML 1.1: `no` becomes false, `52:54:00:12:34:56` a number, and of two equal keys the last wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MAX_DEPTH = 40
MAX_NODES = 2_000_000

Scalar = str | int | float | bool | None


@dataclass(slots=True)
class Node:
    """A value of the document and where it stands; lines count from 1, 0 is unknown.

    `written` is the text of a scalar as it stands in the document, where the schema wants text and not a number.
    """

    value: dict[str, Node] | list[Node] | Scalar
    line: int = 0
    written: str | None = None
    keys: dict[str, int] = field(default_factory=dict)
    size: int = 1


class NotYaml(Exception):
    """The text is no YAML that is taken here; `line` says where, the message why."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(f"line {line}: {message}")


_INT = re.compile(r"[-+]?[0-9]{1,18}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}


def resolve_plain(text: str) -> Scalar:
    """Give the value of a plain (unquoted) scalar by YAML 1.2.2 §10.3.2, the core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and any(c.isdigit() for c in text):
        return float(text)
    return text


@dataclass(frozen=True, slots=True)
class Twice:
    """A key that a mapping has a second time; the path is as written in the document."""

    path: tuple[str, ...]
    line: int
    first: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's value, and the keys it gives more than once."""

    root: Node
    twice: tuple[Twice, ...]


# What JSON writes for a character beyond the first plane; YAML knows the eight-digit escape only.
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def _join_pair(match: re.Match[str]) -> str:
    code = 0x10000 + ((int(match[2], 16) & 0x3FF) << 10) + (int(match[3], 16) & 0x3FF)
    return f"{match[1]}\\U{code:08x}"


def parse_yaml(text: str) -> Parsed:
    """Parse one YAML (or JSON) document; raises `NotYaml` at the first thing that is not taken."""
    if text.lstrip()[:1] in ("{", "["):
        text = _PAIR.sub(_join_pair, text)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(mark.line + 1 if mark else 1, error.problem or "not YAML") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(error.position, 0)) + 1
        raise NotYaml(line, f"a character that YAML does not allow: U+{_code(error.character):04X}") from None
    return Parsed(builder.root or Node(None, 1), tuple(builder.twice))


def _code(character: object) -> int:
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read; `key` is the key whose value comes next."""

    node: Node
    anchor: str | None
    key: str | None = None


class _Builder:
    """Builds nodes from parser events, with a stack of its own: depth is bounded here, not by the interpreter."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._documents = 0
        self.twice: list[Twice] = []

    def take(self, event: Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._open(event, line)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            done = self._stack.pop()
            if done.anchor:
                self._anchors[done.anchor] = done.node
            self._place(done.node, line)
        elif isinstance(event, AliasEvent):
            self._alias(str(event.anchor), line)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise NotYaml(line, "a second YAML document; one is expected")

    def _scalar(self, event: ScalarEvent, line: int) -> None:
        plain = event.implicit[0]
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.node.value, dict) and top.key is None:
            self._key(top, event.value, line, plain)
            return
        _refuse_tag(event.tag, line)
        value = resolve_plain(event.value) if plain and event.tag is None else event.value
        node = Node(value, line, event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._place(node, line)

    def _key(self, top: _Open, text: str, line: int, plain: bool) -> None:
        if text == "<<" and plain:
            raise NotYaml(line, "merge keys (<<) are not taken; write the values out")
        if text in top.node.keys:
            path = (*(level.key for level in self._stack if level.key is not None), text)
            self.twice.append(Twice(path, line, top.node.keys[text]))
        top.key = text
        top.node.keys[text] = line

    def _open(self, event: MappingStartEvent | SequenceStartEvent, line: int) -> None:
        _refuse_tag(event.tag, line)
        if self._stack and isinstance(self._stack[-1].node.value, dict) and self._stack[-1].key is None:
            raise NotYaml(line, "a key that is not a plain text")
        if len(self._stack) >= MAX_DEPTH:
            raise NotYaml(line, f"nested more than {MAX_DEPTH} levels deep")
        if event.anchor:
            self._anchors[event.anchor] = None
        empty: dict[str, Node] | list[Node] = {} if isinstance(event, MappingStartEvent) else []
        self._stack.append(_Open(Node(empty, line), event.anchor))

    def _alias(self, anchor: str, line: int) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.node.value, dict) and top.key is None:
            raise NotYaml(line, "a key that is not a plain text")
        node = self._anchors.get(anchor)
        if node is None:
            raise NotYaml(line, f"the alias *{anchor} stands before its anchor is complete")
        self._place(node, line)

    def _place(self, node: Node, line: int) -> None:
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        top.node.size += node.size
        if top.node.size > MAX_NODES:
            raise NotYaml(line, f"more than {MAX_NODES} values, its aliases written out")
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict) and top.key is not None:
            top.node.value[top.key] = node
            top.key = None


def _refuse_tag(tag: str | None, line: int) -> None:
    if tag is not None and tag != "!" and tag not in _TAGS:
        raise NotYaml(line, f"the tag {tag} is not taken")
