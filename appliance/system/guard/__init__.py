"""keepalived's parent: it takes the virtual addresses off at once when keepalived dies or freezes (semantics S8).

``kawaii-guard --root R`` runs keepalived on ``R/run/kawaii/keepalived.conf`` as long as that file exists.  SIGHUP has
it look at the file again, SIGTERM stops both.  ``--release`` takes off what a killed guard left behind, and ends.
Only the standard library: it must start fast and have nothing to break.
"""

from __future__ import annotations

import argparse

from appliance.system.guard.release import release_left_over, say
from appliance.system.guard.status import GuardFiles
from appliance.system.guard.supervision import Guard
from appliance.system.paths import Paths


def main() -> int:
    """Run the guard; 0 when it was told to stop, 1 where another one runs."""
    parser = argparse.ArgumentParser(prog="kawaii-guard", description="Parent of keepalived.")
    parser.add_argument("--root", default="/", help="the root of the node's files")
    parser.add_argument("--release", action="store_true", help="take off addresses that nobody guards, and end")
    arguments = parser.parse_args()
    paths = Paths(arguments.root)
    files = GuardFiles(paths)
    files.prepare()
    if files.lock() is None:
        say("a guard runs here already")
        return 0 if arguments.release else 1
    if arguments.release:
        release_left_over(paths, "the guard ended")
        return 0
    return Guard(paths).run()
