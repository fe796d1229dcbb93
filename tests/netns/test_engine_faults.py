"""A failure at any call of any port leaves kernel, keepalived's file and store as they were: on a real kernel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.config.edit import cut, put
from appliance.config.store import Author, Store
from appliance.daemon.model import make_model
from appliance.engine.errors import ApplyFailed, EngineError, VerifyFailed
from appliance.engine.gateway import Change, Gateway
from appliance.engine.ports import Host, ServiceState
from appliance.sources.userdata import load_file
from appliance.subsystems.view import NodeFacts
from appliance.system.accounts import RecordedAccounts
from appliance.system.files import DurableFiles
from appliance.system.machine import FileMachine
from appliance.system.netlink import Rtnetlink
from appliance.system.nft import NftProgram
from appliance.system.sysctl import ProcSysctl
from tests.netns.scratch import scratch_namespace
from tests.unit.subsystems.memory_charon import MemoryCharon

pytestmark = pytest.mark.netns

EXAMPLE = Path(__file__).parents[2] / "cloud-init/examples/acme-user-data.yaml"
NICS = ("ens3", "ens4", "ens5", "ens6")
ME = Change(Author("ann"))
MUTATING = frozenset(
    {"apply", "configure", "set", "write", "put", "remove", "replace_route", "terminate"}
    | {f"{verb}_{what}" for verb in ("load", "unload") for what in ("connection", "secret")}
    | {
        f"{verb}_{what}"
        for verb in ("set", "add", "delete")
        for what in ("link", "macvlan", "address", "route", "rule")
    }
)


class MemoryVrrp:
    """keepalived's file without keepalived: what it would run, as long as its text names them."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.reloads = 0

    def check(self, text: str) -> None:
        """Every text will do."""

    def configured(self) -> str | None:
        return self.text

    def configure(self, text: str | None) -> None:
        self.text = text
        self.reloads += 1

    def service(self) -> ServiceState:
        return ServiceState(self.text is not None)

    def instances(self) -> list[dict[str, Any]]:
        lines = (self.text or "").splitlines()
        return [{"data": {"vrid": int(line.split()[1])}} for line in lines if "virtual_router_id" in line]

    def contest(self, vrid: int) -> None:
        """Nobody hears it."""

    def generation(self) -> int:
        return self.reloads


class MemorySync:
    """conntrackd's file without conntrackd."""

    def __init__(self) -> None:
        self.text: str | None = None

    def check(self, text: str) -> None:
        """Every text will do."""

    def configured(self) -> str | None:
        return self.text

    def configure(self, text: str | None) -> None:
        self.text = text

    def service(self) -> ServiceState:
        return ServiceState(self.text is not None)


class Failing:
    """A port that fails at its n-th change, before or after making it."""

    def __init__(self, port: Any, at: int, *, late: bool) -> None:
        self._port, self._left, self._late = port, at, late

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name not in MUTATING:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._late:
                raise ApplyFailed(f"injected: {name} fails")
            result = method(*args, **kwargs)
            if self._left == 0:
                raise ApplyFailed(f"injected: {name} fails after its work")
            return result

        return call


class Lying:
    """A port whose changes are lost: it says yes and does nothing."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return (lambda *_args, **_kwargs: None) if name in MUTATING else getattr(self._port, name)


class Node:
    """A gateway of zone a over the scratch namespace's kernel."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.vrrp = MemoryVrrp()
        self.sync = MemorySync()
        self.netlink = Rtnetlink()
        self.charon = MemoryCharon()
        files = DurableFiles()
        self.host = Host(
            nft=NftProgram(),
            netlink=self.netlink,
            sysctl=ProcSysctl(),
            vrrp=self.vrrp,
            state_sync=self.sync,
            files=files,
            vici=self.charon,
            machine=FileMachine(directory / "root", files),
            accounts=RecordedAccounts(str(directory / "accounts.json"), files),
        )
        self.facts = NodeFacts(zone="eu-west-a", mtus=dict.fromkeys(NICS, 1500), keys_directory=str(directory / "ssh"))
        self.gateway = self.open(self.host)
        self.tree = load_file(EXAMPLE).tree
        self.gateway.commit(self.tree, ME)

    def open(self, host: Host) -> Gateway:
        gateway = Gateway(host, Store(DurableFiles(), str(self.directory)), make_model(self.facts))
        gateway.start()
        return gateway

    def snapshot(self) -> dict[str, Any]:
        paths = [path for path in sorted(self.directory.rglob("*")) if path.is_file()]
        store = {path.name: path.read_text() for path in paths if not path.is_symlink()}
        return {
            "nft": ruleset(),
            "addresses": sorted(str(item) for item in self.netlink.addresses()),
            "links": sorted((name, link.up, link.mtu, link.mac) for name, link in self.netlink.links().items()),
            "routes": sorted(str(item) for item in self.netlink.routes()),
            "rules": sorted(str(item) for item in self.netlink.rules()),
            "forwarding": self.host.sysctl.get("net.ipv4.ip_forward"),
            "keepalived": self.vrrp.text,
            "conntrackd": self.sync.text,
            "charon": self.charon.snapshot()[:2],
            "zone": self.host.machine.get("timezone"),
            "accounts": self.host.accounts.ours(),
            "store": store,
        }


