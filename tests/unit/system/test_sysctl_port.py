"""Kernel parameters below a directory that stands in for /proc/sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.engine.errors import ApplyFailed
from appliance.system.sysctl import ProcSysctl


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("appliance.system.sysctl.ROOT", tmp_path)
    return tmp_path


def parameter(proc: Path, name: str, value: str) -> Path:
    path = proc / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value)
    return path


def test_dots_are_directories_and_slashes_are_dots(proc: Path) -> None:
    path = parameter(proc, "net/ipv4/conf/ens3.100/rp_filter", "2\n")
    sysctl = ProcSysctl()
    assert sysctl.get("net.ipv4.conf.ens3/100.rp_filter") == "2"
    sysctl.set("net.ipv4.conf.ens3/100.rp_filter", "0")
    assert path.read_text() == "0"


def test_several_values_are_parted_by_single_blanks(proc: Path) -> None:
    parameter(proc, "net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
    assert ProcSysctl().get("net.ipv4.tcp_rmem") == "4096 131072 6291456"


def test_missing_parameter_is_none_and_cannot_be_set(proc: Path) -> None:
    assert ProcSysctl().get("net.ipv4.nothing") is None
    with pytest.raises(ApplyFailed, match=r"sysctl net\.ipv4\.nothing = 1: "):
        ProcSysctl().set("net.ipv4.nothing", "1")
    assert not (proc / "net").exists()
