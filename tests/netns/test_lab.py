"""A lab is what the interface promises, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.lab import network
from appliance.lab.process import Identity
from appliance.lab.region import Lab, take_down
from appliance.lab.state import State
from appliance.lab.topology import LabError
from tests.netns.conftest import lab_name
from tests.netns.node import pings

pytestmark = pytest.mark.netns

INTERNET = "198.51.100.10"
PUBLIC_HOST = "4.5.6.40"


def kawaii(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `kawaii lab`."""
    argv = [str(Path(sys.executable).with_name("kawaii")), "lab", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def bare() -> Iterator[Lab]:
    """Every node of the acme example, the gateways without their daemons."""
    with Lab(lab_name(), daemons=False) as lab:
        yield lab


def settled(lab: Lab) -> None:
    lab.wait_for(lambda: not lab.missing(), 15, "the Kiwis at home")


def test_nodes_outside_reach_each_other(bare: Lab) -> None:
    for node, host in (
        ("internet", PUBLIC_HOST),
        ("internet", "5.6.7.8"),
        ("public-host", INTERNET),
        ("office-host", "5.6.7.8"),
        ("inst-a", "10.50.201.21"),
        ("inst-a", "10.50.201.1"),
        ("kiwi-1", "10.50.201.20"),
    ):
        assert pings(bare, node, host), f"{node} does not reach {host}"


def test_nobody_outside_reaches_an_instance_past_its_gateway(bare: Lab) -> None:
    bare.exec("public-host", ["ip", "route", "replace", "10.50.201.0/24", "via", "4.5.6.62"])
    assert not pings(bare, "public-host", "10.50.201.20")
    assert not pings(bare, "internet", "10.50.201.20")


def test_gateways_nics_are_named_and_down(bare: Lab) -> None:
    for node in ("gw-a", "gw-b"):
        links = json.loads(bare.exec(node, ["ip", "-j", "link"]).stdout)
        states = {link["ifname"]: "UP" in link["flags"] for link in links}
        assert states == {"lo": True, "ens3": False, "ens4": False, "ens5": False, "ens6": False}
        assert bare.addresses(node) == []


def test_the_other_kiwi_takes_over_and_gives_back(bare: Lab) -> None:
    settled(bare)
    bare.isolate("kiwi-1")
    try:
        bare.wait_for(lambda: "10.50.201.1" in bare.addresses("kiwi-2"), 10, "10.50.201.1 on kiwi-2")
        bare.wait_for(lambda: pings(bare, "internet", PUBLIC_HOST), 10, "internet to public-host by kiwi-2")
        assert pings(bare, "inst-a", "10.50.201.1")
    finally:
        bare.isolate("kiwi-1", silent=False)
    bare.wait_for(lambda: bare.holders("10.50.201.1") == ["kiwi-1"], 15, "10.50.201.1 home on kiwi-1")
    bare.wait_for(lambda: pings(bare, "internet", PUBLIC_HOST), 10, "internet to public-host by kiwi-1")


def test_a_kiwi_without_a_link_gives_everything_away(bare: Lab) -> None:
    settled(bare)
    bare.plug("kiwi-1", "public", up=False)
    try:
        bare.wait_for(lambda: bare.holders("10.50.201.1") == ["kiwi-2"], 10, "10.50.201.1 on kiwi-2 only")
        bare.wait_for(lambda: pings(bare, "internet", PUBLIC_HOST), 10, "internet to public-host by kiwi-2")
    finally:
        bare.plug("kiwi-1", "public", up=True)
    settled(bare)


def test_a_silent_segment_keeps_its_carrier(bare: Lab) -> None:
    assert pings(bare, "inst-a", "10.50.201.21")
    bare.silence("inst-a", "private")
    try:
        link = json.loads(bare.exec("inst-a", ["ip", "-j", "link", "show", "ens3"]).stdout)[0]
        assert link["operstate"] == "UP"
        assert not pings(bare, "inst-a", "10.50.201.21")
    finally:
        bare.silence("inst-a", "private", silent=False)
    assert pings(bare, "inst-a", "10.50.201.21")


def test_status_tells_nodes_addresses_daemons_and_zones(bare: Lab) -> None:
    status = json.loads(kawaii("status", "--json", "--name", bare.name).stdout)
    assert set(status) == {"nodes", "zones"}
    assert status["zones"]["eu-west-a"] == {
        "node": "gw-a",
        "public_ip": "4.5.6.10",
        "private_ip": "10.50.201.252",
        "holder": None,
    }
    internet = status["nodes"]["internet"]
    assert internet == {"netns": f"kw-{bare.name}-internet", "addresses": [INTERNET], "daemons": {}, "api": None}
    assert status["nodes"]["gw-a"]["api"] == str(bare.api("gw-a"))
    assert status["nodes"]["kiwi-1"]["daemons"]["keepalived"] > 1


def test_a_command_runs_inside_its_node_and_its_exit_status_is_ours(bare: Lab) -> None:
    done = kawaii("exec", "--name", bare.name, "inst-a", "--", "sh", "-c", "ip -br address; echo $KAWAII_NODE; exit 3")
    assert done.returncode == 3
    assert "10.50.201.20/24" in done.stdout
    assert done.stdout.splitlines()[-1] == "inst-a"


def test_a_command_on_a_gateway_knows_its_api(bare: Lab) -> None:
    done = kawaii("exec", "--name", bare.name, "gw-b", "--", "printenv", "KAWAII_API")
    assert done.stdout.strip() == str(bare.api("gw-b"))


def test_words_after_the_dashes_are_the_commands_own(bare: Lab) -> None:
    done = kawaii("exec", "--name", bare.name, "gw-b", "--", "echo", "--name", "x", "--", "y")
    assert done.stdout.strip() == "--name x -- y"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("exec", "nobody", "--", "true"), 1, "no such node: nobody"),
        (("up", "--zones", "0"), 2, "not a number of zones"),
        (("up", "--config", "/nonexistent.yaml"), 1, "/nonexistent.yaml"),
        (("dance",), 2, "invalid choice"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(bare: Lab, words: tuple[str, ...], status: int, said: str) -> None:
    named = (words[0], "--name", bare.name, *words[1:]) if words[0] == "exec" else words
    done = kawaii(*named)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_whole_region_comes_up_by_the_command_and_goes_by_it(
    record_property: Callable[[str, object], None],
) -> None:
    name = lab_name()
    began = time.monotonic()
    up = kawaii("up", "--name", name, "--timeout", "90")
    try:
        assert (up.returncode, up.stderr) == (0, "")
        record_property("measured", f"kawaii lab up, all of acme's region: {time.monotonic() - began:.1f} s")
        status = json.loads(kawaii("status", "--json", "--name", name).stdout)
        assert {zone: found["holder"] for zone, found in status["zones"].items()} == {
            "eu-west-a": "gw-a",
            "eu-west-b": "gw-b",
        }
        for node in ("gw-a", "gw-b"):
            assert {"kawaiid", "guard", "keepalived", "charon"} <= set(status["nodes"][node]["daemons"])
        assert {"4.5.6.10", "10.50.201.11", "10.50.201.252"} <= set(status["nodes"]["gw-a"]["addresses"])
        assert {"4.5.6.11", "10.50.201.12", "10.50.201.253"} <= set(status["nodes"]["gw-b"]["addresses"])
        assert kawaii("exec", "--name", name, "internet", "--", "ping", "-c1", "5.6.7.8").returncode == 0
    finally:
        down = kawaii("down", "--name", name)
    assert (down.returncode, down.stderr) == (0, "")
    assert network.namespaces(name) == []


def test_one_and_three_zones_come_up(record_property: Callable[[str, object], None]) -> None:
    for zones in (1, 3):
        nodes = {"kiwi-1", "kiwi-2", *(f"gw-{letter}" for letter in "abc"[:zones])}
        began = time.monotonic()
        with Lab(lab_name(), zones=zones, nodes=nodes, timeout=90) as lab:
            record_property("measured", f"a lab of {zones} zones: {time.monotonic() - began:.1f} s")
            assert [zone["holder"] for zone in lab.status()["zones"].values()] == [f"gw-{c}" for c in "abc"[:zones]]


def test_a_lab_that_is_not_up_is_said_to_be_not_up() -> None:
    for verb in ("status", "down"):
        done = kawaii(verb, "--name", "nosuchlab")
        assert (done.returncode, done.stdout) == (1, "")
        assert "no lab named nosuchlab is up" in done.stderr


def test_two_labs_side_by_side_share_nothing(bare: Lab) -> None:
    with Lab(lab_name(), daemons=False, nodes={"inst-a", "public-host", "kiwi-1", "internet"}) as other:
        bare.exec("inst-a", ["ip", "address", "add", "10.50.201.99/24", "dev", "ens3"])
        assert pings(bare, "inst-b", "10.50.201.99")
        assert not pings(other, "inst-a", "10.50.201.99")
        assert pings(other, "internet", PUBLIC_HOST)
        with pytest.raises(LabError, match="is there already"):
            other.up()
    assert pings(bare, "internet", PUBLIC_HOST)


def test_down_removes_everything_after_the_supervisor_was_killed() -> None:
    lab = Lab(lab_name(), daemons=False)
    lab.up()
    supervisor = Identity.parse(lab.state.supervisor_pid.read_text())
    keepalived = Identity.of(lab.daemons()["kiwi-1"]["keepalived"])
    stray = lab.popen("internet", ["sleep", "300"])
    os.kill(supervisor.pid, signal.SIGKILL)
    done = kawaii("down", "--name", lab.name)
    assert (done.returncode, done.stderr) == (0, "")
    assert stray.wait(5) == -signal.SIGKILL
    assert not keepalived.alive()
    assert network.namespaces(lab.name) == []
    assert not lab.state.exists


def test_a_lab_that_does_not_come_up_leaves_nothing(tmp_path: Path) -> None:
    """Two Kiwis that never get through their links: the shared addresses come, the gateways' never."""
    lab = Lab(lab_name(), daemons=False, timeout=0.0)
    with pytest.raises(LabError, match="missing"):
        lab.up()
    assert network.namespaces(lab.name) == []
    assert not lab.state.exists


def test_taking_down_what_is_not_there_is_quiet() -> None:
    take_down(State.of(lab_name()))
