"""Words, quotes and commands of a line."""

from __future__ import annotations

import itertools
import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kawaii_shell.words import commands_of, spell, words_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(TEXT, max_size=6))
def test_spelt_words_are_read_back(texts: list[str]) -> None:
    assert [word.text for word in words_of(" ".join(spell(text) for text in texts))] == texts


@given(st.lists(TEXT, max_size=6))
def test_json_strings_are_words(texts: list[str]) -> None:
    assert [word.text for word in words_of(" ".join(json.dumps(text) for text in texts))] == texts


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=20), max_size=6))
def test_shell_quoting_is_understood(texts: list[str]) -> None:
    single = ["'" + text.replace("'", "'\"'\"'") + "'" for text in texts]
    assert [word.text for word in words_of(" ".join(single))] == [shlex.split(word)[0] for word in single]


@given(st.text(max_size=60))
def test_any_text_splits_and_columns_cover_it(text: str) -> None:
    words = words_of(text)
    assert all(text[word.start : word.end].strip() for word in words)
    assert all(one.end <= two.start for one, two in itertools.pairwise(words))
    list(commands_of(text))


@given(st.lists(TEXT.filter(lambda text: "\n" not in text), min_size=1, max_size=5))
def test_a_semicolon_in_quotes_separates_nothing(texts: list[str]) -> None:
    line = ";".join("set x " + spell(text) for text in texts)
    assert [words_of(command.text)[-1].text for command in commands_of(line)] == texts


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("set  a\tb ", ["set", "a", "b"]),
        ("don't stop", ["don't", "stop"]),
        ('"a b"c', ["a bc"]),
        (r'"\u00fc \ud83d\ude00 \q"', ["ü 😀 \\q"]),
        (r"'\n'", ["\\n"]),
        ('""', [""]),
        ("a|b '|'", ["a", "|", "b", "|"]),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert [word.text for word in words_of(line)] == words


def test_comments_and_line_numbers() -> None:
    script = "# one; two\n  # three\nset a; set b # c\n\n;;\nset d"
    assert [(line.text.strip(), line.number) for line in commands_of(script)] == [
        ("set a", 3),
        ("set b # c", 3),
        ("set d", 6),
    ]
