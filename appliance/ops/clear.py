"""`clear`: forget what the kernel remembers."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.ops.operation import Answer, Node, Operation, Table, columns
from appliance.schema.types import Role


def clear_conntrack(node: Node, words: Mapping[str, str]) -> Answer:
    """Forget all tracked flows: established connections are judged anew."""
    count = node.inspect.flush_flows()
    return Answer((Table("Flows forgotten", columns(flows="Flows"), ({"flows": count},)),))


OPERATIONS = (
    Operation(("clear", "conntrack"), "Forget all tracked flows", clear_conntrack, role=Role.OPERATE, changes=True),
)
