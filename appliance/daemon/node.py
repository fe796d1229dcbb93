"""One node from start to stop: closed, then the stored or seeded configuration, then the API."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from appliance.agents.agent import Agent, Roll, VrrpRole
from appliance.agents.consent import ConsentAgent
from appliance.agents.drift import DriftAgent
from appliance.agents.nexthops import NextHopAgent
from appliance.agents.tunnels import TunnelAgent
from appliance.api.app import build_app
from appliance.api.listeners import Listeners
from appliance.api.server import listen, serve
from appliance.api.services import application
from appliance.config.store import Author, Store, StoreDamaged
from appliance.daemon.model import make_model
from appliance.daemon.notify import banner, notify
from appliance.daemon.seed import Seed, facts_of, find_seed, nics_by_mac, remember
from appliance.engine.errors import EngineError
from appliance.engine.gateway import Change, Gateway
from appliance.engine.ports import Host
from appliance.ops.operation import Node
from appliance.ops.show import VRRP_STATES
from appliance.schema.problem import InvalidConfig
from appliance.sources.userdata import load_user_data
from appliance.subsystems.bootstrap import bootstrap_artefacts
from appliance.subsystems.firewall.input import CONSENT_PORT
from appliance.subsystems.view import NodeFacts, NodeView, build_view
from appliance.system.certificate import own_certificate
from appliance.system.consent_socket import ConsentSockets
from appliance.system.host import open_host
from appliance.system.inspect import IpInspect
from appliance.system.paths import Paths
from appliance.system.probe import ArpProber
from appliance.system.vrrp_events import VrrpEvents

log = logging.getLogger(__name__)

HEARD_LOWER = "MASTER_RX_LOWER_PRI"
"""keepalived's word for another master of lower priority, which gives way now (keepalived.conf(5))."""


@dataclass(slots=True)
class Boot:
    """What came of starting: the problems to show on console and banner."""

    problems: tuple[str, ...] = ()


def run(root: str, version: str) -> int:
    """Start a node and serve its API until told to stop."""
    paths = Paths(root)
    host = open_host(paths)
    seed = find_seed(paths.seed_directories, str(paths.etc / "seed.yaml"))
    known = remember(seed, host.netlink.links(), host.files, str(paths.state / "node.json"))
    facts = replace(
        facts_of(known, host.netlink.links()),
        keys_directory=str(paths.state / "ssh"),
        vrrp_directory=str(paths.vrrp),
    )
    gateway = Gateway(host, Store(host.files, str(paths.state)), make_model(facts))
    boot = start(gateway, seed, facts)
    listeners = Listeners(
        lambda endpoint: application(node, endpoint),
        lambda endpoint: own_certificate(paths.state / "tls", host.machine.get("hostname"), endpoint.address),
    )
    agents = (*make_agents(host, paths), DriftAgent(gateway), listeners.started())

    def problems() -> tuple[str, ...]:
        return *boot.problems, *listeners.problems()

    node = make_node(gateway, host, facts=facts, problems=problems, version=version, agents=agents)
    write_banner(node, paths)
    gateway.listeners.append(lambda kind, _event: write_banner_after(kind, boot, node, paths))
    roll = Roll(agents)
    events = follow_vrrp(roll, host, paths)
    gateway.listeners.append(lambda kind, _event: roll.configure(node.view()) if kind == "commit" else None)
    roll.configure(node.view())
    listener = listen(str(paths.api_socket))
    serve(build_app(node), listener, lambda: notify("READY=1"))
    notify("STOPPING=1")
    events.stop()
    roll.stop()
    return 0


def make_agents(host: Host, paths: Paths) -> tuple[Agent, ...]:
    """Make the agents of a node."""
    tunnels = TunnelAgent(host).started()
    return NextHopAgent(host, ArpProber()), ConsentAgent(host, ConsentSockets(CONSENT_PORT)), tunnels


def follow_vrrp(roll: Roll, host: Host, paths: Paths) -> VrrpEvents:
    """Follow keepalived's transitions from now on, beginning with what it says of itself now."""

    def tell(zone: str, state: str) -> None:
        if state in set(VrrpRole):
            roll.transition(zone, VrrpRole(state))
        elif state == HEARD_LOWER:
            roll.healed(zone)

    events = VrrpEvents(paths.notify_fifo, tell)
    events.start()
    for instance in host.vrrp.instances():
        data = instance["data"]
        name = str(data.get("iname", "")).removeprefix("zone-")
        tell(name, VRRP_STATES.get(data["state"], ""))
    return events


def start(gateway: Gateway, seed: Seed | None, facts: NodeFacts) -> Boot:
    """Bring up what is stored, else what was seeded; else stay closed, reachable from the private side only."""
    try:
        if gateway.start() is not None:
            return Boot()
    except (EngineError, InvalidConfig, StoreDamaged, OSError, KeyError) as error:
        log.error("the stored configuration does not apply: %s", error)
        close(gateway, facts)
        return Boot((f"the stored configuration does not apply: {error}",))
    if seed is None:
        close(gateway, facts)
        return Boot(("no seed was found: no user-data from any datasource",))
    try:
        tree = load_user_data(seed.user_data, seed.origin).tree
        gateway.commit(tree, Change(Author("seed", way="seed"), f"seeded from {seed.origin}"))
    except (InvalidConfig, EngineError, OSError) as error:
        problems = tuple(str(error).splitlines())
        for problem in problems:
            log.error("seed refused: %s", problem)
        close(gateway, facts)
        return Boot(("the seed was refused, nothing of it is applied:", *problems))
    return Boot()


def close(gateway: Gateway, facts: NodeFacts) -> None:
    """Make the node safe without a configuration: all closed, SSH on the private NIC with the datasource's keys."""
    try:
        gateway.close_down(bootstrap_artefacts(facts))
    except (EngineError, OSError) as error:
        log.error("the closed state could not be set in full: %s", error)


def make_node(
    gateway: Gateway,
    host: Host,
    *,
    facts: NodeFacts,
    problems: Callable[[], tuple[str, ...]],
    version: str,
    agents: tuple[Agent, ...],
) -> Node:
    """Bind what the operations look at."""
    cache: dict[str, Any] = {"config": None, "view": None}

    def view() -> NodeView | None:
        running = gateway.running
        if running.revision is None:
            return None
        if cache["config"] is not running.valid.config:
            cache.update(view=build_view(running.valid.config, current(facts, host)), config=running.valid.config)
        found: NodeView = cache["view"]
        return found

    by_name = {agent.name: agent for agent in agents}
    return Node(gateway, host, IpInspect(), facts, view, by_name, problems, version)


def current(facts: NodeFacts, host: Host) -> NodeFacts:
    """Give the facts with the NICs that are there now."""
    return replace(facts, devices=nics_by_mac(host.netlink.links()))


def write_banner(node: Node, paths: Paths) -> None:
    """Write the login banner: who the node is, and what is wrong."""
    view = node.view()
    name = view.hostname if view else "kawaii"
    text = banner(node.version, name, view.zone if view else node.facts.zone, node.problems())
    node.host.files.write(str(paths.run / "issue"), text, 0o644)


def write_banner_after(kind: str, boot: Boot, node: Node, paths: Paths) -> None:
    """After a commit the node is as configured: the start's problems are over."""
    if kind == "commit":
        boot.problems = ()
        try:
            write_banner(node, paths)
        except OSError as error:
            log.error("the login banner could not be written: %s", error)
