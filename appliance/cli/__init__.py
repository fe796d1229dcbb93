"""`kawaii`: one tool for files, labs and the running gateway."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from appliance.schema.problem import InvalidConfig

COMMANDS = (
    "appliance.cli.files",
    "appliance.cli.render",
    "appliance.cli.remote",
    "appliance.lab.command",
)
"""Modules that add their subcommands by ``register(subparsers)``, each setting ``run(args) -> int``."""


class _Version(argparse.Action):
    """Prints the installed version; asking for it takes longer than most commands run."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> None:
        from importlib.metadata import version

        parser.exit(message=f"kawaii {version('kawaii-gateway')}\n")


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all subcommands."""
    parser = argparse.ArgumentParser(prog="kawaii", description="Kawaii gateways: files, labs and running nodes.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(name).register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand: 0 is success, 1 wrong input with its reason on stderr, 2 wrong usage."""
    args = build_parser().parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except InvalidConfig as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has had enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"kawaii: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status
