"""Regions that the node's renderers are tested with, and a host in memory that keeps what it is given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from appliance.engine.errors import ApplyFailed, Refused
from appliance.engine.ports import (
    ROUTE_PROTOCOL,
    AddressOn,
    Host,
    Link,
    PolicyRule,
    RouteTo,
    ServiceState,
)
from appliance.engine.step import AnySubsystem, Step
from appliance.sources.userdata import load_text
from appliance.subsystems.view import NodeFacts, NodeView, build_view

INTERFACES = """
system: {project: acme}
interfaces:
  public: {device: ens3, subnet: 4.5.6.0/26, gateway: 4.5.6.62}
  private: {device: ens4, subnet: 10.50.201.0/24, gateway: 10.50.201.1}
"""
ZONE_A = "    - {zone: a, public_ip: 4.5.6.10, private_ip: 10.50.201.252, vrid: 1, peer: 10.50.201.11}\n"
ZONE_B = "    - {zone: b, public_ip: 4.5.6.11, private_ip: 10.50.201.253, vrid: 2, peer: 10.50.201.12}\n"
ZONE_C = "    - {zone: c, public_ip: 4.5.6.12, private_ip: 10.50.201.254, vrid: 3, peer: 10.50.201.13, standby: [b]}\n"
ZONES = "netcfg:\n  zones:\n"
WEIGHTED = """
routes:
  - destination: 0.0.0.0/0
    next_hops:
      - {via: 4.5.6.62, weight: 2}
      - {via: 4.5.6.61}
      - {via: 4.5.6.60, metric: 10}
  - destination: 10.8.0.0/16
    next_hops:
      - {via: 10.50.201.1, dev: private, weight: 3}
      - {via: 10.50.201.2, dev: private}
"""
PEERING = """
subnets:
  ceph: {cidr: 10.50.102.0/24, device: ens5, application: ceph, mtu: 9000}
  other: {cidr: 10.50.205.0/24, device: ens6, gateways: [10.50.205.252, 10.50.205.253]}
vpc_peerings:
  - {subnet: ceph, netcfg: [{zone: a, private_ip: 10.50.102.70}, {zone: b, private_ip: 10.50.102.71}]}
  - {subnet: other, netcfg: [{zone: a, private_ip: 10.50.205.70}, {zone: b, private_ip: 10.50.205.71}]}
"""
SIX = """
system: {project: acme}
interfaces:
  public: {device: ens3, subnet: 4.5.6.0/26, gateway: 4.5.6.62, subnet6: "2001:db8:1::/64", gateway6: "2001:db8:1::1"}
  private: {device: ens4, subnet: 10.50.201.0/24, subnet6: "fd00:50::/64", address6: "fd00:50::11"}
netcfg:
  zones:
    - {zone: a, public_ip: 4.5.6.10, private_ip: 10.50.201.252, public_ip6: "2001:db8:1::10",
       private_ip6: "fd00:50::252", vrid: 1, peer: 10.50.201.11}
"""

REGIONS: dict[str, tuple[str, str]] = {
    "one-zone": (INTERFACES + ZONES + ZONE_A, "a"),
    "two-zones-a": (INTERFACES + ZONES + ZONE_A + ZONE_B + WEIGHTED, "a"),
    "two-zones-b": (INTERFACES + ZONES + ZONE_A + ZONE_B + WEIGHTED, "b"),
    "three-zones-a": (INTERFACES + ZONES + ZONE_A + ZONE_B + ZONE_C, "a"),
    "three-zones-b": (INTERFACES + ZONES + ZONE_A + ZONE_B + ZONE_C, "b"),
    "peered": (INTERFACES + ZONES + ZONE_A + ZONE_B + PEERING, "a"),
    "multicast": (INTERFACES + ZONES + ZONE_A + ZONE_B + "ha: {mode: multicast, track: {interfaces: []}}\n", "a"),
    "v6": (SIX, "a"),
}


def region(name: str) -> NodeView:
    """Give a region as one of its gateways sees it."""
    text, zone = REGIONS[name]
    return view_of(text, zone)


def view_of(text: str, zone: str = "a", **facts: Any) -> NodeView:
    """Give a configuration as a zone's gateway sees it."""
    return build_view(load_text(text, "test").config, NodeFacts(zone=zone, **facts))


