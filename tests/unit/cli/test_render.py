"""`kawaii render`: each part of the examples, as text, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.cli import main
from appliance.cli.render import PARTS

EXAMPLES = Path(__file__).parents[3] / "cloud-init" / "examples"
ACME = EXAMPLES / "acme-user-data.yaml"


def render(part: str, capsys: pytest.CaptureFixture[str], zone: str = "eu-west-a") -> str:
    assert main(["render", str(ACME), "--zone", zone, "--part", part]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_text_and_the_same_every_time(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = render(part, capsys)
    assert text.endswith("\n")
    assert text == render(part, capsys)
    assert "acme and marvelous agree" not in text


def test_the_firewall_has_the_examples_rules(capsys: pytest.CaptureFixture[str]) -> None:
    text = render("nft", capsys)
    assert "8443" in text
    assert "10.50.201.20" in text


def test_the_zone_makes_the_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("keepalived", capsys) != render("keepalived", capsys, "eu-west-b")


def test_a_zone_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(ACME), "--zone", "eu-west-z", "--part", "nft"]) == 1
    assert "system zone: the node's zone is not in netcfg zones" in capsys.readouterr().err
