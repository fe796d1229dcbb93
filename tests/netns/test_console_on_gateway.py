"""The console and the command line against a real gateway, and the kernel's word for what they did."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.lab.region import Lab

pytestmark = pytest.mark.netns

PROGRAMS = Path(sys.executable).parent


def shell(lab: Lab, commands: str) -> str:
    """Run console commands on gw-a."""
    return str(lab.exec("gw-a", [str(PROGRAMS / "kawaii-shell"), "-c", commands]).stdout)


def kawaii(lab: Lab, *words: str, check: bool = True) -> str:
    """Run the command-line tool on gw-a."""
    return str(lab.exec("gw-a", [str(PROGRAMS / "kawaii"), *words], check=check).stdout)


def is_open(lab: Lab, port: int) -> bool:
    """Whether the kernel of gw-a has a rule that names a port."""
    return f"dport {port}" in str(lab.exec("gw-a", ["nft", "list", "chain", "inet", "kawaii", "ingress"]).stdout)


def test_a_commit_to_be_confirmed_goes_away_by_itself(whole: Lab) -> None:
    said = shell(whole, "configure; set ingress_rules 20 ports 9443; compare; commit confirmed 3s; exit")
    assert "+ ingress_rules 20 ports 9443" in said
    assert is_open(whole, 9443)
    whole.wait_for(lambda: not is_open(whole, 9443), 10, "the unconfirmed rule to go")
    assert "was not confirmed: back to" in shell(whole, "show system commit")


def test_a_confirmed_commit_stays_and_a_rollback_takes_it_away(whole: Lab) -> None:
    shell(whole, "configure; set ingress_rules 20 ports 9443; commit confirmed 60s; confirm; exit")
    assert is_open(whole, 9443)
    before = json.loads(kawaii(whole, "show", "system", "commit", "--json"))["rows"][1]["revision"]
    shell(whole, f"configure; rollback {before}; commit; exit")
    assert not is_open(whole, 9443)


def test_show_answers_from_kernel_and_daemons(whole: Lab) -> None:
    whole.exec("gw-a", ["ip", "address", "add", "192.0.2.99/32", "dev", "ens3"])
    try:
        assert "192.0.2.99/32" in kawaii(whole, "show", "interfaces")
    finally:
        whole.exec("gw-a", ["ip", "address", "del", "192.0.2.99/32", "dev", "ens3"])
    pairs = json.loads(kawaii(whole, "show", "vip", "--json"))["rows"]
    assert [(pair["zone"], pair["state"], pair["held"]) for pair in pairs] == [
        ("eu-west-a", "MASTER", "yes"),
        ("eu-west-b", "BACKUP", "no"),
    ]
    routes = json.loads(kawaii(whole, "show", "route", "--json"))["rows"]
    assert any("4.5.6.62 ens3 weight 2" in route["next_hops"] for route in routes)


def test_a_rule_removed_by_hand_is_shown_missing_and_as_drift(whole: Lab) -> None:
    whole.exec("gw-a", ["nft", "flush", "chain", "inet", "kawaii", "ingress"])
    try:
        assert "firewall" in kawaii(whole, "show", "drift")
    finally:
        whole.daemon("gw-a", "kawaiid", "restart")
    assert json.loads(kawaii(whole, "show", "drift", "--json"))["rows"] == []


def test_the_command_line_commits_a_part_and_checks_a_whole(whole: Lab, tmp_path: Path) -> None:
    part = tmp_path / "part.yaml"
    part.write_text('ingress_rules:\n  30: {ports: "9555"}\n')
    assert "configuration check succeeds" in kawaii(whole, "commit", str(part), "--merge", "--check")
    assert not is_open(whole, 9555)
    kawaii(whole, "commit", str(part), "--merge", "--comment", "one more")
    assert is_open(whole, 9555)
    whole_file = whole.root("gw-a") / "var/lib/cloud/seed/nocloud/user-data"
    kawaii(whole, "commit", str(whole_file))
    assert not is_open(whole, 9555)


def test_a_bad_file_is_refused_with_its_lines_and_nothing_changes(whole: Lab, tmp_path: Path) -> None:
    before = kawaii(whole, "show", "system", "commit")
    bad = tmp_path / "bad.yaml"
    bad.write_text('ingress_rules:\n  - {ports: "70000"}\negress_policy: maybe\n')
    result = whole.exec("gw-a", [str(PROGRAMS / "kawaii"), "commit", str(bad)], check=False)
    assert result.returncode == 1
    assert f'{bad}:2: ingress_rules 10 ports: not a port (got "70000", expected 1-65535)' in result.stderr
    assert f"{bad}:3: egress_policy" in result.stderr
    assert kawaii(whole, "show", "system", "commit") == before


def test_a_commit_of_one_rule_is_one_step(whole: Lab, record_property: Callable[[str, object], None]) -> None:
    began = time.monotonic()
    said = shell(whole, "configure; set ingress_rules 40 ports 9666; commit; delete ingress_rules 40; commit; exit")
    record_property("measured", f"two commits from the console: {(time.monotonic() - began) * 1000:.0f} ms")
    assert said.count("(1 step, impact: none)") == 2
