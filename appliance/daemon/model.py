"""How this node's trees become artefacts: the one place where schema, view and subsystems meet."""

from __future__ import annotations

from typing import Any

from appliance.config.store import Tree
from appliance.config.validate import Checked, check_tree
from appliance.engine.gateway import Model, Valid
from appliance.engine.transaction import Artefacts
from appliance.schema.root import Config
from appliance.subsystems.coverage import not_applied
from appliance.subsystems.registry import SUBSYSTEMS
from appliance.subsystems.view import NodeFacts, build_view


def make_model(facts: NodeFacts) -> Model:
    """Make the engine's model of a node with these facts."""

    def render(config: Config) -> Artefacts:
        view = build_view(config, facts)
        artefacts: dict[str, Any] = {subsystem.name: subsystem.render(view) for subsystem in SUBSYSTEMS}
        return artefacts

    known: dict[str, Checked] = {}

    def validate(tree: Tree, previous: Valid | None) -> Valid:
        last = known.get("last")
        reusable = last if previous is not None and last is not None and last.tree is previous.tree else None
        checked = check_tree(tree, reusable)
        known["last"] = checked
        return Valid(checked.tree, checked.config, checked.warnings)

    return Model(SUBSYSTEMS, validate, render, not_applied)
