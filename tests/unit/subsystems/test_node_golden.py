"""keepalived's file, routes and kernel parameters of every region, word by word; keepalived's own judgement of them.

``UPDATE_GOLDEN=1 pytest tests/unit/subsystems/test_node_golden.py`` writes them anew, for review as a diff.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from appliance.engine.step import AnySubsystem
from appliance.subsystems.routes import Routes
from appliance.subsystems.sysctl import Sysctls
from appliance.subsystems.vips import VipSubsystem
from appliance.system.guard.facts import read_facts
from tests.unit.subsystems.node_cases import REGIONS, region

GOLDEN = Path(__file__).parents[2] / "golden"
SUBJECTS: dict[str, tuple[AnySubsystem, str]] = {
    "keepalived": (VipSubsystem(), "conf"),
    "routes": (Routes(), "txt"),
    "sysctl": (Sysctls(), "conf"),
}


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_text_is_the_golden_one(subject: str, name: str) -> None:
    subsystem, suffix = SUBJECTS[subject]
    text = subsystem.text(subsystem.render(region(name)))
    golden = GOLDEN / subject / f"{name}.{suffix}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_golden_file_belongs_to_a_region(subject: str) -> None:
    assert {path.stem for path in (GOLDEN / subject).iterdir()} == set(REGIONS)


@pytest.mark.parametrize("name", REGIONS)
def test_keepalived_accepts_the_file_without_a_word(name: str, tmp_path: Path) -> None:
    artefact = VipSubsystem().render(region(name))
    assert artefact.text is not None
    file = tmp_path / "keepalived.conf"
    file.write_text(artefact.text.replace("/run/kawaii/vrrp", str(tmp_path)), encoding="utf-8")
    result = subprocess.run(["keepalived", "-t", "-f", str(file)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", REGIONS)
def test_guard_reads_the_facts_of_the_file(name: str) -> None:
    view = region(name)
    text = VipSubsystem().render(view).text
    assert text is not None
    assert max(len(line) for line in text.splitlines()) < 1000, "keepalived cuts a line at 1023 characters"
    facts = read_facts(text)
    assert [one.vrid for one in facts.instances] == [pair.vrid for pair in view.pairs]
    lines = [line.strip() for line in text.splitlines()]
    for address, device in facts.addresses:
        assert f"{address} dev {device} no_track" in lines
    assert len(facts.addresses) == sum(
        " dev " in line
        and line[0].isalnum()
        and "/" in line.split()[0]
        and line.endswith("no_track")
        and len(line.split()) == 4
        for line in lines
    )
    assert facts.advert_int == view.config.ha.advert_int
