"""The image's tree, and one guest booted from the image between two hosts, both for the whole run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from testinfra.backend import base
from testinfra.backend.chroot import ChrootBackend
from testinfra.host import Host

from appliance.lab.vm import Nic, Vm, VmSpec, start_vm, stop_vm, wait_until
from appliance.lab.vm_probe import Probe
from appliance.lab.vm_seed import Seed, SshKey, make_ssh_key, ssh_command, write_seed

ROOT = Path(__file__).parents[2]
TREE = ROOT / "build/tree"
IMAGE = ROOT / "build/kawaii-gateway.qcow2"
BRIDGES = ("br-public", "br-private", "br-ceph", "br-marvelous")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the booted guest last: emulation takes both processors, and others measure time."""
    items.sort(key=lambda item: item.get_closest_marker("vm") is not None)


@pytest.fixture(scope="session")
def tree() -> Host:
    """The image's tree, looked at from within (chroot)."""
    assert (TREE / "usr").is_dir(), "build the image first: ./build.sh"
    return Host(ChrootBackend(str(TREE)))


class ProbeBackend(base.BaseBackend):  # type: ignore[misc]
    """testinfra's looks at a guest through its root shell."""

    NAME = "probe"

    def __init__(self, probe: Probe) -> None:
        super().__init__("probe")
        self._probe = probe

    def run(self, command: str, *args: str, **_kwargs: object) -> base.CommandResult:
        spelt = self.get_command(command, *args)
        done = self._probe.run(spelt, 90)
        return self.result(done.status, self.encode(spelt), done.output, "")


@dataclass(frozen=True, slots=True)
class Region:
    """One gateway, an instance behind it, and a host beyond it; each host is a namespace."""

    vm: Vm
    inside: Host
    key: SshKey
    instance: str
    internet: str

    def console(self, commands: str, *, json_output: bool = False) -> subprocess.CompletedProcess[str]:
        """Run console commands as an operator does: over SSH, from the private subnet."""
        command = ssh_command(self.instance, self.key, "10.50.201.11")
        return subprocess.run([*command, commands], check=False, capture_output=True, text=True, timeout=90)

    def reaches(self, source: str, address: str, port: int, timeout: float = 8.0) -> str | None:
        """Connect from a host; gives what the server said (the client's address as it saw it), None when blocked."""
        program = (
            "import socket, sys\n"
            "c = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))\n"
            "print(c.recv(99).decode())\n"
        )
        command = ["ip", "netns", "exec", source, sys.executable, "-c", program, address, str(port), str(timeout)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout + 10)
        return done.stdout.strip() if done.returncode == 0 else None


def run_ip(*arguments: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)


def make_fabric(name: str) -> None:
    """Make the namespace of the segments, each a bridge."""
    run_ip("netns", "add", name)
    for bridge in BRIDGES:
        run_ip("-n", name, "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0")
        run_ip("-n", name, "link", "set", bridge, "up")


def make_host(name: str, fabric: str, bridge: str, addresses: tuple[str, ...], gateway: str | None) -> None:
    """Make a host on a segment; its further addresses are on its loopback."""
    run_ip("netns", "add", name)
    run_ip("-n", name, "link", "set", "lo", "up")
    run_ip("-n", fabric, "link", "add", f"{name}p"[-15:], "type", "veth", "peer", "name", "eth0", "netns", name)
    run_ip("-n", fabric, "link", "set", f"{name}p"[-15:], "master", bridge, "up")
    run_ip("-n", name, "link", "set", "eth0", "up")
    run_ip("-n", name, "addr", "add", addresses[0], "dev", "eth0")
    for address in addresses[1:]:
        run_ip("-n", name, "addr", "add", address, "dev", "lo")
    if gateway:
        run_ip("-n", name, "route", "add", "default", "via", gateway)


def make_seed(key: SshKey, macs: tuple[str, ...]) -> Seed:
    """The acme example as zone eu-west-a's instance gets it: its fixed address on the private NIC only."""
    meta = {
        "instance-id": "kawaii-acme-eu-west-a-1",
        "local-hostname": "kawaii-acme-eu-west-a-1",
        "availability-zone": "eu-west-a",
        "public-keys": [key.public],
    }
    private = {"match": {"macaddress": macs[1]}, "set-name": "ens4", "addresses": ["10.50.201.11/24"]}
    network = {"version": 2, "ethernets": {"ens4": private}}
    user_data = (ROOT / "cloud-init/examples/acme-user-data.yaml").read_text(encoding="utf-8")
    return Seed(user_data, json.dumps(meta), json.dumps(network))


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """Boot the image once, seeded with the acme example, until its boot is through."""
    directory = tmp_path_factory.mktemp("vm")
    prefix = f"ki{os.getpid()}"
    fabric, instance, internet = f"{prefix}f", f"{prefix}i", f"{prefix}n"
    macs = tuple(f"52:54:00:4b:57:{number:02x}" for number in range(len(BRIDGES)))
    key = make_ssh_key(directory)
    vm: Vm | None = None
    try:
        make_fabric(fabric)
        make_host(instance, fabric, "br-private", ("10.50.201.20/24",), "10.50.201.252")
        make_host(internet, fabric, "br-public", ("4.5.6.62/26", "198.51.100.10/32"), None)
        nics = tuple(Nic(bridge, mac) for bridge, mac in zip(BRIDGES, macs, strict=True))
        seed = write_seed(make_seed(key, macs), directory)
        vm = start_vm(VmSpec("gw-a", IMAGE, directory, fabric, nics, seed, probe=True))
        probe = Probe(vm.probe_socket, 200)
        wait_until(vm, "boot through", lambda: boot_is_through(probe), 200)
        yield Region(vm, Host(ProbeBackend(probe)), key, instance, internet)
    finally:
        if vm:
            (ROOT / "build/vm-serial.log").write_bytes(vm.serial_log.read_bytes())
            stop_vm(vm)
        for name in (instance, internet, fabric):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)


def boot_is_through(probe: Probe) -> bool:
    """Whether systemd has started all that it was to start, well or not."""
    return probe.run("systemctl is-system-running").output in {"running", "degraded"}


@pytest.fixture(scope="session")
def holding(region: Region) -> Region:
    """The region once the gateway answers at its private VIP."""

    def answers() -> bool:
        command = ["ip", "netns", "exec", region.instance, "ping", "-q", "-c", "1", "-W", "1", "10.50.201.252"]
        return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode == 0

    wait_until(region.vm, "the private VIP answers", answers, 60)
    return region


Serve = Callable[[str, str, int], None]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start TCP servers that tell each client the address it came from."""
    program = (
        "import socket, sys\n"
        "s = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    c, a = s.accept(); c.sendall(a[0].encode()); c.close()\n"
    )
    servers: list[subprocess.Popen[str]] = []

    def start(namespace: str, address: str, port: int) -> None:
        command = ["ip", "netns", "exec", namespace, sys.executable, "-c", program, address, str(port)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"

    yield start
    for server in servers:
        server.kill()
        server.wait()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], float], bool]:
    """Poll a condition with a deadline in seconds."""

    def poll(check: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not check():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.25)
        return True

    return poll
