"""The grammar that the daemon hands over: the configuration's tree and the operational commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from kawaii_shell.document import Document, Json, document, documents, number, string, strings

LIVE = {"device": "interfaces", "subnet": "subnets", "zone": "zones"}  # by type, or by name, where none is stated
RANKS = {"view": 0, "operate": 1, "configure": 2}


@dataclass(frozen=True, slots=True)
class Choice:
    """A word that may stand here, and what it means; a hidden one is accepted, not offered."""

    word: str
    help: str = ""
    hidden: bool = False


class Choices:
    """Words that may stand at one place, found by name or unique prefix, `-` and `_` alike."""

    __slots__ = ("_by_name", "all")

    def __init__(self, choices: Iterable[Choice]) -> None:
        """Index `choices`, in the order they are to be shown."""
        self.all = tuple(choices)
        self._by_name = {plain(choice.word): choice for choice in self.all}

    def exact(self, text: str) -> Choice | None:
        """Find the word spelt out in full."""
        return self._by_name.get(plain(text))

    def starting(self, text: str) -> list[Choice]:
        """Find the words that `text` begins."""
        start = plain(text)
        return [choice for name, choice in self._by_name.items() if name.startswith(start)]

    def __bool__(self) -> bool:
        """Tell whether any word may stand here."""
        return bool(self.all)


def plain(name: str) -> str:
    """Give the spelling by which two names are compared."""
    return name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Value:
    """What a word of the user's own must be: type, limits, default, an example, and where live values come from."""

    name: str
    help: str = ""
    type: str = "text"
    enum: Choices = field(default_factory=lambda: Choices(()))
    low: float | None = None
    high: float | None = None
    default: Json = None
    example: Json = None
    secret: bool = False
    live: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A setting with one value, or with many (a leaf-list)."""

    help: str
    value: Value
    many: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Named settings, lists and sections."""

    help: str
    children: Mapping[str, Node]
    choices: Choices


@dataclass(frozen=True, slots=True)
class Keyed:
    """A list whose entries are named by a word of the user's own: a rule's number, a zone, a tunnel's name."""

    help: str
    key: Value
    entry: Node


Node: TypeAlias = "Section | Keyed | Leaf"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operational command: its words, arguments, role and request; without a method the console's own."""

    words: tuple[str, ...]
    help: str
    arguments: tuple[Value, ...]
    role: str
    method: str
    hidden: bool = False


@dataclass(slots=True)
class Words:
    """The operational commands by their words: what may follow, and the command that ends here."""

    help: str = ""
    operation: Operation | None = None
    following: dict[str, Words] = field(default_factory=dict)

    def choices(self, role: str) -> Choices:
        """Give the words that may follow; what `role` may not do is hidden, for the daemon to refuse."""
        return Choices(
            Choice(word, words.help, hidden=not words.allowed(role)) for word, words in self.following.items()
        )

    def allowed(self, role: str) -> bool:
        """Tell whether anything that begins here is to be offered to `role`."""
        if self.operation and not self.operation.hidden and RANKS.get(self.operation.role, 0) <= RANKS.get(role, 0):
            return True
        return any(words.allowed(role) for words in self.following.values())


@dataclass(frozen=True, slots=True)
class Grammar:
    """All that can be said: the configuration's tree, the operational commands, the schema's version."""

    config: Section
    operational: Words
    schema_version: str = ""


def parse_grammar(source: Document) -> Grammar:
    """Read the answer of `GET /v1/grammar`; a kind of node from a later version is read as a text setting."""
    config = _parse_node("", document(source.get("config")))
    root = config if isinstance(config, Section) else Section("", {}, Choices(()))
    return Grammar(root, _parse_operations(source.get("operational")), string(source.get("schema_version")))


