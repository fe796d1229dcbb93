"""The elements keep diskimage-builder's rules, and those that it breaks silently."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
ELEMENTS = ROOT / "elements"
PHASES = ("root", "extra-data", "pre-install", "install", "post-install", "post-root", "block-device", "pre-finalise")
PHASE_FOLDERS = {f"{phase}.d" for phase in (*PHASES, "finalise", "cleanup")}


def phase_scripts() -> list[Path]:
    """Give every file of every element that diskimage-builder is to run."""
    return [path for path in ELEMENTS.glob("*/*.d/*") if path.parent.name in PHASE_FOLDERS]


def test_dib_lint_passes() -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "ELEMENTS_DIR": "elements", "LIB_DIR": "elements"}
    done = subprocess.run(["dib-lint"], cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if "ERROR" in line)
    assert done.stdout.rstrip().endswith("PASS")


def test_every_phase_script_has_the_run_bit_or_it_is_skipped_silently() -> None:
    assert [str(path) for path in phase_scripts() if not os.access(path, os.X_OK)] == []


def test_no_phase_script_has_a_dot_in_its_name_or_it_is_skipped_silently() -> None:
    assert [str(path) for path in phase_scripts() if "." in path.name] == []


def test_no_two_elements_have_a_file_of_one_name_or_one_overwrites_the_other() -> None:
    merged = [*ELEMENTS.glob("*/*.d/*")] + [p for p in ELEMENTS.glob("*/static/**/*") if p.is_file()]
    names = Counter(str(path.relative_to(ELEMENTS)).split("/", 1)[1] for path in merged)
    assert [name for name, times in names.items() if times > 1] == []


def test_every_element_is_in_the_gateway_and_says_what_it_is_for() -> None:
    named = set((ELEMENTS / "kawaii-gateway/element-deps").read_text(encoding="ascii").split())
    present = {path.name for path in ELEMENTS.iterdir()} - {"kawaii-gateway", "kawaii-static"}
    assert named == present
    assert all(len((ELEMENTS / name / "README.rst").read_text(encoding="utf-8")) > 100 for name in present)
