"""`kawaii show` and `kawaii commit`: what the console does, for scripts, against the running daemon."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

DEFAULT_API = "/run/kawaii/api.sock"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    show = subparsers.add_parser("show", help="ask the running gateway, as the console's `show` does")
    show.add_argument("words", nargs="+", metavar="WORD", help="what to show, as: vip, firewall, route, configuration")
    show.add_argument("--json", action="store_true", help="print JSON")
    _add_api(show)
    show.set_defaults(run=run_show)
    commit = subparsers.add_parser("commit", help="make a file the running configuration")
    commit.add_argument("file", type=Path, metavar="FILE", help="a configuration or user-data file; - reads stdin")
    commit.add_argument("--merge", action="store_true", help="lay the file over what runs, do not replace it")
    commit.add_argument("--check", action="store_true", help="print the plan, touch nothing")
    commit.add_argument(
        "--confirmed", metavar="N", type=parse_window, help="go back in N minutes (or 30s) unless confirmed"
    )
    commit.add_argument("--comment", metavar="TEXT", help="what the change is for")
    commit.add_argument("--json", action="store_true", help="print JSON")
    _add_api(commit)
    commit.set_defaults(run=run_commit)


def _add_api(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("KAWAII_API", DEFAULT_API)
    parser.add_argument("--api", metavar="PATH", default=default, help=f"the daemon's socket (default {default})")


def parse_window(text: str) -> int:
    """Parse the time to confirm in: minutes, or with a unit ``30s``, ``5m``, ``1h``; gives seconds."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smh]?)", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected minutes, or as 30s")
    return int(match[1]) * {"": 60, "s": 1, "m": 60, "h": 3600}[match[2]]


def run_show(args: argparse.Namespace) -> int:
    """Run a `show` command through the console's own code."""
    from kawaii_shell.main import main as shell

    line = " ".join(["show", *(json.dumps(word) if re.search(r"[\s;|\"']", word) else word for word in args.words)])
    options = ["--api", args.api, *(["--json"] if args.json else []), "-c", line]
    return shell(options)


def run_commit(args: argparse.Namespace) -> int:
    """Commit a file: judged here first, so that problems are named with their lines."""
    from kawaii_shell.client import Client, Refused, Unreachable

    name = "<stdin>" if str(args.file) == "-" else str(args.file)
    data = sys.stdin.buffer.read() if str(args.file) == "-" else args.file.read_bytes()
    request: dict[str, Any] = {
        "text": _text(data, name, merge=args.merge),
        "name": name,
        "merge": args.merge,
        "check": args.check,
        "comment": args.comment,
        "confirmed_seconds": args.confirmed,
    }
    client = Client(args.api)
    try:
        answer = client.post("/v1/commit", request)
    except (Refused, Unreachable) as error:
        print(f"kawaii: {error}", file=sys.stderr)
        for problem in getattr(error, "problems", ()):
            print(problem.text, file=sys.stderr)
        detail = getattr(error, "detail", "")
        if detail:
            print(detail, file=sys.stderr)
        return 1
    finally:
        client.close()
    print(json.dumps(answer, indent=2) if args.json else _spell(answer, check=args.check))
    return 0


def _text(data: bytes, name: str, *, merge: bool) -> str:
    """Give the configuration a file holds; a part to be merged is judged by the daemon, with what it is laid over."""
    from appliance.config.emit import to_yaml
    from appliance.sources.userdata import load_user_data

    if merge:
        return data.decode("utf-8")
    return to_yaml(load_user_data(data, name).tree)


def _spell(answer: Any, *, check: bool) -> str:
    lines = [f"warning: {warning['text']}" for warning in answer["warnings"]]
    if answer["not_applied"]:
        lines.append(f"not applied yet by this version: {', '.join(answer['not_applied'])}")
    steps = f"{len(answer['plan'])} step{'' if len(answer['plan']) == 1 else 's'}, impact: {answer['impact']}"
    if check:
        lines += [f"{step['subsystem']}: {step['action']} (impact: {step['impact']})" for step in answer["plan"]]
        lines.append(f"configuration check succeeds: {steps}")
    elif answer["revision"] is None:
        lines.append("nothing to commit: the file is the running configuration")
    else:
        lines.append(f"commit complete: revision {answer['revision']} in {answer['seconds']:.2f} s ({steps})")
    if answer["confirm_seconds"] is not None:
        lines.append(f"it goes back by itself in {answer['confirm_seconds']} s, unless you confirm or commit again")
    return "\n".join(lines)
