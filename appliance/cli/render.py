"""`kawaii render`: what a commit would hand to the kernel or a daemon; touches nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

PARTS = {
    "nft": "firewall",
    "keepalived": "vips",
    "swanctl": "ipsec",
    "conntrackd": "state_sync",
    "routes": "routes",
    "sysctl": "sysctl",
}
"""Parts by the subsystem that renders them."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    render = subparsers.add_parser("render", help="print what a commit would hand to the kernel or a daemon")
    render.add_argument("file", type=Path, metavar="FILE", help="a configuration or user-data file")
    render.add_argument("--zone", metavar="ZONE", help="the node's zone, where the file does not tell")
    render.add_argument("--part", choices=tuple(PARTS), required=True, help="which part to print")
    render.set_defaults(run=run_render)


def run_render(args: argparse.Namespace) -> int:
    """Print one part as text."""
    from appliance.sources.userdata import load_file
    from appliance.subsystems.registry import SUBSYSTEMS
    from appliance.subsystems.view import NodeFacts, build_view

    view = build_view(load_file(args.file).config, NodeFacts(zone=args.zone))
    subsystem = next(item for item in SUBSYSTEMS if item.name == PARTS[args.part])
    text = subsystem.text(subsystem.render(view))
    sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")
    return 0
