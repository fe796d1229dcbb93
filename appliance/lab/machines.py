"""A region whose gateways are virtual machines of the image, among the lab's nodes; `build.sh run` and `stop`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from types import TracebackType

from appliance.lab import network, seeds
from appliance.lab.region import Lab, take_down
from appliance.lab.state import State
from appliance.lab.topology import FABRIC, LabError, NodePlan, ZoneOf, bridge, build_topology
from appliance.lab.vm import Nic, Vm, VmFailed, VmSpec, start_vm, stop_vm, wait_until
from appliance.lab.vm_seed import SshKey, add_public_key, make_seed_disk, make_ssh_key, ssh_command

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "build/kawaii-gateway.qcow2"
DEFAULT_NAME = "run"
DEFAULT_DIRECTORY = ROOT / "build/run"

Progress = Callable[[str], None]


def _quiet(_line: str) -> None:
    return None


class Machines:
    """A lab with guests as its gateways, by default one per zone; `nodes` and `gateways` cut it to these.

    As a context it is up inside and gone outside.  Methods raise `LabError` and `VmFailed`.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        zones: int | None = None,
        config: Path = seeds.ACME,
        nodes: Collection[str] | None = None,
        gateways: Collection[str] | None = None,
        image: Path = IMAGE,
        probe: bool = False,
        progress: Progress = _quiet,
    ) -> None:
        self.directory = directory
        self.vms: dict[str, Vm] = {}
        self._image = image
        self._probe = probe
        self._progress = progress
        self._seeded = seeds.load(config, zones)
        self.topology = build_topology(self._seeded.config)
        self.zones: tuple[ZoneOf, ...] = tuple(z for z in self.topology.zones if gateways is None or z.node in gateways)
        ours = {zone.node for zone in self.topology.zones}
        others = [node for node in self.topology.nodes if node not in ours and (nodes is None or node in nodes)]
        self.lab = Lab(name, zones=zones, config=config, nodes=others, progress=progress)

    def __enter__(self) -> Machines:
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def up(self) -> None:
        """Make the lab and start the guests in it; what was made is removed again when that fails."""
        if not self._image.exists():
            raise LabError(f"{self._image} is not there (./build.sh makes it)")
        self.lab.up()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for index, zone in enumerate(self.zones):
                self._progress(f"starting {zone.node} ({zone.zone})")
                self.vms[zone.node] = self._start(index, zone)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Stop the guests and remove the lab; the guests' serial logs stay in the directory."""
        for vm in self.vms.values():
            stop_vm(vm)
        self.lab.down()

    @property
    def key(self) -> SshKey:
        """The key that the guests' seeds name, made at its first use."""
        return make_ssh_key(self.directory)

    def _start(self, index: int, zone: ZoneOf) -> Vm:
        directory = self.directory / zone.node
        seeds.write_seed(directory, self._seeded, f"kawaii-{zone.zone}", zone.zone)
        add_public_key(directory, self.key)
        nics = tuple(plan_nics(self.topology.nodes[zone.node], index))
        seed = make_seed_disk(directory)
        fabric = network.namespace(self.lab.name, FABRIC)
        return start_vm(VmSpec(zone.node, self._image, directory, fabric, nics, seed, probe=self._probe))

    def wait_for_pairs(self, timeout: float) -> None:
        """Wait until every zone's own gateway, not a stand-in, answers its instance at the private VIP."""
        deadline = time.monotonic() + timeout
        for index, zone in enumerate(self.zones):
            left = max(1.0, deadline - time.monotonic())
            what = f"{zone.private_ip} on {zone.node}"
            wait_until(self.vms[zone.node], what, partial(self._is_home, index, zone), left)
            self._progress(what)

    def _is_home(self, index: int, zone: ZoneOf) -> bool:
        """Whether the MAC address that answers for the private VIP is that of the home gateway's private NIC."""
        node, address = f"inst-{zone.node[-1]}", str(zone.private_ip)
        if self.lab.exec(node, ["ping", "-q", "-c", "1", "-W", "1", address], check=False).returncode:
            return False
        gateway = self.topology.nodes[zone.node]
        home = plan_nics(gateway, index)[gateway.nic_on("private")].mac
        return home in self.lab.exec(node, ["ip", "neighbour", "show", address]).stdout

    def console(self, zone: ZoneOf) -> list[str]:
        """Spell the SSH call that opens a gateway's console, from its zone's instance."""
        peer = self._seeded.config.netcfg.zones[zone.zone].peer
        return ssh_command(self.lab.netns(f"inst-{zone.node[-1]}"), self.key, str(peer))


def plan_nics(node: NodePlan, index: int) -> list[Nic]:
    """Put a gateway's NICs into the PCI slots that give them the names of the configuration (ens3 is slot 3)."""
    nics = []
    for nic in node.nics:
        slot = nic.device.removeprefix("ens")
        if not slot.isdigit():
            raise LabError(f"a virtual machine's NICs are ens3, ens4, …: {nic.device} is none")
        nics.append(Nic(bridge(nic.segment), f"52:54:00:4b:{index:02x}:{int(slot):02x}", int(slot)))
    return nics


def main(arguments: list[str] | None = None) -> int:
    """Boot a region's gateways from the image, or stop them."""
    parser = argparse.ArgumentParser(prog="build.sh", description=main.__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="run|stop")
    run = verbs.add_parser("run", help="boot one virtual machine per zone and open the console of the first")
    run.add_argument("--zones", type=int, default=2, metavar="N", help="number of zones (default: %(default)s)")
    run.add_argument("--seed", type=Path, default=seeds.ACME, metavar="FILE", help="user-data (default: acme's)")
    run.add_argument("--detach", action="store_true", help="leave it running; ./build.sh stop ends it")
    run.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds to wait (default: %(default)s)")
    verbs.add_parser("stop", help="stop the virtual machines and remove their lab")
    options = parser.parse_args(arguments)
    try:
        return _run(options) if options.verb == "run" else _stop()
    except (LabError, VmFailed) as error:
        print(f"build.sh {options.verb}: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    began = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr)

    machines = Machines(DEFAULT_NAME, DEFAULT_DIRECTORY, zones=options.zones, config=options.seed, progress=progress)
    machines.up()
    try:
        machines.wait_for_pairs(options.timeout)
        command = machines.console(machines.zones[0])
        if options.detach:
            print(" ".join(command))
            return 0
        progress(f"the console of {machines.zones[0].node}; leaving it stops the machines")
        status = os.spawnvp(os.P_WAIT, command[0], command)  # noqa: S606  the terminal becomes the console's
    except BaseException:
        machines.down()
        raise
    machines.down()
    return status


def _stop() -> int:
    state = State.of(DEFAULT_NAME)
    if not state.exists and not network.namespaces(DEFAULT_NAME):
        print("build.sh stop: nothing is running", file=sys.stderr)
        return 1
    # The guests are processes of the lab's namespaces: they end with it.
    take_down(state)
    shutil.rmtree(DEFAULT_DIRECTORY, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
