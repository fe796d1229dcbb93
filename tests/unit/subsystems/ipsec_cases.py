"""Regions with tunnels, as small as their subject allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.subsystems.ipsec.connection import Connection, connections_of
from appliance.subsystems.view import NodeView
from tests.unit.subsystems.firewall_cases import two_zones, view_of

GOLDEN = Path(__file__).parents[2] / "golden" / "swanctl"
WILD = 'a.b "q" {x} #y } 100%\n☃'
"""A name with everything in it that means something to somebody."""
OFFICE: dict[str, Any] = {
    "pre_shared_key": 'k#9} "quoted" ünïcode',
    "remote_peer": "5.6.7.8",
    "remote_subnet": "172.16.1.0/24",
    **{f"{phase}_dh_group_number": 14 for phase in ("phase1", "phase2")},
    **{f"{phase}_integrity_algorithm": "SHA512" for phase in ("phase1", "phase2")},
    **{f"{phase}_encryption_algorithm": "AES256" for phase in ("phase1", "phase2")},
}


def office(**settings: Any) -> dict[str, Any]:
    """Give the office's connection with other settings; None takes one away."""
    return {name: value for name, value in {**OFFICE, **settings}.items() if value is not None}


def node(zone: str = "a", /, **connections: dict[str, Any]) -> NodeView:
    """Give a gateway's view of a region of two zones with these connections."""
    return view_of(two_zones(ipsec=connections), zone)


def only(view: NodeView) -> Connection:
    """Give the one connection of a view."""
    (found,) = connections_of(view)
    return found
