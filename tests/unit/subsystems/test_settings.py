"""The machine's settings: rendered word by word, set and taken back, found wrong when somebody changed them.

``UPDATE_GOLDEN=1 pytest tests/unit/subsystems/test_settings.py`` writes the golden files anew, for review as a diff.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.engine.errors import ApplyFailed, Refused
from appliance.engine.ports import Host, Machine
from appliance.schema.problem import InvalidConfig
from appliance.subsystems.coverage import not_applied
from appliance.subsystems.settings import Settings, target_of
from appliance.system.files import DurableFiles
from appliance.system.machine import FileMachine, OwnMachine
from tests.unit.subsystems.node_cases import view_of

GOLDEN = Path(__file__).parents[2] / "golden/settings"
FULL = """
system:
  project: acme
  hostname: gw-a
  domain: acme.local
  dns: [10.50.201.1, "fd00:50::1"]
  ntp: [10.50.201.1, ntp.example.org]
  timezone: Europe/Paris
  syslog: [10.5.0.9, "10.5.0.10:1514", "[fd00:50::9]:601", logs.example.org]
"""
CASES = {"empty": "{}", "full": FULL, "whole-name": "system: {hostname: gw.example.org, domain: acme.local}"}
SUBSYSTEM = Settings()


@dataclass
class MemoryMachine:
    """Settings as values; a zone is known if it stands in `zones`."""

    values: dict[str, str] = field(default_factory=dict)
    zones: frozenset[str] = frozenset({"UTC", "Europe/Paris"})

    def get(self, setting: str) -> str | None:
        return self.values.get(setting)

    def set(self, setting: str, value: str | None) -> None:
        self.values.pop(setting, None)
        if value is not None:
            self.values[setting] = value

    def has_timezone(self, name: str) -> bool:
        return name in self.zones


@dataclass
class Bench:
    """A host of which only the machine is looked at."""

    machine: Machine

    @property
    def host(self) -> Host:
        """The ports as the engine gets them."""
        return self  # type: ignore[return-value]


@pytest.fixture(params=["memory", "files"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(MemoryMachine() if request.param == "memory" else FileMachine(tmp_path, DurableFiles()))


def rendered(text: str) -> Any:
    return SUBSYSTEM.render(view_of(text, "eu-west-a"))


def value(text: str, name: str) -> str:
    found: dict[str, str] = {item.name: item.value for item in rendered(text)}
    return found[name]


@pytest.mark.parametrize("name", CASES)
def test_text_is_the_golden_one(name: str) -> None:
    text = SUBSYSTEM.text(rendered(CASES[name]))
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_nothing_of_system_is_left_out() -> None:
    assert not_applied(view_of(FULL).config) == ()


def test_what_is_set_is_read_back_and_taken_back(bench: Bench) -> None:
    empty, full = rendered("{}"), rendered(FULL)
    for step in SUBSYSTEM.plan(None, empty):
        step.apply(bench.host)
    assert SUBSYSTEM.observe(bench.host, empty) == empty
    steps = SUBSYSTEM.plan(empty, full)
    for step in (*steps, *steps):
        step.apply(bench.host)
    assert SUBSYSTEM.verify(bench.host, full) == ()
    assert SUBSYSTEM.observe(bench.host, full) == full
    for step in reversed(steps):
        step.revert(bench.host)
    assert SUBSYSTEM.verify(bench.host, empty) == ()


def test_a_setting_changed_by_hand_is_found(bench: Bench) -> None:
    full = rendered(FULL)
    for step in SUBSYSTEM.plan(None, full):
        step.apply(bench.host)
    bench.machine.set("resolver", "nameserver 192.0.2.1\n")
    bench.machine.set("timezone", "UTC")
    found = {item.where: (item.wanted, item.found) for item in SUBSYSTEM.verify(bench.host, full)}
    assert found == {
        "resolver": (
            "resolver search acme.local; nameserver 10.50.201.1; nameserver fd00:50::1",
            "resolver nameserver 192.0.2.1",
        ),
        "timezone": ("timezone Europe/Paris", "timezone UTC"),
    }


def test_one_change_is_one_step() -> None:
    steps = SUBSYSTEM.plan(rendered(FULL), rendered(FULL.replace("Europe/Paris", "UTC")))
    assert [step.action for step in steps] == ["change timezone UTC"]
    assert SUBSYSTEM.plan(rendered(FULL), rendered(FULL)) == ()
    gone = SUBSYSTEM.plan(rendered(FULL), rendered(FULL[: FULL.index("  syslog")]))
    assert [step.action.split()[:2] for step in gone] == [["remove", "syslog"]]


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "/etc/passwd", "../zoneinfo/UTC", "./UTC", "Europe", "UTC\n"])
def test_an_unknown_time_zone_is_refused_before_anything_happens(bench: Bench, zone: str) -> None:
    artefact = SUBSYSTEM.render(view_of(f"system: {{timezone: {json.dumps(zone)}}}"))
    with pytest.raises(Refused, match="no such time zone"):
        SUBSYSTEM.check(bench.host, artefact)
    SUBSYSTEM.check(bench.host, rendered(FULL))


@pytest.mark.parametrize(
    "target",
    ["", "a b", "h:0", "h:65536", "h:", ":514", "fd00::1", 'h" port="1', "h\n*.* /etc/passwd", "[::1", "h:1:2"],
)
def test_what_is_no_syslog_target_is_refused(target: str) -> None:
    with pytest.raises(InvalidConfig, match="not a syslog target"):
        target_of(target)


def test_a_host_name_longer_than_the_kernel_keeps_is_refused() -> None:
    name = ".".join(["a" * 31, "b" * 31])
    assert value(f"system: {{hostname: {name}}}", "hostname") == name
    with pytest.raises(InvalidConfig, match="at most 64"):
        rendered(f"system: {{hostname: {name}.cc}}")


def test_the_zone_is_a_link_that_libraries_follow(tmp_path: Path) -> None:
    machine = FileMachine(tmp_path, DurableFiles())
    machine.set("timezone", "Europe/Paris")
    assert (tmp_path / "etc/localtime").read_bytes().startswith(b"TZif")
    assert (tmp_path / "etc/timezone").read_text(encoding="ascii") == "Europe/Paris\n"
    (tmp_path / "etc/localtime").unlink()
    assert machine.get("timezone") is None
    machine.set("timezone", "UTC")
    assert machine.get("timezone") == "UTC"


def test_a_lab_changes_no_name_of_the_machine_it_runs_on(tmp_path: Path) -> None:
    before = os.uname().nodename
    machine = FileMachine(tmp_path, DurableFiles())
    machine.set("hostname", f"{before}-lab")
    assert (machine.get("hostname"), os.uname().nodename) == (f"{before}-lab", before)


OWN = """
import sys
from pathlib import Path
from appliance.system.files import DurableFiles
from appliance.system.machine import OwnMachine

