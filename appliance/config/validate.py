"""From a tree to the typed configuration: judged as a whole, but only what changed is judged again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from appliance.config.tree import Tree
from appliance.schema.checks import run_checks
from appliance.schema.checks.check import Verdicts
from appliance.schema.problem import InvalidConfig, Path, Problem, Severity
from appliance.schema.refusal import problems_of
from appliance.schema.root import Config
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

    Sections, and entries of keyed sections, that are the same object in `previous` (an accepted canonical tree) are
    taken over unjudged.  Raises `InvalidConfig` with all problems at once.
    """
    if isinstance(previous, tuple):
        previous = Checked(*previous)
    try:
        advance = _advance(tree, previous) if previous else _judge(tree)
    except ValidationError as error:
        problems = problems_of(error)
        raise InvalidConfig([*problems, *_problems_elsewhere(tree, problems)]) from None
    canonical, config = advance
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
    tree: Tree = _canonical(root_shape(), config)
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


# -- typed form and canonical tree ---------------------------------------------------------------------------------


def _judge(tree: Tree) -> tuple[Tree, Config]:
    config = Config.model_validate(tree)
    return _canonical(root_shape(), config), config


def _advance(tree: Tree, previous: Checked) -> tuple[Tree, Config]:
    """Judge only what is another object than before, and put it together with the rest."""
    if tree is previous.tree:
        return previous.tree, previous.config
    changed = {name: _changed(name, part, previous) for name, part in tree.items() if _differs(name, part, previous)}
    judged = Config.model_validate(changed)
    canonical: Tree = {}
    values: dict[str, Any] = {}
    for name, attribute in root_shape().attributes.items():
        if name not in tree:
            values[name] = getattr(previous.config, name) if name not in previous.tree else getattr(Config(), name)
            continue
        if name not in changed:
            values[name], canonical[name] = getattr(previous.config, name), previous.tree[name]
            continue
        value = getattr(judged, name)
        spelled = {} if value is None else _canonical(attribute.shape, value)
        if isinstance(attribute.shape, Keyed) and isinstance(previous.tree.get(name), dict):
            known = (getattr(previous.config, name), previous.tree[name])
            value, spelled = _joined(attribute.shape, tree[name], known, (value, spelled))
            if len(spelled) != len(tree[name]):
                # Two spellings of one key: judged together, they are refused.
                Config.model_validate({name: tree[name]})
        values[name] = value
        if spelled != {}:
            canonical[name] = spelled
    return canonical, Config.model_construct(set(canonical), **values)


def _differs(name: str, part: Any, previous: Checked) -> bool:
    return name not in previous.tree or previous.tree[name] is not part


def _changed(name: str, part: Any, previous: Checked) -> Any:
    """Give what must be judged of a changed section: of a keyed one, the entries that are other objects."""
    known = previous.tree.get(name)
    attribute = root_shape().attributes.get(name)
    if attribute is None or not isinstance(attribute.shape, Keyed):
        return part
    if not isinstance(part, dict) or not isinstance(known, dict):
        return part
    return {word: child for word, child in part.items() if known.get(word) is not child}


def _joined(
    shape: Keyed, part: Tree, known: tuple[Mapping[Any, Any], Tree], judged: tuple[Mapping[Any, Any], Tree]
) -> tuple[Mapping[Any, Any], Tree]:
    """Put judged entries in their places among those taken over; all as (typed, canonical)."""
    entries: dict[Any, Any] = dict(known[0])
    words: Tree = dict(known[1])
    for word in known[1].keys() - part.keys():
        del words[word], entries[shape.key_leaf.parse(word)]
    entries.update(judged[0])
    words.update(judged[1])
    if shape.key.numbered and len(words) != len(known[1]):
        entries = dict(sorted(entries.items()))
        words = dict(sorted(words.items(), key=lambda item: int(item[0])))
    return entries, words


def _canonical(shape: Shape, value: Any) -> Any:
    """Spell a typed value as its tree; sections without content are left out, entries never."""
    if isinstance(shape, Leaf):
        return shape.spell(value)
    if isinstance(shape, LeafList):
        return [shape.item.spell(item) for item in value]
    if isinstance(shape, Keyed):
        spell = shape.key_leaf.spell
        return {str(spell(key)): _canonical(shape.entry, entry) for key, entry in value.items()}
    result: Tree = {}
    written = value.model_fields_set
    for name, attribute in shape.attributes.items():
        if name not in written:
            continue
        child = getattr(value, name)
        spelled = {} if child is None else _canonical(attribute.shape, child)
        if spelled != {}:
            result[name] = spelled
    return result


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