def _parse_node(name: str, source: Document) -> Node:
    kind, text = source.get("kind"), string(source.get("help"))
    if kind == "section":
        children = {child: _parse_node(child, document(node)) for child, node in document(source["children"]).items()}
        return Section(text, children, Choices(Choice(child, node.help) for child, node in children.items()))
    if kind == "list":
        key = document(source.get("key"))
        return Keyed(
            text, _parse_value(string(key.get("name"), "name"), key), _parse_node("", document(source["entry"]))
        )
    return Leaf(text, _parse_value(name, source), many=kind == "leaflist")


def _parse_value(name: str, source: Document) -> Value:
    limits = source.get("range")
    low, high = (number(limit) for limit in limits) if isinstance(limits, list) and len(limits) == 2 else (None, None)
    return Value(
        name=name or "value",
        help=string(source.get("help")),
        type=string(source.get("type"), "text"),
        enum=Choices(_parse_enum(source.get("enum"))),
        low=low,
        high=high,
        default=source.get("default"),
        example=source.get("example"),
        secret=source.get("secret") is True or source.get("type") == "secret",
        live=string(source.get("values")) or LIVE.get(string(source.get("type"))) or LIVE.get(name),
        optional=source.get("optional") is True,
    )


def _parse_enum(source: Json) -> list[Choice]:
    if isinstance(source, dict):
        return [Choice(word, string(text)) for word, text in source.items()]
    return [Choice(word) for word in strings(source)]


def _parse_operations(source: Json) -> Words:
    offered = [
        Operation(
            words=strings(item.get("words")),
            help=string(item.get("help")),
            arguments=tuple(_parse_value(string(each.get("name")), each) for each in documents(item.get("args"))),
            role=string(item.get("role"), "view"),
            method=string(item.get("method"), "GET"),
        )
        for item in documents(source)
    ]
    # The tree's own grammar makes `show configuration PATH`; all else the daemon offers goes before the console's own.
    offered = [operation for operation in offered if operation.words != CONFIGURATION]
    known = {operation.words for operation in offered}
    own = [operation for operation in OWN if operation.words not in known]
    root = Words()
    for operation in sorted([*offered, *own], key=lambda operation: operation.words):
        at = root
        for word in operation.words:
            at = at.following.setdefault(word, Words(help=VERBS.get(word, "") if at is root else ""))
        at.operation, at.help = operation, operation.help or at.help
    root.following.setdefault("monitor", _watched(root.following["show"])).help = VERBS["monitor"]
    return root


def _watched(shown: Words) -> Words:
    """Give the words that `show` takes again for `monitor`: what can be asked for once can be watched."""
    operation = shown.operation
    asked = operation and operation.method == "GET"
    following = {word: _watched(words) for word, words in shown.following.items()}
    kept = {word: words for word, words in following.items() if words.operation or words.following}
    return Words(shown.help, replace(operation, method=WATCH) if operation and asked else None, kept)


VERBS = {
    "show": "Show what the gateway is doing",
    "monitor": "Watch something as it changes",
    "ping": "Send ICMP echo requests",
    "traceroute": "Find the way to a host",
    "clear": "Clear counters or state",
    "reset": "Start a connection or a protocol again",
    "restart": "Restart a daemon",
    "request": "Ask for something to be done",
    "generate": "Make keys and the like",
    "test": "Ask what would happen",
}

WATCH = "WATCH"  # the method of a question that is asked again and again
CONFIGURATION = ("show", "configuration")
OWN = tuple(
    # `conf` means configure to every fingertip: confirm is understood in operational mode, not offered.
    Operation(words, text, (), role, method="", hidden=words == ("confirm",))
    for words, text, role in (
        (("configure",), "Change the configuration", "configure"),
        (("confirm",), "Keep the commit that waits to be confirmed", "configure"),
        (("exit",), "Leave the console", "view"),
        (("help",), "Explain the console, or a command", "view"),
        (("quit",), "Leave the console", "view"),
        (("show", "commits"), "Show the revisions: when, who, why", "view"),
        (CONFIGURATION, "Show the running configuration, or a part of it", "view"),
        (("status",), "Show who and where you are, and what is pending", "view"),
    )
)
