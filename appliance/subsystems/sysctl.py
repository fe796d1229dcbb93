"""Kernel parameters of a gateway (ip-sysctl); forwarding comes last, after the rules are loaded (semantics S11)."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import Host
from appliance.engine.step import Impact, Phase
from appliance.subsystems.items import ItemSubsystem
from appliance.subsystems.view import NodeView


@dataclass(frozen=True, slots=True, order=True)
class Parameter:
    """A parameter and its value; an `optional` one may be missing or read-only, as in a namespace."""

    name: str
    value: str
    optional: bool = False


RESET_BY_FORWARDING = ("net.ipv4.conf.all.accept_redirects", "net.ipv4.conf.default.accept_redirects")
"""What the kernel sets anew whenever ip_forward changes (inet_forward_change): a router's or a host's default."""

FORWARDING = frozenset({"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"})

ALWAYS = (
    Parameter("net.ipv4.conf.all.arp_ignore", "1"),
    Parameter("net.ipv4.conf.all.arp_announce", "2"),
    Parameter("net.ipv4.conf.all.promote_secondaries", "1"),
    Parameter("net.ipv4.conf.default.promote_secondaries", "1"),
    Parameter("net.ipv4.conf.all.send_redirects", "0"),
    Parameter("net.ipv4.conf.default.send_redirects", "0"),
    Parameter("net.ipv4.conf.all.accept_redirects", "0"),
    Parameter("net.ipv4.conf.default.accept_redirects", "0"),
    Parameter("net.ipv4.conf.all.accept_source_route", "0"),
    Parameter("net.ipv4.conf.all.rp_filter", "0"),
    Parameter("net.ipv4.conf.default.rp_filter", "0"),
    Parameter("net.ipv4.conf.all.ignore_routes_with_linkdown", "1"),
    Parameter("net.ipv4.conf.default.ignore_routes_with_linkdown", "1"),
    Parameter("net.ipv4.fib_multipath_hash_policy", "1"),
    Parameter("net.netfilter.nf_conntrack_tcp_be_liberal", "1", optional=True),
    Parameter("net.netfilter.nf_conntrack_max", "1048576", optional=True),
)


class Sysctls(ItemSubsystem[Parameter]):
    """Sets parameters; one that is no longer wanted goes back to the kernel's default where that is known."""

    name = "sysctl"
    put_phase = Phase.SYSCTL
    remove_phase = Phase.SYSCTL
    impact = Impact.SERVICE

    def render(self, view: NodeView) -> frozenset[Parameter]:
        """Give the parameters; IPv6 is forwarded only where a NIC has an IPv6 subnet."""
        nics = [nic for nic in (view.public, view.private) if nic is not None]
        six = any(subnet.version == 6 for nic in nics for subnet in nic.subnets)
        devices = [nic.device for nic in nics]
        devices += [peering.device for peering in view.peerings if peering.own_nic]
        items = set(ALWAYS)
        for device in (*devices, *(pair.private_device for pair in view.pairs if not pair.home)):
            own = device.replace(".", "/")
            items |= {
                Parameter(f"net.ipv4.conf.{own}.rp_filter", "0", optional=True),
                Parameter(f"net.ipv4.conf.{own}.send_redirects", "0", optional=True),
                Parameter(f"net.ipv6.conf.{own}.accept_ra", "0", optional=True),
            }
        items.add(Parameter("net.ipv4.ip_forward", "1" if nics else "0"))
        items.add(Parameter("net.ipv6.conf.all.forwarding", "1" if six else "0", optional=True))
        return frozenset(items)

    def key(self, item: Parameter) -> str:
        """A parameter has one value."""
        return item.name

    def spell(self, item: Parameter) -> str:
        """Print as sysctl.conf(5)."""
        return f"{item.name} = {item.value}"

    def phase_of(self, item: Parameter) -> Phase:
        """Forwarding is switched on when all else is done, and off before anything else."""
        if item.name not in FORWARDING:
            return self.put_phase
        return Phase.FORWARDING if item.value == "1" else Phase.LINKS

    def put(self, host: Host, item: Parameter) -> None:
        """Set the parameter; an optional one that cannot be set is left as it is."""
        try:
            if host.sysctl.get(item.name) != item.value:
                host.sysctl.set(item.name, item.value)
        except ApplyFailed:
            if not item.optional:
                raise
        if item.name == "net.ipv4.ip_forward":
            for name in RESET_BY_FORWARDING:
                host.sysctl.set(name, "0")

    def remove(self, host: Host, item: Parameter) -> None:
        """Leave the parameter: what belonged to a device is gone with it or does no harm."""

    def observe(self, host: Host, wanted: frozenset[Parameter]) -> frozenset[Parameter]:
        """Read the wanted parameters; an optional one that differs counts as it is, for it cannot be helped."""
        found = set()
        for item in wanted:
            value = host.sysctl.get(item.name)
            if value == item.value or (item.optional and value is None):
                found.add(item)
            elif value is not None:
                found.add(item if _read_only(item) else Parameter(item.name, value, item.optional))
        return frozenset(found)


def _read_only(item: Parameter) -> bool:
    return item.optional and item.name == "net.netfilter.nf_conntrack_max"
