"""`kawaii lab`: a whole region on one machine, in network namespaces."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.lab.region import Lab

DEFAULT_NAME = "lab"
SHELL_PROMPT = r"[\u@$KAWAII_LAB/$KAWAII_NODE \W]\$ "
NOT_FOUND = 127


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `lab` and its verbs to the command line; each sets `run`, which takes the arguments."""
    lab = subparsers.add_parser("lab", help="a whole region in network namespaces", description=__doc__)
    verbs = lab.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        parser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parser.add_argument("--name", default=DEFAULT_NAME, metavar="L", help="the lab's name (default: %(default)s)")
        parser.set_defaults(run=_guarded(run), parser=parser)
        return parser

    up = verb("up", "make a lab and wait until it is ready", _up)
    up.add_argument("--zones", type=_positive, metavar="N", help="number of zones (default: as configured)")
    up.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration or user-data (default: the acme example)"
    )
    up.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds to wait (default: %(default).0f)")
    verb("down", "stop a lab and remove all of it", _down)
    status = verb("status", "show nodes, addresses, daemons and who holds the virtual addresses", _status)
    status.add_argument("--json", action="store_true", help="for machines")
    execute = verb("exec", "run a command inside a node", _exec)
    execute.usage = "kawaii lab exec [-h] [--name L] NODE -- CMD [ARG ...]"
    # One remainder for both: argparse drops a -- between two positional arguments, differently in each version.
    execute.add_argument("words", nargs=argparse.REMAINDER, metavar="NODE -- CMD", help="the node, and the command")
    shell = verb("shell", "open a shell inside a node", _shell)
    shell.add_argument("node", metavar="NODE")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"not a number of zones: {text}")
    return number


def _guarded(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Turn the lab's errors into one line and exit status 1."""

    def guarded(arguments: argparse.Namespace) -> int:
        from appliance.lab.topology import LabError

        try:
            if os.geteuid() != 0:
                raise LabError("network namespaces need root")
            return run(arguments)
        except LabError as error:
            print(f"kawaii lab: {error}", file=sys.stderr)
            return 1

    return guarded


def _attach(arguments: argparse.Namespace) -> Lab:
    from appliance.lab.region import Lab

    return Lab.attach(arguments.name)


def _up(arguments: argparse.Namespace) -> int:
    from appliance.lab.region import Lab
    from appliance.lab.seeds import ACME

    began = time.monotonic()

    def progress(line: str) -> None:
        if sys.stderr.isatty():
            print(f"{time.monotonic() - began:5.1f} s  {line}", file=sys.stderr)

    config = arguments.config or ACME
    lab = Lab(arguments.name, zones=arguments.zones, config=config, timeout=arguments.timeout, progress=progress)
    lab.up()
    print(f"lab {lab.name} is up: {', '.join(lab.topology.nodes)} ({time.monotonic() - began:.1f} s)")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    from appliance.lab.network import namespaces
    from appliance.lab.region import take_down
    from appliance.lab.state import State

    state = State.of(arguments.name)
    if not state.exists and not namespaces(arguments.name):
        print(f"kawaii lab: no lab named {arguments.name} is up", file=sys.stderr)
        return 1
    take_down(state)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    status = _attach(arguments).status()
    if arguments.json:
        print(json.dumps(status, indent=2))
    else:
        print("\n".join(_table(status)))
    return 0


def _table(status: dict[str, Any]) -> list[str]:
    lines = [f"{'zone':14} {'home':6} {'public':16} {'private':16} held by"]
    for name, zone in status["zones"].items():
        holder = zone["holder"] or "nobody as a whole"
        lines.append(f"{name:14} {zone['node']:6} {zone['public_ip']:16} {zone['private_ip']:16} {holder}")
    lines += ["", f"{'node':12} {'addresses':44} daemons"]
    for name, node in status["nodes"].items():
        daemons = " ".join(f"{daemon}({pid})" for daemon, pid in node["daemons"].items())
        lines.append(f"{name:12} {' '.join(node['addresses']):44} {daemons}".rstrip())
    return lines


def _exec(arguments: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = arguments.parser
    node, *words = arguments.words or parser.error("NODE is missing")
    if "--" in words:
        at = words.index("--")
        before, words = words[:at], words[at + 1 :]
        arguments = parser.parse_args([*before, node], argparse.Namespace(name=arguments.name))
        if arguments.words != [node]:
            parser.error(f"not before --: {' '.join(arguments.words[:-1])}")
    if not words:
        parser.error("CMD is missing")
    return _become(_attach(arguments), node, words, {})


def _shell(arguments: argparse.Namespace) -> int:
    shell = os.environ.get("SHELL", "/bin/sh")
    # bash's own start file would put its prompt over ours, which says where one is.
    plain = ["--norc"] if Path(shell).name == "bash" else []
    return _become(_attach(arguments), arguments.node, [shell, *plain], {"PS1": SHELL_PROMPT})


def _become(lab: Lab, node: str, command: list[str], more: dict[str, str]) -> int:
    """Replace this process by the command, so that its exit status and signals are its own."""
    argv, environment = lab.command(node, command), lab.environment(node)
    try:
        os.execvpe(argv[0], argv, {**environment, **more})  # noqa: S606  becoming the command is the point
    except OSError as error:
        print(f"kawaii lab: {argv[0]}: {error.strerror}", file=sys.stderr)
    return NOT_FOUND
