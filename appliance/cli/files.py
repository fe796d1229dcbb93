"""`kawaii check`, `convert` and `schema`: configurations as files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.config.load import FileProblem

FILE_HELP = "a configuration (YAML or JSON) or user-data (cloud-config or MIME)"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    check = subparsers.add_parser("check", help="tell whether files are valid, with all problems at once")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help=FILE_HELP)
    check.add_argument("--json", action="store_true", help="print one JSON document")
    check.set_defaults(run=run_check)

    convert = subparsers.add_parser("convert", help="print the canonical configuration")
    convert.add_argument("file", type=Path, metavar="FILE", help=FILE_HELP)
    convert.add_argument("--to", choices=("yaml", "json", "set"), default="yaml", help="yaml (default), json or set")
    convert.add_argument("--secrets", action="store_true", help="print secrets instead of masking them")
    convert.set_defaults(run=run_convert)

    schema = subparsers.add_parser("schema", help="print the JSON Schema or the reference manual")
    schema.add_argument("--format", choices=("json", "markdown"), default="json", help="json (default) or markdown")
    schema.set_defaults(run=run_schema)


def run_check(args: argparse.Namespace) -> int:
    """Judge each file; problems and warnings go to stderr, one a line, with ``--json`` all to stdout."""
    reports = [_judge(file) for file in args.files]
    if args.json:
        print(json.dumps([_as_data(file, *report) for file, report in zip(args.files, reports, strict=True)], indent=2))
    else:
        for file, (valid, problems) in zip(args.files, reports, strict=True):
            for problem in problems:
                print(problem.text(), file=sys.stderr)
            if valid:
                print(f"{file}: valid")
    return 0 if all(valid for valid, _problems in reports) else 1


def _judge(file: Path) -> tuple[bool, tuple[FileProblem, ...]]:
    from appliance.config.load import FileProblem, InvalidFile
    from appliance.schema.problem import Problem
    from appliance.sources.userdata import load_file

    try:
        return True, load_file(file).warnings
    except InvalidFile as error:
        return False, error.located
    except OSError as error:
        return False, (FileProblem(str(file), 0, Problem((), error.strerror or str(error))),)


def _as_data(file: Path, valid: bool, problems: tuple[FileProblem, ...]) -> dict[str, Any]:
    listed = [
        {
            "line": item.line or None,
            "path": list(item.problem.path),
            "severity": str(item.problem.severity),
            "message": item.problem.message,
            "got": item.problem.found,
            "expected": item.problem.accepted,
        }
        for item in problems
    ]
    return {"file": str(file), "valid": valid, "problems": listed}


def run_convert(args: argparse.Namespace) -> int:
    """Print the canonical configuration."""
    from appliance.config.commands import to_set_commands
    from appliance.config.emit import to_json, to_yaml
    from appliance.config.validate import redact
    from appliance.sources.userdata import load_file

    tree = load_file(args.file).tree
    shown = tree if args.secrets else redact(tree)
    if args.to == "set":
        text = "".join(f"{line}\n" for line in to_set_commands(shown))
    else:
        text = to_json(shown) if args.to == "json" else to_yaml(shown)
    sys.stdout.write(text)
    return 0


def run_schema(args: argparse.Namespace) -> int:
    """Print the schema."""
    from appliance.schema.export import json_schema, reference_manual

    if args.format == "markdown":
        print(reference_manual())
    else:
        print(json.dumps(json_schema(), indent=2))
    return 0
