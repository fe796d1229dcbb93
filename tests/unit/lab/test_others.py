"""Nodes that are not ours: what the Kiwis and the office are configured to do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from appliance.lab import seeds
from appliance.lab.kiwi import render_keepalived
from appliance.lab.office import connections_to_office, render_swanctl
from appliance.lab.seeds import Seeded
from appliance.lab.topology import Topology, build_topology


@pytest.fixture(scope="module")
def acme() -> Seeded:
    return seeds.load(seeds.ACME)


@pytest.fixture(scope="module")
def topology(acme: Seeded) -> Topology:
    return build_topology(acme.config)


@pytest.mark.parametrize(("node", "other", "priority"), [("kiwi-1", "kiwi-2", 200), ("kiwi-2", "kiwi-1", 100)])
def test_kiwis_hold_every_sides_next_hop_together(topology: Topology, node: str, other: str, priority: int) -> None:
    text = render_keepalived(topology, topology.nodes[node], topology.nodes[other])
    assert text.count(f"priority {priority}") == 3
    for address in ("4.5.6.60/26", "10.50.201.1/24", "198.51.100.1/24", "5.6.7.1/24"):
        assert f"    {address}\n" in text


def test_keepalived_accepts_the_kiwis_configuration(topology: Topology, tmp_path: Path) -> None:
    assert shutil.which("keepalived"), "keepalived is not installed"
    conf = tmp_path / "keepalived.conf"
    conf.write_text(render_keepalived(topology, topology.nodes["kiwi-1"], topology.nodes["kiwi-2"]))
    done = subprocess.run(["keepalived", "-t", "-f", str(conf)], capture_output=True, text=True, check=False)
    unknown = [line for line in done.stderr.splitlines() if "doesn't exist" not in line and "WARNING" not in line]
    assert "Unknown keyword" not in done.stderr, unknown


def test_the_office_speaks_to_the_vip_of_the_zone_that_owns_the_tunnel(acme: Seeded) -> None:
    assert list(connections_to_office(acme)) == ["ACME Office"]
    text = render_swanctl(acme)
    assert "remote_addrs = 4.5.6.10\n" in text
    assert "proposals = aes256-sha512-modp2048\n" in text
    assert "local_ts = 172.16.1.0/24\n" in text
    assert "remote_ts = 10.50.201.0/24\n" in text


def test_no_character_of_a_secret_reaches_the_offices_parser(acme: Seeded) -> None:
    secret = acme.config.ipsec["ACME Office"].pre_shared_key
    assert secret is not None
    text = render_swanctl(acme)
    assert secret.reveal() not in text
    assert f"secret = 0x{secret.reveal().encode().hex()}\n" in text


@pytest.mark.parametrize(
    ("encryption", "group", "ike", "esp"),
    [
        ("AES256GCM16", 31, "aes256gcm16-prfsha512-curve25519", "aes256gcm16-curve25519"),
        ("CAMELLIA128", 19, "camellia128-sha512-ecp256", "camellia128-sha512-ecp256"),
        ("CHACHA20POLY1305", 15, "chacha20poly1305-prfsha512-modp3072", "chacha20poly1305-modp3072"),
    ],
)
def test_the_office_spells_algorithms_as_strongswan_does(
    tmp_path: Path, encryption: str, group: int, ike: str, esp: str
) -> None:
    document = yaml.safe_load(seeds.ACME.read_text(encoding="utf-8"))
    for phase in ("phase1", "phase2"):
        document["kawaii"]["ipsec"][0][f"{phase}_encryption_algorithm"] = encryption
        document["kawaii"]["ipsec"][0][f"{phase}_dh_group_number"] = group
    file = tmp_path / "acme.yaml"
    file.write_text(yaml.safe_dump(document))
    text = render_swanctl(seeds.load(file))
    assert f"    proposals = {ike}\n" in text
    assert f"esp_proposals = {esp}\n" in text
