"""kawaiid: the configuration daemon.  Seeds on first boot, owns the running configuration, serves the API."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; returns the exit status."""
    parser = argparse.ArgumentParser(prog="kawaiid", description="The configuration daemon of a Kawaii gateway.")
    parser.add_argument("--root", default="/", help="directory that holds etc, var and run (default /)")
    parser.add_argument("--netns", help="network namespace to run in, by its ip-netns(8) name")
    parser.add_argument("--verbose", action="store_true", help="log every step")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("appliance").setLevel(logging.DEBUG if options.verbose else logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if options.netns:
        from appliance.system.namespace import enter

        enter(options.netns)
    from appliance.daemon.node import run

    return run(options.root, software_version())


def software_version() -> str:
    """Give the installed software's version."""
    try:
        return version("kawaii-gateway")
    except PackageNotFoundError:
        return "development"
