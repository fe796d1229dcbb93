"""Two gateways as bare namespaces with a guard and its keepalived each, on one public and one private segment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.sources.userdata import load_text
from appliance.subsystems.links import vip_mac
from appliance.subsystems.view import NodeFacts, NodeView, build_view
from appliance.subsystems.vips import VipSubsystem
from appliance.system.guard.status import GuardFiles, Status
from appliance.system.paths import Paths

CONFIG = """
system: {project: acme}
interfaces:
  public: {device: ens3, subnet: 4.5.6.0/26, gateway: 4.5.6.62}
  private: {device: ens4, subnet: 10.50.201.0/24}
netcfg:
  zones:
    - {zone: a, public_ip: 4.5.6.10, private_ip: 10.50.201.252, vrid: 1, peer: 10.50.201.11}
    - {zone: b, public_ip: 4.5.6.11, private_ip: 10.50.201.253, vrid: 2, peer: 10.50.201.12}
ha: {preempt_delay: 0.5, advert_int: 0.2, track: {gateway: {interval: 0.1, fall: 3, rise: 3}}}
"""
PAIR_A = ("4.5.6.10/26", "10.50.201.252/24")
A_ON_B = ("4.5.6.10/26", "10.50.201.252/32")
SYSCTLS = ("net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.promote_secondaries=1")


def run(*argv: str) -> str:
    """Run a command that has to succeed and give its output."""
    result = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, f"{argv}: {result.stderr}"
    return result.stdout


def until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> float:
    """Wait for a condition; gives how long it took in seconds, fails the test when it does not come true."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - began


@dataclass
class GuardedNode:
    """A gateway's namespace and its guard."""

    netns: str
    zone: str
    root: Path
    guard: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.paths = Paths(self.root)
        self.files = GuardFiles(self.paths)
        self.log = self.root / "log"

    def view(self, config: str) -> NodeView:
        """See a configuration from this node."""
        facts = NodeFacts(zone=self.zone, vrrp_directory=str(self.paths.vrrp))
        return build_view(load_text(config, "test").config, facts)

    def text(self, config: str = CONFIG) -> str:
        """Render keepalived's file."""
        text = VipSubsystem().render(self.view(config)).text
        assert text is not None
        return text

    def write(self, text: str) -> None:
        """Put a file where the guard looks for it."""
        self.paths.run.mkdir(parents=True, exist_ok=True)
        self.paths.keepalived_conf.write_text(text)

    def start(self) -> None:
        """Start the guard."""
        self.root.mkdir(parents=True, exist_ok=True)
        argv = ["ip", "netns", "exec", self.netns, sys.executable, "-m", "appliance.system.guard", "--root"]
        with self.log.open("ab") as log:
            self.guard = subprocess.Popen([*argv, str(self.root)], stdout=log, stderr=log)

    def signal(self, number: int) -> None:
        """Signal the guard."""
        assert self.guard is not None
        self.guard.send_signal(number)

    def tell(self, text: str) -> None:
        """Write a file and have the guard look at it."""
        looks = self.status().looks
        self.write(text)
        self.signal(signal.SIGHUP)
        until(lambda: self.status().looks > looks, "the guard has looked")

    def release(self) -> None:
        """Do what the unit does when the guard has ended."""
        argv = ["-m", "appliance.system.guard", "--root", str(self.root), "--release"]
        run("ip", "netns", "exec", self.netns, sys.executable, *argv)

    def status(self) -> Status:
        """Give what the guard says."""
        return self.files.read_status() or Status(0)

    def pid(self, name: str) -> int:
        """Give the id of one of keepalived's processes."""
        pid = self.files.pid(name)
        assert pid is not None, self.log.read_text()
        return pid

    def addresses(self) -> set[str]:
        """Give the addresses of the public and private NIC and the macvlans."""
        found = json.loads(run("ip", "-n", self.netns, "-j", "-4", "addr"))
        return {f"{a['local']}/{a['prefixlen']}" for link in found if link for a in link["addr_info"]}

    def routes(self) -> set[str]:
        """Give keepalived's routes."""
        return {line.strip() for line in run("ip", "-n", self.netns, "route", "show", "proto", "18").splitlines()}

    def has(self, *addresses: str) -> bool:
        """Whether all the addresses are here."""
        return self.addresses().issuperset(addresses)

    def lacks(self, *addresses: str) -> bool:
        """Whether none of the addresses is here."""
        return self.addresses().isdisjoint(addresses)

    def stop(self) -> None:
        """End the guard if it runs, and what it may have left."""
        if self.guard is not None and self.guard.poll() is None:
            for name in ("keepalived", "vrrp"):
                pid = self.files.pid(name)
                if pid is not None:
                    os.kill(pid, signal.SIGCONT)
            self.guard.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.guard.wait(10)
            self.guard.kill()
            self.guard.wait()
        for name in ("keepalived", "vrrp"):
            pid = self.files.pid(name)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def two_nodes(directory: Path) -> Iterator[tuple[GuardedNode, GuardedNode]]:
    """Make both namespaces with their NICs, and the upstream router; guards are the caller's to start."""
    name = f"g{uuid.uuid4().hex[:8]}"
    fabric = f"{name}-fabric"
    nodes = tuple(GuardedNode(f"{name}-{zone}", zone, directory / zone) for zone in ("a", "b"))
    spaces = [fabric, *(node.netns for node in nodes)]
    try:
        for space in spaces:
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        for segment in ("public", "private"):
            run("ip", "-n", fabric, "link", "add", segment, "type", "bridge", "forward_delay", "0")
            run("ip", "-n", fabric, "link", "set", segment, "up")
        run("ip", "-n", fabric, "addr", "add", "4.5.6.62/26", "dev", "public")
        for node, host, vrid in zip(nodes, (11, 12), (2, 1), strict=True):
            _plug(fabric, node, host, vrid)
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            node.stop()
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], check=False)


def _plug(fabric: str, node: GuardedNode, host: int, foreign: int) -> None:
    run("ip", "netns", "exec", node.netns, "sysctl", "-q", "-w", *SYSCTLS)
    for device, segment in (("ens3", "public"), ("ens4", "private")):
        far = f"{segment}-{node.zone}"
        run("ip", "-n", fabric, "link", "add", far, "type", "veth", "peer", "name", device, "netns", node.netns)
        run("ip", "-n", fabric, "link", "set", far, "master", segment, "up")
        run("ip", "-n", node.netns, "link", "set", device, "up")
    run("ip", "-n", node.netns, "addr", "add", f"10.50.201.{host}/24", "dev", "ens4")
    mac = vip_mac(node.zone, foreign)
    words = ("link", "ens4", "name", f"vip{foreign}", "address", mac, "up", "type", "macvlan", "mode", "bridge")
    run("ip", "-n", node.netns, "link", "add", *words)


@contextlib.contextmanager
def at_home(directory: Path) -> Iterator[tuple[GuardedNode, GuardedNode]]:
    """Have both guards running with each pair at home."""
    with two_nodes(directory) as (a, b):
        for node in (a, b):
            node.write(node.text())
            node.start()
        until(lambda: home(a, b), "both pairs at home")
        yield a, b


def home(a: GuardedNode, b: GuardedNode) -> bool:
    """Whether each pair is on its own gateway only."""
    return a.has(*PAIR_A) and b.has("4.5.6.11/26", "10.50.201.253/24") and b.lacks(*A_ON_B) and a.lacks("4.5.6.11/26")
