"""The console starts in the time its line editor takes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.shell.terminal import Terminal

pytestmark = pytest.mark.netns


def import_seconds() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import prompt_toolkit"], check=True, timeout=60)
    return time.monotonic() - began


def prompt_seconds(api: Path, home: Path) -> float:
    began = time.monotonic()
    with Terminal(api, home) as terminal:
        terminal.until(lambda: b"> " in terminal.raw or b"1>" in terminal.raw)
        return time.monotonic() - began


def test_start_to_prompt_takes_at_most_half_more_than_importing_prompt_toolkit(api: Path, tmp_path: Path) -> None:
    pairs = [(import_seconds(), prompt_seconds(api, tmp_path)) for _ in range(7)]
    imports, prompts = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    assert prompts <= 1.5 * imports, f"{prompts:.3f} s to the prompt, {imports:.3f} s for the import"


def test_a_command_does_not_pay_for_the_line_editor() -> None:
    program = "import kawaii_shell.main, sys; print([name for name in sys.modules if name.split('.')[0] in FORBIDDEN])"
    forbidden = "('prompt_toolkit', 'pydantic', 'httpx', 'appliance', 'yaml', 'starlette')"
    found = subprocess.run(
        [sys.executable, "-c", program.replace("FORBIDDEN", forbidden)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.stdout.strip() == "[]"
