"""Every setting says what it is for and shows a value that is accepted; what it does not accept is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from appliance.schema.grammar import grammar, spell_value
from appliance.schema.problem import Path
from appliance.schema.shape import Attribute, Keyed, Leaf, LeafList, Part, Shape, root_shape


def attributes(shape: Shape, path: Path = ()) -> Iterator[tuple[Path, Attribute]]:
    if isinstance(shape, Part):
        for name, attribute in shape.attributes.items():
            yield (*path, name), attribute
            yield from attributes(attribute.shape, (*path, name))
    elif isinstance(shape, Keyed):
        yield from attributes(shape.entry, (*path, f"<{shape.key.name}>"))


ALL = list(attributes(root_shape()))
LEAVES = [(path, attribute) for path, attribute in ALL if isinstance(attribute.shape, Leaf | LeafList)]
KEYED = [(path, attribute) for path, attribute in ALL if isinstance(attribute.shape, Keyed)]


def names(cases: list[tuple[Path, Attribute]]) -> list[str]:
    return [" ".join(path) for path, _attribute in cases]


def accepts(leaf: Leaf, value: Any) -> bool:
    try:
        leaf.parse(value)
    except (PydanticCustomError, ValueError):
        return False
    return True


@pytest.mark.parametrize("case", ALL, ids=names(ALL))
def test_every_setting_has_its_help(case: tuple[Path, Attribute]) -> None:
    assert len(case[1].help) > 5
    assert not case[1].help.endswith(".")


@pytest.mark.parametrize("case", LEAVES, ids=names(LEAVES))
def test_every_example_is_accepted_and_is_no_default(case: tuple[Path, Attribute]) -> None:
    _path, attribute = case
    shape = attribute.shape
    assert attribute.example is not None
    examples = attribute.example if isinstance(shape, LeafList) else [attribute.example]
    leaf = shape.item if isinstance(shape, LeafList) else shape
    assert isinstance(leaf, Leaf)
    assert examples
    for example in examples:
        # What is accepted is spelled the same way when it is accepted again.
        spelled = leaf.spell(leaf.parse(example))
        assert leaf.spell(leaf.parse(spelled)) == spelled


@pytest.mark.parametrize("case", LEAVES, ids=names(LEAVES))
def test_no_setting_accepts_just_anything(case: tuple[Path, Attribute]) -> None:
    shape = case[1].shape
    leaf = shape.item if isinstance(shape, LeafList) else shape
    assert isinstance(leaf, Leaf)
    assert not accepts(leaf, {"a": 1})
    assert not accepts(leaf, "\0")


@pytest.mark.parametrize("case", LEAVES, ids=names(LEAVES))
def test_every_default_is_accepted(case: tuple[Path, Attribute]) -> None:
    _path, attribute = case
    spelled = spell_value(attribute.shape, attribute.default)
    if spelled is not None:
        leaf = attribute.shape.item if isinstance(attribute.shape, LeafList) else attribute.shape
        assert isinstance(leaf, Leaf)
        assert all(accepts(leaf, value) for value in (spelled if isinstance(spelled, list) else [spelled]))


@pytest.mark.parametrize("case", KEYED, ids=names(KEYED))
def test_every_key_has_an_example_that_is_accepted(case: tuple[Path, Attribute]) -> None:
    _path, attribute = case
    assert isinstance(attribute.shape, Keyed)
    assert accepts(attribute.shape.key_leaf, str(attribute.example))


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("children", {}).values():
        yield from nodes(child)
    if "entry" in node:
        yield from nodes(node["entry"])


def test_the_grammar_tells_of_every_node_what_the_console_needs() -> None:
    found = list(nodes(grammar()))
    assert len(found) > 150
    for node in found:
        assert node["kind"] in ("section", "list", "leaf", "leaflist")
        assert node["help"]
        if node["kind"] == "list":
            assert node["key"]["name"]
            assert node["key"]["help"]
            assert node["key"]["example"]
        if node["kind"] in ("leaf", "leaflist"):
            assert node["type"]
            assert (node["type"] == "secret") == node["secret"]


def test_the_grammar_says_what_the_schema_says() -> None:
    rule = grammar()["children"]["nat_rules"]["entry"]["children"]
    assert rule["protocol"]["enum"] == ["tcp", "udp"]
    assert rule["protocol"]["default"] == "tcp"
    assert rule["to_port"]["range"] == [1, 65535]
    assert rule["destination"]["required"] is True
    zone = grammar()["children"]["netcfg"]["children"]["zones"]
    assert zone["key"]["name"] == "zone"
    assert zone["entry"]["children"]["vrid"]["range"] == [1, 255]
