"""One gateway booted from the image with the acme seed: it closes, seeds, holds its pair, and carries packets."""

import json

import pytest

from tests.image.conftest import Region, Serve

pytestmark = [pytest.mark.vm, pytest.mark.xdist_group("vm"), pytest.mark.timeout(700)]


def test_cloud_init_is_done_and_not_degraded(region: Region) -> None:
    status = json.loads(region.inside.run("cloud-init status --wait --format json").stdout)
    assert (status["status"], status["extended_status"], status["errors"]) == ("done", "done", [])
    assert status["recoverable_errors"] == {}


def test_no_unit_failed(region: Region) -> None:
    assert region.inside.run("systemctl --failed --plain --no-legend").stdout == ""


@pytest.mark.parametrize(
    "unit", ["kawaii-closed", "kawaii-seed", "kawaiid", "kawaii-vrrp", "strongswan", "ssh", "chrony"]
)
def test_unit_is_active(region: Region, unit: str) -> None:
    assert region.inside.service(unit).is_running


def test_the_ruleset_is_closed_before_anything_can_bring_a_nic_up(region: Region) -> None:
    def microseconds(unit: str, when: str) -> int:
        return int(region.inside.check_output(f"systemctl show -P {when} {unit}"))

    closed = microseconds("kawaii-closed.service", "ExecMainExitTimestampMonotonic")
    assert closed > 0
    for unit in ("systemd-udev-trigger", "kawaiid", "kawaii-vrrp"):
        assert closed < microseconds(f"{unit}.service", "ExecMainStartTimestampMonotonic"), unit
    assert closed < microseconds("network-pre.target", "ActiveEnterTimestampMonotonic")


def test_the_nics_have_the_names_of_the_seed(region: Region) -> None:
    listed = json.loads(region.inside.check_output("ip -j link"))
    assert {f"ens{slot}" for slot in range(3, 7)} <= {link["ifname"] for link in listed}


def test_the_state_partition_has_grown_to_the_disk(region: Region) -> None:
    size = int(region.inside.check_output("findmnt -n -b -o SIZE /var/lib/kawaii"))
    assert size > 1.5 * 2**30


def test_the_root_is_slot_a(region: Region) -> None:
    assert region.inside.check_output("findmnt -n -o LABEL /") == "kawaii-a"


def test_sshd_takes_keys_of_operators_only(region: Region) -> None:
    settings = set(region.inside.check_output("sshd -T").lower().splitlines())
    assert {"permitrootlogin no", "passwordauthentication no", "kbdinteractiveauthentication no"} <= settings
    assert {"allowtcpforwarding no", "x11forwarding no"} <= settings


def test_only_ssh_listens_on_tcp(region: Region) -> None:
    lines = region.inside.check_output("ss -H -l -t -n").splitlines()
    assert {line.split()[3].rsplit(":", 1)[1] for line in lines} <= {"22", "0"}


def test_the_seed_was_committed(holding: Region) -> None:
    issue = holding.inside.file("/run/kawaii/issue").content_string
    assert "acme" in issue
    assert "CLOSED" not in issue


def test_the_gateway_holds_its_vip_pair(holding: Region) -> None:
    links = json.loads(holding.inside.check_output("ip -j -4 address"))
    held = {link["ifname"]: {address["local"] for address in link["addr_info"]} for link in links}
    assert "4.5.6.10" in held["ens3"]
    assert "10.50.201.252" in held["ens4"]


def test_it_forwards_once_the_rules_are_loaded(holding: Region) -> None:
    assert holding.inside.sysctl("net.ipv4.ip_forward") == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("show vip", "10.50.201.252"),
        ("show firewall", "8443"),
        ("show route", "4.5.6.62"),
        ("show configuration", "nat_rules"),
    ],
)
def test_the_console_answers_over_ssh(holding: Region, command: str, expected: str) -> None:
    done = holding.console(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout


def test_a_packet_from_an_instance_leaves_with_the_zone_s_public_address(holding: Region, serve: Serve) -> None:
    serve("internet", "198.51.100.10", 8080)
    assert holding.reaches("inst-a", "198.51.100.10", 8080) == "4.5.6.10"


def test_a_packet_to_the_public_address_reaches_the_instance(holding: Region, serve: Serve) -> None:
    serve("inst-a", "10.50.201.20", 443)
    assert holding.reaches("internet", "4.5.6.10", 443) == "10.50.201.252"


def test_a_port_without_a_rule_is_closed(holding: Region, serve: Serve) -> None:
    serve("inst-a", "10.50.201.20", 22)
    assert holding.reaches("internet", "4.5.6.10", 22, timeout=3) is None


def test_mail_does_not_leave(holding: Region, serve: Serve) -> None:
    serve("internet", "198.51.100.10", 25)
    assert holding.reaches("inst-a", "198.51.100.10", 25, timeout=3) is None
