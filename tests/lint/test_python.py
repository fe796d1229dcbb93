"""The house rules that tools can hold: style, types, the direction of imports, the size of modules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("appliance", "kawaii_shell")


def run(*argv: str) -> None:
    """Run a tool of the environment; its findings are the failure's text."""
    tool = str(Path(sys.executable).parent / argv[0])
    result = subprocess.run([tool, *argv[1:]], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", ".")


def test_ruff_would_format_nothing() -> None:
    run("ruff", "format", "--check", ".")


@pytest.mark.timeout(600)
def test_mypy_finds_nothing() -> None:
    run("mypy")


def test_imports_go_one_way() -> None:
    run("lint-imports")


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_modules_have_one_subject() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_public_things_have_docstrings() -> None:
    bare = []
    for path in modules():
        tree = ast.parse(path.read_text())
        if tree.body and not ast.get_docstring(tree):
            bare.append(str(path.relative_to(ROOT)))
        bare += [
            f"{path.relative_to(ROOT)}: {node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert bare == []


def test_nothing_is_left_unfinished() -> None:
    unfinished = re.compile(r"NotImplementedError|\bTODO\b|\bFIXME\b|pytest\.skip\(|mark\.(skip|xfail)")
    here = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*modules(), *(ROOT / "tests").rglob("*.py")]
        if path != here
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if unfinished.search(line)
    ]
    assert found == []
