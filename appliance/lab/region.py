"""A region in network namespaces: brought up, looked at, disturbed and taken down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from appliance.lab import control, network, seeds
from appliance.lab.addresses import AddressReader
from appliance.lab.daemons import GatewayPaths, save_specs
from appliance.lab.office import OFFICE_VICI, connections_to_office, established
from appliance.lab.prepare import prepare
from appliance.lab.process import Identity, children
from appliance.lab.state import State
from appliance.lab.topology import LabError, Topology, ZoneOf, build_topology
from appliance.subsystems.coverage import not_applied

PROGRAMS = Path(sys.executable).parent
POLL = 0.05
SHUTDOWN_TIMEOUT = 10.0
LAST_WORDS = 8
"""Lines of a daemon's log that are shown when the lab failed."""

Progress = Callable[[str], None]


def _quiet(_line: str) -> None:
    return None


class Lab:
    """A lab by its name; `nodes` are the ones to make, by default all; `daemons` False leaves gateways bare.

    As a context it is up inside and gone outside.  All methods raise `LabError`.
    """

    def __init__(
        self,
        name: str,
        *,
        zones: int | None = None,
        config: Path = seeds.ACME,
        nodes: Collection[str] | None = None,
        daemons: bool = True,
        base: Path | None = None,
        timeout: float = 60.0,
        progress: Progress = _quiet,
    ) -> None:
        self.name = name
        self.state = State.of(name, base)
        self._reader = AddressReader()
        self._config_file = config.resolve()
        self._zones = zones
        self._daemons = daemons
        self._timeout = timeout
        self._progress = progress
        self.seeded = seeds.load(config, zones)
        whole = build_topology(self.seeded.config)
        self.topology: Topology = whole.only(nodes) if nodes is not None else whole

    @classmethod
    def attach(cls, name: str, base: Path | None = None) -> Lab:
        """Give the lab of this name that is up."""
        description = State.of(name, base).load()
        return cls(
            name,
            zones=description["zones"],
            config=Path(description["config"]),
            nodes=description["nodes"],
            daemons=description["daemons"],
            base=base,
        )

    # -- life ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Lab:
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def up(self) -> None:
        """Make the lab and wait until it is ready; what was made is removed again when that fails."""
        deadline = time.monotonic() + self._timeout
        self.state.create()
        try:
            description = {"config": str(self._config_file), "zones": self._zones, "daemons": self._daemons}
            self.state.save({**description, "nodes": list(self.topology.nodes)})
            self._progress(f"{len(self.topology.nodes)} namespaces, {len(self.topology.segments)} segments")
            network.build(self.name, self.topology)
            specs = prepare(self.state, self.topology, self.seeded, PROGRAMS if self._daemons else None)
            save_specs(self.state.specs, specs)
            self._progress(f"{sum(spec.boot for spec in specs)} daemons")
            self._start_supervisor(deadline)
            self._progress("waiting for the virtual addresses")
            self._wait(deadline, self.missing)
        except LabError as error:
            words = "\n".join([str(error), *self._last_words()])
            self.down()
            raise LabError(words) from error
        except BaseException:
            self._progress("taking it down again")
            self.down()
            raise

    def down(self) -> None:
        """Stop every daemon and remove namespaces and files, also after whatever happened to the supervisor."""
        self._reader.close()
        take_down(self.state)

    def _last_words(self) -> list[str]:
        """Give the ends of what the gateways' daemons said, before a lab that failed goes with its logs."""
        said: list[str] = []
        for path in sorted((self.state.directory / "log").glob("*.kawaiid.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_WORDS:]
            said += [f"{path.stem}: {line}" for line in lines]
        return said

    def _start_supervisor(self, deadline: float) -> None:
        with (self.state.directory / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "appliance.lab.supervisor", str(self.state.directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self._environment(None),
            )
        self.state.supervisor_pid.write_text(str(Identity.of(process.pid)))
        # Not waited for: it outlives this process.
        process.returncode = 0
        self._wait(deadline, lambda: [] if control.answers(self.state.socket) else ["the supervisor"])

    def _wait(self, deadline: float, missing: Callable[[], Sequence[str]]) -> None:
        while lacks := missing():
            if time.monotonic() > deadline:
                raise LabError("not ready in time, missing: " + "; ".join(lacks))
            time.sleep(POLL)

    # -- looking -------------------------------------------------------------------------------------------------

    def missing(self) -> list[str]:
        """Say what a lab that is up would have and this one has not."""
        lacks = [*self._missing_addresses(), *self._missing_answers()]
        return lacks or self._missing_tunnels()

    def _missing_answers(self) -> list[str]:
        gateways = [zone.node for zone in self.topology.zones] if self._daemons else []
        return [f"kawaiid's API on {node}" for node in gateways if not control.listens(self.api(node))]

    def _missing_tunnels(self) -> list[str]:
        """Tunnels need the office, and the gateway they start from."""
        wanted = connections_to_office(self.seeded)
        zones = {zone.zone for zone in self.topology.zones}
        first = next(iter(self.seeded.config.netcfg.zones))
        if not self._daemons or "office-gw" not in self.topology.nodes or "ipsec" in not_applied(self.seeded.config):
            return []
        names = [name for name, item in wanted.items() if (item.zone or first) in zones and not item.disabled]
        if len(established(self.root("office-gw") / OFFICE_VICI)) >= len(names):
            return []
        return [f"a tunnel of {', '.join(names)} to office-gw"]

    def _missing_addresses(self) -> list[str]:
        lacks: list[str] = []
        if self._daemons:
            for zone in self.topology.zones:
                holders = [node or "nobody" for node in (self.holder(zone.public_ip), self.holder(zone.private_ip))]
                if holders != [zone.node, zone.node]:
                    where = f"{zone.public_ip} by {holders[0]}, {zone.private_ip} by {holders[1]}"
                    lacks.append(f"{zone.zone}'s pair at home on {zone.node} (held: {where})")
        if "kiwi-1" in self.topology.nodes and not self.holder(self.topology.kiwi_private):
            lacks.append(f"{self.topology.kiwi_private} on a Kiwi")
        return lacks

    def addresses(self, node: str) -> list[str]:
        """Give a node's addresses from the kernel, without prefix lengths."""
        return self._reader.read(self.netns(node))

    def holders(self, address: object) -> list[str]:
        """Give the nodes that have an address."""
        return [node for node in self.topology.nodes if str(address) in self.addresses(node)]

    def holder(self, address: object) -> str | None:
        """Give the node that has an address, None when nobody or more than one has it."""
        holders = self.holders(address)
        return holders[0] if len(holders) == 1 else None

    def holder_of(self, zone: ZoneOf) -> str | None:
        """Give the gateway that holds a zone's whole pair, None when it is split, gone or held twice."""
        public, private = self.holder(zone.public_ip), self.holder(zone.private_ip)
        return public if public == private else None

    def daemons(self) -> dict[str, dict[str, int]]:
        """Give the process ids of the daemons that run, by node and name, keepalived behind its guard included."""
        running: dict[str, dict[str, int]] = control.request(self.state.socket, action="list")["daemons"]
        for daemons in running.values():
            if "guard" in daemons:
                found = [pid for pid, name in children(daemons["guard"]).items() if name == "keepalived"]
                if found:
                    daemons["keepalived"] = found[0]
        return running

    def status(self) -> dict[str, Any]:
        """Give the whole lab as `kawaii lab status --json` prints it."""
        running = self.daemons()
        nodes = {
            node.name: {
                "netns": self.netns(node.name),
                "addresses": self.addresses(node.name),
                "daemons": running.get(node.name, {}),
                "api": str(self.api(node.name)) if node.gateway else None,
            }
            for node in self.topology.nodes.values()
        }
        zones = {
            zone.zone: {
                "node": zone.node,
                "public_ip": str(zone.public_ip),
                "private_ip": str(zone.private_ip),
                "holder": self.holder_of(zone),
            }
            for zone in self.topology.zones
        }
        return {"nodes": nodes, "zones": zones}

    def netns(self, node: str) -> str:
        """Name a node's namespace."""
        if node not in self.topology.nodes:
            raise LabError(f"no such node: {node} (there are {', '.join(self.topology.nodes)})")
        return network.namespace(self.name, node)

    def root(self, node: str) -> Path:
        """Give a gateway's root directory."""
        return self.state.root(node)

    def api(self, node: str) -> Path:
        """Give the path of a gateway's API socket."""
        return GatewayPaths(self.state.root(node)).api

    # -- acting --------------------------------------------------------------------------------------------------

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """Spell a command inside a node."""
        return ["ip", "netns", "exec", self.netns(node), *argv]

    def environment(self, node: str) -> dict[str, str]:
        """Give the environment of commands inside a node: this environment's programs, the gateway's API."""
        self.netns(node)
        return self._environment(node)

    def _environment(self, node: str | None) -> dict[str, str]:
        environment = dict(os.environ)
        environment["PATH"] = f"{PROGRAMS}:{environment.get('PATH', '')}:/usr/sbin:/sbin"
        if node is not None:
            environment["KAWAII_NODE"] = node
            environment["KAWAII_LAB"] = self.name
            environment["KAWAII_SUPERVISOR"] = str(self.state.socket)
            if self.topology.nodes[node].gateway:
                environment["KAWAII_API"] = str(self.api(node))
        return environment

    def exec(
        self, node: str, argv: Sequence[str], *, check: bool = True, timeout: float = 30.0, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside a node and give what it said; with `check` its failure is an error."""
        done = subprocess.run(
            self.command(node, argv),
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=self.environment(node),
        )
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise LabError(f"{node}: {' '.join(argv)}: exit status {done.returncode}: {said}")
        return done

    def popen(self, node: str, argv: Sequence[str], **streams: Any) -> subprocess.Popen[str]:
        """Start a command inside a node, with text streams as `subprocess.Popen` takes them."""
        return subprocess.Popen(self.command(node, argv), text=True, env=self.environment(node), **streams)

    def wait_for(self, condition: Callable[[], object], timeout: float, what: str) -> None:
        """Poll until a condition holds, else raise `LabError` with what was waited for."""
        self._wait(time.monotonic() + timeout, lambda: [] if condition() else [what])

    def daemon(self, node: str, daemon: str, action: str, **more: Any) -> Mapping[str, Any]:
        """Start, stop, restart or look at a daemon, as its unit would be."""
        return control.request(self.state.socket, node=node, daemon=daemon, action=action, **more)

    def kill(self, node: str, daemon: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a daemon that runs, keepalived included."""
        pid = self.daemons().get(node, {}).get(daemon)
        if pid is None:
            raise LabError(f"{daemon} does not run on {node}")
        os.kill(pid, number)

    def plug(self, node: str, segment: str, *, up: bool) -> None:
        """Plug a node's cable to a segment in or out."""
        network.set_port(self.name, self._port(node, segment), up=up)

    def silence(self, node: str, segment: str, *, silent: bool = True) -> None:
        """Lose all that passes between a node and a segment while the link stays up, or carry it again."""
        network.set_silent(self.name, self._port(node, segment), silent=silent)

    def isolate(self, node: str, *, silent: bool = True) -> None:
        """Lose all that a node sends and receives, on every segment, as when it is dead; or carry it again."""
        for nic in self.topology.nodes[node].nics:
            self.silence(node, nic.segment, silent=silent)

    def _port(self, node: str, segment: str) -> str:
        self.netns(node)
        plan = self.topology.nodes[node]
        return plan.port(plan.nic_on(segment))


def take_down(state: State) -> None:
    """Take a lab down from its files and namespaces alone; a lab that is gone already is fine."""
    try:
        supervisor = Identity.parse(state.supervisor_pid.read_text())
    except (OSError, ValueError):
        supervisor = None
    if control.answers(state.socket):
        control.request(state.socket, action="shutdown")
        if supervisor is not None:
            supervisor.wait(SHUTDOWN_TIMEOUT)
    if supervisor is not None:
        supervisor.kill()
    network.destroy(state.lab)
    state.remove()
