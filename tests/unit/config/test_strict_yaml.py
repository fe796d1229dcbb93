"""YAML is read by its 1.2 core schema, and nothing is guessed or dropped."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.config.document import to_plain
from appliance.config.strict_yaml import NotYaml, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("1_000", "1_000"),
        ("22:22", "22:22"),
        ("2001-12-14", "2001-12-14"),
        ("true", True),
        ("~", None),
        ("0o17", 15),
        ("017", 17),
        ("0.3", 0.3),
        (".", "."),
        ('"70000"', "70000"),
        ("!!str 70000", "70000"),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = to_plain(parse_yaml(text).root)
    assert found == value
    assert type(found) is type(value)


def test_json_characters_beyond_the_first_plane_are_joined() -> None:
    assert to_plain(parse_yaml(r'{"a": "\ud83d\ude00 \\ud83d"}').root) == {"a": "\U0001f600 \\ud83d"}


def test_every_key_and_value_has_its_line() -> None:
    root = parse_yaml("a:\n  b: 1\n  c:\n    - x\n    - y\n").root
    assert isinstance(root.value, dict)
    inner = root.value["a"]
    assert root.keys == {"a": 1}
    assert inner.keys == {"b": 2, "c": 3}
    assert isinstance(inner.value, dict)
    items = inner.value["c"].value
    assert isinstance(items, list)
    assert [item.line for item in items] == [4, 5]


def test_every_key_given_twice_is_told() -> None:
    parsed = parse_yaml("a: {b: 1, b: 2}\nc: 1\nc: 2\n")
    assert [(twice.path, twice.line, twice.first) for twice in parsed.twice] == [(("a", "b"), 1, 1), (("c",), 3, 2)]


def test_an_anchor_stands_for_its_value() -> None:
    assert to_plain(parse_yaml("a: &x {b: 1}\nc: *x\n").root) == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\n<<: {b: 1}", 2, "merge keys"),
        ("a: !!python/object:os.system x", 1, "tag"),
        ("a: &x [*x]", 1, "before its anchor"),
        ("--- 1\n--- 2", 2, "second YAML document"),
        ("? [a]\n: 1", 1, "not a plain text"),
        ("a: [1\nb: 2\n", 2, "flow sequence|expected"),
        ("a: b: c", 1, "mapping values"),
        ("a: \x07", 1, "U\\+0007"),
        ("a: " + "[" * 50 + "]" * 50, 1, "nested more than"),
        ("[" * 100_000, 1, "nested more than"),
        ("\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 9))]), 8, "more than"),
    ],
)
def test_what_is_not_taken_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(NotYaml, match=message) as refused:
        parse_yaml(text)
    assert refused.value.line == line