machine = OwnMachine(Path(sys.argv[1]), DurableFiles())
machine.set("hostname", "gw-a")
Path("/proc/sys/kernel/hostname").write_text("other")
print(machine.get("hostname"))
machine.set("hostname", "gw-a")
print(machine.get("hostname"), Path("/proc/sys/kernel/hostname").read_text().strip())
"""


@pytest.mark.netns
def test_the_kernel_takes_the_name_and_one_that_it_lost_is_found(tmp_path: Path) -> None:
    argv = ["unshare", "--uts", sys.executable, "-c", OWN, str(tmp_path)]
    result = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout.splitlines() == ["None", "gw-a gw-a"]


PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
exit "$CODE"
"""


@pytest.mark.parametrize(
    ("setting", "text", "told"),
    [
        ("syslog", "action()\n", "systemctl --no-block restart rsyslog.service"),
        ("syslog", None, "systemctl --no-block stop syslog.socket rsyslog.service"),
        ("time-sources", "server 192.0.2.1 iburst\n", "chronyc reload sources"),
        ("resolver", "nameserver 192.0.2.1\n", ""),
    ],
)
def test_who_reads_a_file_is_told_and_its_refusal_fails_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, text: str | None, told: str
) -> None:
    log = tmp_path / "log"
    for name in ("systemctl", "chronyc"):
        (tmp_path / name).write_text(PROGRAM, encoding="ascii")
        (tmp_path / name).chmod(0o755)
    for name, found in (("PATH", f"{tmp_path}:{os.environ['PATH']}"), ("LOG", str(log)), ("CODE", "0")):
        monkeypatch.setenv(name, found)
    monkeypatch.setattr("appliance.system.machine.CHRONYD", tmp_path)
    machine = OwnMachine(tmp_path / "root", DurableFiles())
    machine.set(setting, text)
    assert (log.read_text(encoding="ascii").strip() if log.exists() else "") == told
    monkeypatch.setenv("CODE", "1")
    if told:
        with pytest.raises(ApplyFailed, match=told.split(maxsplit=1)[0]):
            machine.set(setting, text)
    monkeypatch.setattr("appliance.system.machine.CHRONYD", tmp_path / "absent")
    machine.set("time-sources", "")


def test_a_file_that_cannot_be_written_fails_the_step(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("no directory", encoding="ascii")
    machine = FileMachine(tmp_path, DurableFiles())
    for setting, text in (("resolver", "nameserver 192.0.2.1\n"), ("timezone", "UTC")):
        with pytest.raises(ApplyFailed, match=setting):
            machine.set(setting, text)


def test_the_node_knows_its_own_name_in_full() -> None:
    names = value(FULL, "hosts").splitlines()[2]
    assert names == "127.0.1.1 gw-a.acme.local gw-a"
