"""From a tree to the typed configuration: judged as a whole, but only what changed is judged again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from appliance.config.tree import Tree
from appliance.schema.checks import Verdicts, run_checks
from appliance.schema.problem import InvalidConfig, Path, Problem, Severity
from appliance.schema.refusal import problems_of
from appliance.schema.root import Config
from appliance.schema.section import Section
from appliance.schema.shape import Keyed, Leaf, LeafList, Part, Shape, root_shape
from appliance.schema.value import MASK


@dataclass(frozen=True, slots=True)
class Checked:
    """An accepted configuration: its canonical tree (secrets included), its typed form, its warnings."""

    tree: Tree
    config: Config
    warnings: tuple[Problem, ...] = ()
    verdicts: Verdicts = field(default_factory=dict, repr=False)


def check_tree(tree: Tree, previous: Checked | tuple[Tree, Config] | None = None) -> Checked:
    """Judge a keyed tree.

    Parts that are the same object in `previous` are taken over unjudged, their typed form and canonical tree too.
    Raises `InvalidConfig` with all problems at once.
    """
    if isinstance(previous, tuple):
        previous = Checked(*previous)
    try:
        config = Config.model_validate(_with_known(root_shape(), tree, previous))
    except ValidationError as error:
        problems = problems_of(error)
        raise InvalidConfig([*problems, *_problems_elsewhere(tree, problems)]) from None
    canonical = _canonical(root_shape(), config, tree, previous.tree if previous else None)
    verdicts = run_checks(config, previous.config if previous else None, previous.verdicts if previous else {})
    problems = [problem for verdict in verdicts.values() for problem in verdict]
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidConfig(problems)
    return Checked(canonical, config, tuple(problems), verdicts)


def validate_tree(tree: Tree, previous: Checked | tuple[Tree, Config] | None = None) -> Config:
    """Judge a keyed tree and give its typed form; raises `InvalidConfig` with all problems at once."""
    return check_tree(tree, previous).config


def dump_tree(config: Config, secrets: bool = False) -> Tree:
    """Give the canonical keyed tree of what was written; secrets are masked unless asked for."""
    tree = _canonical(root_shape(), config, None, None)
    return tree if secrets else redact(tree)


def redact(tree: Tree) -> Tree:
    """Give a tree with every secret masked."""
    masked: Tree = redact_value(tree, root_shape())
    return masked


def redact_value(value: Any, shape: Shape | None) -> Any:
    """Mask the secrets in what stands at a place of this shape; what lies outside the schema is masked whole."""
    if isinstance(value, dict) and isinstance(shape, Part):
        return {
            word: redact_value(child, shape.attributes[word].shape if word in shape.attributes else None)
            for word, child in value.items()
        }
    if isinstance(value, dict) and isinstance(shape, Keyed):
        return {word: redact_value(child, shape.entry) for word, child in value.items()} if shape.secret else value
    if shape is None or (isinstance(shape, Leaf) and shape.secret):
        return MASK
    return value


# -- reuse -------------------------------------------------------------------------------------------------------


def _with_known(shape: Shape, tree: Any, previous: Checked | None) -> Any:
    return tree if previous is None else _substitute(shape, tree, previous.tree, previous.config)


def _substitute(shape: Shape, tree: Any, known: Any, value: Any) -> Any:
    """Put the typed form in place of every section that is the same object as before; the model takes it as it is."""
    if isinstance(shape, Part):
        if tree is known and isinstance(value, Section):
            return value
        if not isinstance(tree, dict) or not isinstance(known, dict) or not isinstance(value, Section):
            return tree
        return {
            word: _substitute(shape.attributes[word].shape, child, known[word], getattr(value, word))
            if word in known and word in shape.attributes
            else child
            for word, child in tree.items()
        }
    if isinstance(shape, Keyed) and isinstance(tree, dict) and isinstance(known, dict) and isinstance(value, dict):
        return _substitute_entries(shape, tree, known, value)
    return tree


def _substitute_entries(shape: Keyed, tree: Tree, known: Tree, value: Mapping[Any, Any]) -> Tree:
    if not isinstance(shape.entry, Part) or len(known) != len(value):
        return tree
    # The canonical tree and the typed mapping hold the same entries; a rule's key differs in type only.
    typed = {str(key): entry for key, entry in value.items()}
    result: Tree = {}
    for word, child in tree.items():
        before = known.get(word)
        entry = typed.get(word)
        if before is child and entry is not None:
            result[word] = entry
        elif before is None or entry is None:
            result[word] = child
        else:
            result[word] = _substitute(shape.entry, child, before, entry)
    return result


# -- the canonical tree ------------------------------------------------------------------------------------------


def _canonical(shape: Shape, value: Any, tree: Any, known: Any) -> Any:
    """Spell a typed value as its tree, taking over what is the same object in `tree` and the tree known before."""
    if tree is not None and tree is known:
        return tree
    if isinstance(shape, Leaf):
        return shape.spell(value)
    if isinstance(shape, LeafList):
        return [shape.item.spell(item) for item in value]
    if isinstance(shape, Keyed):
        return _canonical_entries(shape, value, tree, known)
    result: Tree = {}
    for name, attribute in shape.attributes.items():
        child = getattr(value, name) if name in value.model_fields_set else None
        if child is None:
            continue
        spelled = _canonical(attribute.shape, child, _child(tree, name), _child(known, name))
        if spelled != {}:
            result[name] = spelled
    return result


def _canonical_entries(shape: Keyed, value: Mapping[Any, Any], tree: Any, known: Any) -> Tree:
    spell = shape.key_leaf.spell
    items = sorted(value.items()) if shape.key.numbered else value.items()
    result: Tree = {}
    for key, entry in items:
        word = str(spell(key))
        result[word] = _canonical(shape.entry, entry, _child(tree, word), _child(known, word))
    return result


def _child(tree: Any, word: str) -> Any:
    return tree.get(word) if isinstance(tree, dict) else None


# -- all problems at once ----------------------------------------------------------------------------------------


def _problems_elsewhere(tree: Tree, problems: list[Problem]) -> list[Problem]:
    """Run the checks over what is left of a tree without its refused entries."""
    rest, damaged = _without(tree, [problem.path for problem in problems])
    try:
        config = Config.model_validate(rest)
    except ValidationError:
        return []
    verdicts = run_checks(config, None, {}, damaged)
    return [problem for verdict in verdicts.values() for problem in verdict]


def _without(tree: Tree, paths: list[Path]) -> tuple[Tree, frozenset[str]]:
    """Take refused entries out of keyed sections, and other sections that were refused anywhere, whole."""
    rest = dict(tree)
    damaged = set()
    for path in paths:
        section = path[0] if path else ""
        attribute = root_shape().attributes.get(section)
        entries = rest.get(section)
        if attribute and isinstance(attribute.shape, Keyed) and len(path) > 1 and isinstance(entries, dict):
            rest[section] = {word: entry for word, entry in entries.items() if word != path[1]}
        else:
            rest.pop(section, None)
        damaged.add(section)
    return rest, frozenset(damaged)