@dataclass
class MemoryNetlink:
    """Links, addresses, routes and rules as values."""

    known: dict[str, Link] = field(default_factory=dict)
    held: set[AddressOn] = field(default_factory=set)
    table: dict[tuple[int, object, int], RouteTo] = field(default_factory=dict)
    policy: set[PolicyRule] = field(default_factory=set)
    drops_routes: bool = False
    """Whether removing an address takes the routes along, as the kernel does with a NIC's last one."""

    def plug(self, *devices: str) -> None:
        for device in devices:
            self.known[device] = Link(device, len(self.known) + 2, "52:54:00:00:00:01", False, True, 1500)

    def links(self) -> dict[str, Link]:
        return dict(self.known)

    def addresses(self) -> frozenset[AddressOn]:
        return frozenset(self.held)

    def routes(self, protocol: int = ROUTE_PROTOCOL) -> frozenset[RouteTo]:
        return frozenset(self.table.values())

    def rules(self, protocol: int = ROUTE_PROTOCOL) -> frozenset[PolicyRule]:
        return frozenset(self.policy)

    def set_link(self, device: str, *, up: bool | None = None, mtu: int | None = None) -> None:
        if device not in self.known:
            raise ApplyFailed(f"there is no interface {device}")
        link = self.known[device]
        self.known[device] = replace(link, up=link.up if up is None else up, mtu=mtu or link.mtu)

    def add_macvlan(self, name: str, parent: str, mac: str) -> None:
        self.known[name] = Link(name, 100 + len(self.known), mac, False, True, 1500, "macvlan", parent)

    def delete_link(self, name: str) -> None:
        self.known.pop(name, None)

    def add_address(self, item: AddressOn) -> None:
        self.held.add(item)

    def delete_address(self, item: AddressOn) -> None:
        self.held.discard(item)
        if self.drops_routes:
            self.table.clear()

    def replace_route(self, route: RouteTo) -> None:
        self.table[route.table, route.destination, route.metric] = route

    def delete_route(self, route: RouteTo) -> None:
        self.table.pop((route.table, route.destination, route.metric), None)

    def add_rule(self, rule: PolicyRule) -> None:
        self.policy.add(rule)

    def delete_rule(self, rule: PolicyRule) -> None:
        self.policy.discard(rule)


@dataclass
class MemorySysctl:
    """Parameters that exist because somebody has set them; some cannot be written."""

    values: dict[str, str] = field(default_factory=dict)
    read_only: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    def get(self, name: str) -> str | None:
        return None if name in self.missing else self.values.get(name, "unset")

    def set(self, name: str, value: str) -> None:
        if name in self.read_only | self.missing:
            raise ApplyFailed(f"sysctl {name} = {value}: Permission denied")
        self.values[name] = value


@dataclass
class MemoryVrrp:
    """keepalived that runs whatever it is given, after as many looks as `slow` says."""

    text: str | None = None
    signals: int = 0
    refuses: str | None = None
    vrids: set[int] = field(default_factory=set)
    slow: int = 0

    def check(self, text: str) -> None:
        if self.refuses is not None and self.refuses in text:
            raise Refused(f"keepalived refuses: {self.refuses}")

    def configured(self) -> str | None:
        return self.text

    def configure(self, text: str | None) -> None:
        self.text = text
        self.signals += 1

    def service(self) -> ServiceState:
        return ServiceState(self.text is not None, 1)

    def instances(self) -> list[dict[str, Any]]:
        if self.slow > 0:
            self.slow -= 1
            return []
        return [{"data": {"vrid": vrid}} for vrid in self.vrids]

    def contest(self, vrid: int) -> None:
        """Nobody hears it."""

    def generation(self) -> int:
        return self.signals


@dataclass
class Memory:
    """A host of memory ports."""

    netlink: MemoryNetlink = field(default_factory=MemoryNetlink)
    sysctl: MemorySysctl = field(default_factory=MemorySysctl)
    vrrp: MemoryVrrp = field(default_factory=MemoryVrrp)

    @property
    def host(self) -> Host:
        """The ports as the engine gets them."""
        return self  # type: ignore[return-value]


def apply(memory: Memory, steps: tuple[Step, ...]) -> None:
    """Apply steps as a transaction does: by phase."""
    for step in sorted(steps, key=lambda step: step.phase):
        step.apply(memory.host)


def revert(memory: Memory, steps: tuple[Step, ...]) -> None:
    """Undo steps as a transaction does: in reverse."""
    for step in list(reversed(sorted(steps, key=lambda step: step.phase))):  # noqa: C413  equal phases are reversed too
        step.revert(memory.host)


def bring_up(subsystem: AnySubsystem, view: NodeView, memory: Memory) -> Any:
    """Render a view and apply it to a host that has nothing of ours; gives the artefact."""
    artefact = subsystem.render(view)
    apply(memory, subsystem.plan(None, artefact))
    return artefact
