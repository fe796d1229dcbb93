"""Every subject's ruleset, word by word; what changes here changes what the kernel does.

``UPDATE_GOLDEN=1 pytest tests/unit/subsystems/test_firewall_golden.py`` writes them anew, for review as a diff.
"""

from __future__ import annotations

import os

import pytest

from appliance.subsystems.firewall.subsystem import Firewall
from tests.unit.subsystems.firewall_cases import CASES, GOLDEN, view_of


@pytest.mark.parametrize("name", CASES)
def test_ruleset_is_the_golden_one(name: str) -> None:
    tree, zone = CASES[name]
    firewall = Firewall()
    text = firewall.text(firewall.render(view_of(tree, zone)))
    golden = GOLDEN / f"{name}.nft"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.nft")} == set(CASES)
