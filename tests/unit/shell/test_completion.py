"""Tab and `?` over the schema's whole grammar, and over ten thousand rules."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from appliance.schema.grammar import grammar
from kawaii_shell.context import Context
from kawaii_shell.cursor import WordError
from kawaii_shell.document import Document, document
from kawaii_shell.grammar import Keyed, Node, Section, parse_grammar
from kawaii_shell.listing import complete, explain
from kawaii_shell.mirror import Mirror
from kawaii_shell.names import NONE, Names
from kawaii_shell.parser import expected_at_end, parse
from kawaii_shell.screen import Page
from kawaii_shell.words import spell
from tests.unit.shell.fake_grammar import OPERATIONS

GRAMMAR = parse_grammar({"config": document(grammar()), "operational": list(OPERATIONS)})
RULES: Document = {"egress_rules": {str(number): {"ports": str(number)} for number in range(1, 10_001)}}


@dataclass
class Known:
    """A candidate, without a daemon."""

    mirror: Mirror = field(default_factory=lambda: Mirror(dict))

    def values(self, source: str) -> Names:
        return NONE

    def keys(self, path: tuple[str, ...]) -> Names:
        return self.mirror.keys(path)

    def revisions(self) -> Names:
        return Names(["1", "2"])

    def files_saved(self) -> Names:
        return NONE


CONTEXT = Context(GRAMMAR, Known(), configuring=True)
OPERATING = Context(GRAMMAR, Known())


def lines(node: Node, words: str) -> Iterator[tuple[str, Node]]:
    """Give every path of the tree as words, entries under their example's name, and the node it leads to."""
    yield words, node
    if isinstance(node, Section):
        for name, child in node.children.items():
            yield from lines(child, f"{words} {name}")
    elif isinstance(node, Keyed):
        yield from lines(node.entry, f"{words} {spell(str(node.key.example))}")


PATHS = list(lines(GRAMMAR.config, "set"))


def test_every_prefix_of_every_path_completes_to_something_with_help() -> None:
    assert len(PATHS) > 100
    for line, _ in PATHS:
        for end in range(len("set "), len(line) + 1):
            begun, expected = expected_at_end(line[:end], CONTEXT)
            offers = expected.offers().beginning(begun.text)
            assert offers.words or expected.value, line[:end]
            assert all(offers.explain(word) for word in offers.words), line[:end]
            assert expected.value is None or expected.value.help or expected.value.name, line[:end]


def test_every_place_explains_itself_with_type_limits_and_example() -> None:
    for line, node in PATHS:
        text = explain(f"{line} ", CONTEXT).text(Page(80))
        assert text.startswith("Possible completions:\n  "), line
        assert all(len(row) <= 80 for row in text.splitlines()), line
        if not isinstance(node, Section) and isinstance(node, Keyed):
            assert str(node.key.example) in text, line


def test_every_verb_and_pipe_explains_itself() -> None:
    for context, verbs in ((CONTEXT, expected_at_end("", CONTEXT)), (OPERATING, expected_at_end("", OPERATING))):
        offers = verbs[1].offers()
        assert offers.words
        for verb in offers.words:
            assert offers.explain(verb), verb
            assert "Possible completions:" in explain(f"{verb} ", context).text(Page(80))
    pipes = expected_at_end("show vip | ", OPERATING)[1].offers()
    assert set(pipes.words) == {
        "count", "except", "find", "json", "last", "match", "no-more", "save", "set", "yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("se", "set "),
        ("set ingress-r", "set ingress_rules "),
        ("set egress_policy d", "set egress_policy drop "),
        ("set ingress_rules 10 lo", "set ingress_rules 10 log "),
        ("set ingress_rules 10 log t", "set ingress_rules 10 log true "),
        ("show | no", "show | no-more "),
        ("commit ch", "commit check "),
        ("rename ingress_rules 10 t", "rename ingress_rules 10 to "),
        ("load mer", "load merge "),
        ("rollback 2", "rollback 2"),
    ],
)
def test_tab_completes(line: str, completed: str) -> None:
    assert complete(line, CONTEXT).line == completed


def test_a_wrong_word_before_the_cursor_is_named() -> None:
    with pytest.raises(WordError, match='unknown word "ingres_rules"'):
        complete("set ingres_rules 10 p", CONTEXT)


def test_ten_thousand_rules_complete_within_ten_milliseconds() -> None:
    known = Known(Mirror(lambda: RULES))
    known.keys(())  # fetched when configuration mode is entered
    context = Context(GRAMMAR, known, configuring=True)
    typed = (
        "set egress_rules ", "set egress_rules 12", "delete egress_rules 99", "delete egress_rules ",
        "set egress_rules 1 p", "show egress_rules 5", "set eg", "edit egress_rules 77", "rename egress_rules 10", "s",
    )  # fmt: skip
    took = []
    for line in typed * 40:
        began = time.thread_time()
        listing = complete(line, context).listing
        if listing:
            listing.text(Page(80))
        took.append(time.thread_time() - began)
    assert sorted(took)[len(took) * 99 // 100] < 0.010


def test_a_long_list_is_cut_and_says_so() -> None:
    context = Context(GRAMMAR, Known(Mirror(lambda: RULES)), configuring=True)
    text = explain("delete egress_rules ", context).text(Page(80))
    assert "and 9950 more" in text
    assert "ports 1" in text


def test_parsing_five_thousand_lines_takes_less_than_two_seconds() -> None:
    began = time.thread_time()
    for number in range(5000):
        parse(f"set ingress_rules {number + 1} ports {number + 1} protocol udp", CONTEXT)
    assert time.thread_time() - began < 2.0
