"""All operational commands by their words."""

from __future__ import annotations

from appliance.ops import clear, firewall, ipsec, nexthops, peering, show
from appliance.ops.operation import Operation

OPERATIONS: dict[tuple[str, ...], Operation] = {
    operation.words: operation
    for operation in (
        *show.OPERATIONS,
        *firewall.OPERATIONS,
        *nexthops.OPERATIONS,
        *peering.OPERATIONS,
        *ipsec.OPERATIONS,
        *clear.OPERATIONS,
    )
}


def describe() -> list[dict[str, object]]:
    """Give the commands' signatures as the console's grammar wants them."""
    return [
        {
            "words": list(operation.words),
            "help": operation.help,
            "role": str(operation.role),
            "method": "POST" if operation.changes else "GET",
            "args": [
                {"name": a.name, "help": a.help, "values": a.values, "optional": a.optional}
                for a in operation.arguments
            ],
        }
        for operation in OPERATIONS.values()
    ]
