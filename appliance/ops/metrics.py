"""What Prometheus is told of the node, read anew at every scrape (Prometheus text exposition format 0.0.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.agents.consent import ConsentAgent
from appliance.agents.nexthops import NextHopAgent
from appliance.engine.errors import EngineError
from appliance.ops.firewall import read_hits
from appliance.ops.ipsec import show_ipsec
from appliance.ops.operation import Node
from appliance.ops.show import VRRP_STATES

log = logging.getLogger(__name__)

Part = Callable[[Node], Iterator[Metric]]


def _about(node: Node) -> Iterator[Metric]:
    view = node.view()
    labels = [node.version, view.hostname if view else "", (view.zone if view else node.facts.zone) or ""]
    about = GaugeMetricFamily("kawaii_info", "The node and its software", labels=["version", "node", "zone"])
    about.add_metric(labels, 1)
    yield about
    yield GaugeMetricFamily("kawaii_problems", "Problems that show version tells of", value=len(node.problems()))


def _vrrp(node: Node) -> Iterator[Metric]:
    view = node.view()
    found = {int(e["data"]["vrid"]): e for e in node.host.vrrp.instances() if "vrid" in e.get("data", {})}
    state = GaugeMetricFamily("kawaii_vrrp_state", "1 for the state the pair is in here", labels=["zone", "state"])
    home = GaugeMetricFamily("kawaii_vrrp_home", "1 where the zone is this node's own", labels=["zone"])
    changes = CounterMetricFamily(
        "kawaii_vrrp_transitions", "Times the pair was taken or given up here", labels=["zone", "to"]
    )
    for pair in view.pairs if view else ():
        entry = found.get(pair.vrid, {})
        now = VRRP_STATES.get(entry.get("data", {}).get("state", -1), "STOP")
        for name in (*VRRP_STATES.values(), "STOP"):
            state.add_metric([pair.zone, name], float(name == now))
        home.add_metric([pair.zone], float(pair.home))
        counts = entry.get("stats", {})
        changes.add_metric([pair.zone, "MASTER"], int(counts.get("become_master", 0)))
        changes.add_metric([pair.zone, "BACKUP"], int(counts.get("release_master", 0)))
    yield from (state, home, changes)


def _rules(node: Node) -> Iterator[Metric]:
    hits = read_hits(node)
    yield GaugeMetricFamily("kawaii_firewall_loaded", "1 while the kernel has our table", value=float(hits is not None))
    packets = CounterMetricFamily("kawaii_rule_packets", "Packets by rule or NAT counter", labels=["rule"])
    volume = CounterMetricFamily("kawaii_rule_bytes", "Bytes by rule or NAT counter", labels=["rule"])
    for name, (count, size) in sorted((hits or {}).items()):
        packets.add_metric([name], count)
        volume.add_metric([name], size)
    yield from (packets, volume)


def _flows(node: Node) -> Iterator[Metric]:
    count, most = node.inspect.flow_count()
    yield GaugeMetricFamily("kawaii_conntrack_flows", "Tracked flows", value=count)
    yield GaugeMetricFamily("kawaii_conntrack_flows_max", "Tracked flows there may be", value=most)


def _routes(node: Node) -> Iterator[Metric]:
    yield GaugeMetricFamily("kawaii_routes", "Routes of ours in the kernel", value=len(node.host.netlink.routes()))
    agent = node.agents.get(NextHopAgent.name)
    alive = GaugeMetricFamily("kawaii_next_hop_alive", "1 while it answers", labels=["next_hop", "device"])
    since = GaugeMetricFamily("kawaii_next_hop_since_seconds", "When that began", labels=["next_hop", "device"])
    for hop in agent.health() if isinstance(agent, NextHopAgent) else ():
        device, address = hop.target
        alive.add_metric([address, device], float(hop.alive))
        since.add_metric([address, device], hop.since)
    yield from (alive, since)


def _tunnels(node: Node) -> Iterator[Metric]:
    labels = ["tunnel", "zone", "peer"]
    up = GaugeMetricFamily("kawaii_tunnel_up", "1 while it is established here", labels=labels)
    owner = GaugeMetricFamily("kawaii_tunnel_owner", "1 while its VIP is here", labels=labels)
    received = GaugeMetricFamily("kawaii_tunnel_received_bytes", "Since the last rekeying", labels=labels)
    sent = GaugeMetricFamily("kawaii_tunnel_sent_bytes", "Since the last rekeying", labels=labels)
    for row in show_ipsec(node, {}).tables[0].rows:
        names = [str(row["name"]), str(row["zone"] or ""), str(row["peer"] or "")]
        up.add_metric(names, float(row["state"] == "established"))
        owner.add_metric(names, float(bool(row["owner"])))
        received.add_metric(names, int(row["bytes_in"] or 0))
        sent.add_metric(names, int(row["bytes_out"] or 0))
    yield from (up, owner, received, sent)


def _peerings(node: Node) -> Iterator[Metric]:
    agent = node.agents.get(ConsentAgent.name)
    agreed = GaugeMetricFamily(
        "kawaii_peering_agreed", "1 while the other end consents", labels=["peering", "local", "remote"]
    )
    for item in agent.standing() if isinstance(agent, ConsentAgent) else ():
        agreed.add_metric([item.peering, item.local, item.remote], float(item.agreed))
    yield agreed


def _commits(node: Node) -> Iterator[Metric]:
    pointer = node.gateway.pointer
    running = node.gateway.running.revision
    yield CounterMetricFamily("kawaii_commits", "Revisions committed", value=pointer.revision if pointer else 0)
    yield GaugeMetricFamily(
        "kawaii_commit_time_seconds", "When the running one was", value=running.when if running else 0
    )
    waits = node.gateway.confirm_seconds()
    yield GaugeMetricFamily("kawaii_commit_unconfirmed", "1 while one waits", value=float(waits is not None))
    phases = GaugeMetricFamily("kawaii_commit_phase_seconds", "The last commit's phases", labels=["phase"])
    last = node.gateway.last_commit
    for name, seconds in last.phases.items() if last else ():
        phases.add_metric([name], seconds)
    yield phases


PARTS: dict[str, Part] = {
    "about": _about,
    "vrrp": _vrrp,
    "rules": _rules,
    "flows": _flows,
    "routes": _routes,
    "tunnels": _tunnels,
    "peerings": _peerings,
    "commits": _commits,
}


class NodeCollector(Collector):
    """Reads one node for a registry of its own; a part that cannot be read is named, the others are told.

    Nothing here waits for a commit: all that is read of the engine are values that commits replace whole.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """Give all metrics as they are now."""
        failed = GaugeMetricFamily("kawaii_scrape_failed", "1 where a part could not be read", labels=["part"])
        for name, part in PARTS.items():
            try:
                found = list(part(self._node))
            except (EngineError, OSError) as error:
                log.warning("metrics of %s: %s", name, error)
                failed.add_metric([name], 1)
                continue
            failed.add_metric([name], 0)
            yield from found
        yield failed
