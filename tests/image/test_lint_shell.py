"""Every shell script of the repository passes shellcheck."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def shell_scripts() -> list[str]:
    """Give all files that git knows, or would take, whose first line names a shell."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    found = []
    for name in listed:
        path = ROOT / name
        if path.is_file():
            with path.open("rb") as stream:
                first = stream.readline()
            if (
                first.startswith(b"#!") and first.split(b"/")[-1].strip() in {b"sh", b"bash", b"env bash"}
            ) or b"shellcheck shell" in first:
                found.append(name)
    return sorted(found)


def test_the_build_scripts_are_among_the_scripts() -> None:
    assert {"build.sh", ".ci/run", "scripts/assemble.sh", "scripts/progress.sh"} <= set(shell_scripts())


@pytest.mark.parametrize("script", shell_scripts())
def test_shellcheck_finds_nothing(script: str) -> None:
    done = subprocess.run(["shellcheck", "-x", script], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
