"""The image's tree, and one guest booted from the image among nodes of the lab, both for the whole run."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from testinfra.backend import base
from testinfra.backend.chroot import ChrootBackend
from testinfra.host import Host

from appliance.lab.machines import Machines
from appliance.lab.region import Lab
from appliance.lab.vm import wait_until
from appliance.lab.vm_probe import Probe

ROOT = Path(__file__).parents[2]
TREE = ROOT / "build/tree"


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
    """One gateway in a virtual machine, among nodes of the lab."""

    machines: Machines
    inside: Host

    @property
    def lab(self) -> Lab:
        """The nodes around the gateway."""
        return self.machines.lab

    def console(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run console commands as an operator does: over SSH, from the private subnet."""
        command = [*self.machines.console(self.machines.zones[0]), commands]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)

    def reaches(self, source: str, address: str, port: int, timeout: float = 8.0) -> str | None:
        """Connect from a node; gives what the server said (the client's address as it saw it), None when blocked."""
        program = (
            "import socket, sys\n"
            "c = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))\n"
            "print(c.recv(99).decode())\n"
        )
        argv = [sys.executable, "-c", program, address, str(port), str(timeout)]
        done = self.lab.exec(source, argv, check=False, timeout=timeout + 10)
        return done.stdout.strip() if done.returncode == 0 else None


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """Boot the image once, as acme's gateway in eu-west-a, until its boot is through."""
    directory = tmp_path_factory.mktemp("vm")
    nodes = {"inst-a", "kiwi-1", "kiwi-2", "internet"}
    machines = Machines(f"vm{os.getpid()}", directory, nodes=nodes, gateways={"gw-a"}, probe=True)
    with machines:
        vm = machines.vms["gw-a"]
        try:
            probe = Probe(vm.probe_socket, 300)
            wait_until(vm, "boot through", lambda: boot_is_through(probe), 300)
            yield Region(machines, Host(ProbeBackend(probe)))
        finally:
            (ROOT / "build/vm-serial.log").write_bytes(vm.serial_log.read_bytes())


def boot_is_through(probe: Probe) -> bool:
    """Whether systemd has started all that it was to start, well or not."""
    return probe.run("systemctl is-system-running").output in {"running", "degraded"}


@pytest.fixture(scope="session")
def holding(region: Region) -> Region:
    """The region once the gateway answers at its private VIP."""
    region.machines.wait_for_pairs(60)
    return region


Serve = Callable[[str, str, int], None]


@pytest.fixture
def serve(region: Region) -> Iterator[Serve]:
    """Start TCP servers on nodes that tell each client the address it came from."""
    program = (
        "import socket, sys\n"
        "s = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    c, a = s.accept(); c.sendall(a[0].encode()); c.close()\n"
    )
    servers: list[subprocess.Popen[str]] = []

    def start(node: str, address: str, port: int) -> None:
        argv = [sys.executable, "-c", program, address, str(port)]
        server = region.lab.popen(node, argv, stdout=subprocess.PIPE)
        servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"

    yield start
    for server in servers:
        server.kill()
        server.wait()
