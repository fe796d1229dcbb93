"""What is written is read back: set commands, YAML, JSON, differences and merges, for any configuration."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config.commands import compare, parse_set_commands, split_words, to_change_commands, to_set_commands
from appliance.config.diff import diff, merge, patch
from appliance.config.document import read_document
from appliance.config.emit import to_json, to_yaml
from appliance.config.strict_yaml import parse_yaml
from appliance.config.tree import flatten
from appliance.config.validate import redact
from appliance.schema.problem import quote_word
from appliance.schema.refusal import shape_at
from appliance.schema.shape import Leaf

from .trees import TEXT, canonical, trees

Tree = dict[str, Any]
slow = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def read(text: str) -> Tree:
    parsed = parse_yaml(text)
    document = read_document(parsed.root)
    assert not document.problems
    assert not parsed.twice
    return canonical(document.tree)


@slow
@given(trees())
def test_set_commands_make_the_tree_again(tree: Tree) -> None:
    text = "\n".join(to_set_commands(tree))
    assert canonical(parse_set_commands(text)) == tree


@slow
@given(trees())
def test_yaml_is_read_back_to_the_same_tree(tree: Tree) -> None:
    assert read(to_yaml(tree)) == tree


@slow
@given(trees())
def test_json_is_read_back_to_the_same_tree(tree: Tree) -> None:
    assert read(to_json(tree)) == tree


@slow
@given(trees())
def test_a_canonical_tree_is_canonical(tree: Tree) -> None:
    assert canonical(tree) == tree


@slow
@given(trees(), trees())
def test_a_patch_by_the_difference_leads_to_the_other_tree(old: Tree, new: Tree) -> None:
    assert patch(old, list(diff(old, new))) == new
    assert list(diff(old, old)) == []


@slow
@given(trees(), trees())
def test_change_commands_lead_to_the_other_tree(old: Tree, new: Tree) -> None:
    text = "\n".join(to_change_commands(old, new))
    assert canonical(parse_set_commands(text, base=old)) == new


@slow
@given(trees(), trees())
def test_no_comparison_shows_a_secret(old: Tree, new: Tree) -> None:
    secrets = {
        value
        for tree in (old, new)
        for path, value in flatten(tree)
        if isinstance(shape := shape_at(path), Leaf) and shape.secret and len(value) > 6
    }
    shown = "\n".join([*compare(old, new), to_yaml(redact(new)), *to_set_commands(redact(old))])
    public = "\n".join([to_json(redact(old)), to_json(redact(new))])
    assert not [secret for secret in secrets if secret in shown and secret not in public]


@slow
@given(trees(), trees())
def test_a_merge_with_one_sided_changes_takes_them(base: Tree, changed: Tree) -> None:
    for merged in (merge(base, changed, base), merge(base, base, changed), merge(base, changed, changed)):
        assert merged.tree == changed
        assert not merged.conflicts


@slow
@given(trees(), trees(), trees())
def test_a_merge_finds_the_same_conflicts_from_either_side(base: Tree, mine: Tree, theirs: Tree) -> None:
    one, other = merge(base, mine, theirs), merge(base, theirs, mine)
    assert sorted(one.conflicts) == sorted(other.conflicts)
    if not one.conflicts:
        assert one.tree == other.tree


@given(st.lists(TEXT))
def test_quoted_words_are_split_again(words: list[str]) -> None:
    assert split_words(" ".join(map(quote_word, words))) == words