def ruleset() -> dict[str, list[str]]:
    """List the kernel's whole ruleset: the rules of each chain in order, everything else sorted.

    Handles, and the order of what has no order, change when a thing goes and comes back; the rules do not.
    """
    argv = ["nft", "-j", "list", "ruleset"]
    result = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = {"objects": []}
    for entry in json.loads(result.stdout)["nftables"]:
        for kind, item in entry.items():
            item.pop("handle", None)
            if kind == "rule":
                found.setdefault(f"{item['table']} {item['chain']}", []).append(json.dumps(item["expr"]))
            elif kind != "metainfo":
                if isinstance(item.get("elem"), list):
                    item["elem"].sort(key=str)
                found["objects"].append(json.dumps({kind: item}, sort_keys=True))
    found["objects"].sort()
    return found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with scratch_namespace():
        for name in NICS:
            _run("ip", "link", "add", name, "type", "veth", "peer", "name", f"p{name}")
            _run("ip", "link", "set", f"p{name}", "up")
        found = Node(tmp_path)
        try:
            yield found
        finally:
            found.netlink.close()


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)


def changed(tree: dict[str, Any]) -> dict[str, Any]:
    """A change that every port has a part in."""
    tree = put(tree, ("ingress_rules", "20", "ports"), "9443")
    tree = put(tree, ("interfaces", "private", "mtu"), "1400")
    tree = put(tree, ("interfaces", "private", "gateway"), "10.50.201.2")
    tree = put(tree, ("ha", "advert_int"), "0.5")
    tree = put(tree, ("ipsec", "ACME Office", "dpd_timeout"), "20s")
    tree = put(tree, ("ipsec", "ACME Office", "pre_shared_key"), "another")
    tree = put(tree, ("system", "users", "ann", "keys"), "ssh-ed25519 AAAA ann")
    tree = put(tree, ("system", "users", "kawaii", "role"), "operate")
    tree = put(tree, ("system", "dns"), "10.50.201.7")
    tree = put(tree, ("system", "timezone"), "Europe/Paris")
    return cut(tree, ("netcfg", "zones", "eu-west-b"))


def without_zone_b(tree: dict[str, Any]) -> dict[str, Any]:
    """The peerings name the zones too."""
    for subnet in ("eu-west-ceph", "eu-west-marvelous"):
        tree = cut(tree, ("vpc_peerings", subnet, "netcfg", "eu-west-b"))
    return changed(tree)


def attempt(gateway: Gateway, tree: dict[str, Any]) -> str | None:
    """Commit, and give the reason if it fails."""
    try:
        gateway.commit(tree, ME)
    except (EngineError, OSError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "port", ["nft", "netlink", "vrrp", "state_sync", "files", "sysctl", "vici", "machine", "accounts"]
)
def test_a_failing_port_leaves_everything_as_it_was(node: Node, port: str, late: bool) -> None:
    before = node.snapshot()
    target = without_zone_b(node.tree)
    failures = 0
    for at in range(1, 60):
        failing = Failing(getattr(node.host, port), at, late=late)
        ports: dict[str, Any] = {port: failing}
        gateway = node.open(replace(node.host, **ports))
        failure = attempt(gateway, target)
        if failure is None:
            break
        failures += 1
        assert "injected" in failure
        assert node.snapshot() == before
        assert gateway.running.valid.tree == node.gateway.running.valid.tree
    if port != "sysctl":
        assert failures, "the change never came to this port"
    assert node.snapshot() != before


@pytest.mark.parametrize("port", ["nft", "netlink", "vrrp", "state_sync", "vici", "machine", "accounts"])
def test_a_lying_port_is_found_out_and_everything_undone(node: Node, port: str) -> None:
    before = node.snapshot()
    ports: dict[str, Any] = {port: Lying(getattr(node.host, port))}
    gateway = node.open(replace(node.host, **ports))
    with pytest.raises(VerifyFailed):
        gateway.commit(without_zone_b(node.tree), ME)
    assert node.snapshot() == before


def test_rolling_back_gives_the_same_kernel(node: Node) -> None:
    before = node.snapshot()
    node.gateway.commit(without_zone_b(node.tree), ME)
    assert node.snapshot()["nft"] != before["nft"]
    node.gateway.commit(node.gateway.revision(1).tree, ME)
    after = node.snapshot()
    assert {**after, "store": None} == {**before, "store": None}


def test_an_empty_configuration_leaves_nothing_of_ours_and_all_of_theirs(node: Node) -> None:
    _run("nft", "add table inet somebody")
    _run("ip", "route", "add", "192.0.2.0/24", "dev", "pens3")
    node.gateway.commit({}, ME)
    after = node.snapshot()
    assert (after["routes"], after["rules"], after["keepalived"]) == ([], [], None)
    assert not [link for link in after["links"] if link[0].startswith("vip")]
    assert after["forwarding"] == "0"
    assert any('"name": "somebody"' in item for item in after["nft"]["objects"])
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert "192.0.2.0/24" in routes


def test_a_restart_touches_nothing(node: Node) -> None:
    before, generation = node.snapshot(), node.host.nft.generation()
    node.open(node.host)
    assert node.snapshot() == before
    assert node.host.nft.generation() == generation
    assert node.vrrp.reloads == 1


def test_a_difference_made_by_hand_is_seen_and_healed(node: Node) -> None:
    before = node.snapshot()
    _run("nft", "insert rule inet kawaii input accept")
    _run("ip", "address", "del", "10.50.201.11/24", "dev", "ens4")
    assert {difference.subsystem for difference in node.gateway.drift()} >= {"firewall", "addresses"}
    node.gateway.heal()
    assert node.gateway.drift() == []
    assert node.snapshot()["addresses"] == before["addresses"]
    assert node.snapshot()["routes"] == before["routes"]
