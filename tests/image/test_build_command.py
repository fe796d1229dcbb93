"""build.sh says what it does, refuses what it does not know, and does nothing twice."""

import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run build.sh."""
    return subprocess.run([ROOT / "build.sh", *arguments], check=False, capture_output=True, text=True, timeout=240)


def test_help_names_every_command() -> None:
    done = build("--help")
    assert done.returncode == 0
    for command in ("image", "env", "run", "stop", "lab", "test", "clean"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("arguments", [("nonsense",), ("env", "surplus"), ("image", "surplus"), ("clean", "surplus")])
def test_wrong_usage_is_told_and_exits_2(arguments: tuple[str, ...]) -> None:
    done = build(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr


def test_env_does_nothing_when_nothing_changed() -> None:
    started = time.monotonic()
    done = build("env")
    assert done.returncode == 0, done.stderr
    assert "nothing changed" in done.stdout
    assert time.monotonic() - started < 5
