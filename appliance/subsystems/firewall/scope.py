"""What the table's chains share, derived once from the node's view: devices, networks, virtual addresses."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from appliance.schema.interfaces import Application, Consent, Via
from appliance.schema.ipsec import IpsecConnection
from appliance.schema.types import IPAddress, IPNetwork
from appliance.subsystems.firewall.match import FAMILIES, V4, Family, collapse, network_set, quoted
from appliance.subsystems.firewall.ruleset import Draft, NamedSet
from appliance.subsystems.routes import device_of
from appliance.subsystems.view import NodeView, PeeringView, private_networks, remote_networks

TUNNEL_DEVICES = ("xfrm-*", "ipsec*")
"""The xfrm interfaces of connections, and the device of user-space ESP (strongSwan's kernel-libipsec)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A peering as the filter sees it."""

    view: PeeringView
    devices: tuple[str, ...]
    sources: tuple[IPNetwork, ...]
    """Who may send to us: the other project's gateways; the whole subnet for a service or what is behind Kiwi."""
    gated: bool
    """Nothing passes before the two gateways have authenticated each other."""

    @property
    def name(self) -> str:
        """The stem of its chains, sets and counters; a slash follows it, which no name has."""
        return f"peer_{self.view.name}"

    @property
    def own_nic(self) -> bool:
        """Whether it has a NIC to itself, rather than being reached on the private one."""
        return self.view.own_nic

    @property
    def families(self) -> tuple[Family, ...]:
        """Give the families that are spoken with it."""
        versions = {network.version for network in (*self.view.networks, *self.sources)}
        return tuple(family for family in FAMILIES if family.version in versions)

    @property
    def consent(self) -> str:
        """The set of families (``ipv4``, ``ipv6``) that may pass; the daemon adds them with a time-out."""
        return f"consent_{self.view.name}"

    def networks_set(self, family: Family) -> str:
        """Refer to the peer's networks of a family."""
        return f"@{self.name}/networks{family.version}"

    def sources_set(self, family: Family) -> str:
        """Refer to the peer's senders of a family."""
        return f"@{self.name}/sources{family.version}"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An IPsec connection as the filter sees it."""

    name: str
    connection: IpsecConnection
    remote: tuple[IPNetwork, ...]
    local: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """A node's view in the filter's terms."""

    view: NodeView
    families: tuple[Family, ...]
    public: str | None
    private: tuple[str, ...]
    """The private NIC and our macvlans on it."""
    peers: tuple[Peer, ...]
    tunnels: tuple[Tunnel, ...]

    @property
    def home(self) -> int | None:
        """The VRID of the node's own zone."""
        return next((pair.vrid for pair in self.view.pairs if pair.home), None)

    def private_networks(self, family: Family) -> tuple[IPNetwork, ...]:
        """Give the project's own subnets of a family."""
        return collapse(self.view.private.subnets, family) if self.view.private else ()

    def public_vips(self, family: Family) -> dict[int, IPAddress]:
        """Give every zone's public address by VRID: a stand-in may hold any of them."""
        return {p.vrid: vip.ip for p in self.view.pairs for vip in p.public if vip.version == family.version}

    def private_vips(self, family: Family) -> dict[int, IPAddress]:
        """Give every zone's private address by VRID."""
        return {p.vrid: vip.ip for p in self.view.pairs for vip in p.private if vip.version == family.version}

    def inside_networks(self, family: Family) -> tuple[IPNetwork, ...]:
        """Give what is not the Internet: `private_networks` of the view, and subnets that nobody has peered yet."""
        networks = list(private_networks(self.view))
        for subnet in self.view.config.subnets.values():
            networks += [network for network in (subnet.cidr, subnet.cidr6) if network is not None]
        return collapse(networks, family)

    def egress_devices(self) -> tuple[str, ...]:
        """Give the NICs that lead to the Internet: the public one, and those that configured routes leave by."""
        routes = self.view.config.routes.values()
        routed = [device_of(self.view, hop.dev) for route in routes for hop in route.next_hops.values()]
        return tuple(dict.fromkeys([*((self.public,) if self.public else ()), *routed]))

    def has_private(self, family: Family) -> bool:
        """Whether instances speak this family."""
        return bool(self.private_networks(family))

    def each_private_family(self) -> Iterator[Family]:
        """Give the families that instances speak."""
        return (family for family in self.families if self.has_private(family))


def derive_scope(view: NodeView) -> Scope:
    """Derive what the chains share."""
    networks: list[IPNetwork] = []
    for nic in (view.public, view.private):
        networks += nic.subnets if nic else ()
    for peering in view.peerings:
        networks += peering.networks
    networks += [vip.network for pair in view.pairs for vip in (*pair.public, *pair.private)]
    families = tuple(f for f in FAMILIES if f is V4 or any(n.version == f.version for n in networks))
    peers = tuple(_peer(view, peering) for peering in view.peerings if peering.device)
    return Scope(
        view=view,
        families=families,
        public=view.public.device if view.public else None,
        private=view.private_devices,
        peers=peers,
        tunnels=tuple(_tunnels(view)),
    )


def add_shared_sets(draft: Draft, scope: Scope) -> None:
    """Add the sets that several chains refer to."""
    draft.named_set(device_set("private_devices", scope.private))
    draft.named_set(device_set("egress_devices", scope.egress_devices()))
    for family in scope.families:
        vips = scope.public_vips(family)
        host_set(draft, "public_vips", family, vips.values())
        vip_map(draft, "public_vip", family, vips)
        if scope.has_private(family):
            network_set(draft, "private", family, scope.private_networks(family))
            network_set(draft, "inside", family, scope.inside_networks(family))
            network_set(draft, "remote", family, (n for tunnel in scope.tunnels for n in tunnel.remote))
            vip_map(draft, "private_vip", family, scope.private_vips(family))


def device_set(name: str, devices: Iterable[str]) -> NamedSet:
    """Make a set of device names."""
    return NamedSet(name, "ifname", elements=tuple((f'"{device}"', None) for device in dict.fromkeys(devices)))


def host_set(draft: Draft, name: str, family: Family, addresses: Iterable[IPAddress]) -> str:
    """Add a hash set of addresses of one family; gives the reference."""
    elements = tuple((str(ip), None) for ip in dict.fromkeys(addresses) if ip.version == family.version)
    return draft.named_set(NamedSet(f"{name}{family.version}", family.address, elements=elements))


def vip_map(draft: Draft, name: str, family: Family, vips: dict[int, IPAddress]) -> str:
    """Add a map from a flow's zone (its mark, the VRID) to an address; gives the reference."""
    elements = tuple((str(vrid), str(ip)) for vrid, ip in vips.items())
    return draft.named_set(NamedSet(f"{name}{family.version}", "mark", family.address, elements=elements))


def tunnel_devices() -> str:
    """Spell the devices that tunnels' packets come and go by."""
    return quoted(TUNNEL_DEVICES)


def _peer(view: NodeView, peering: PeeringView) -> Peer:
    subnet = peering.subnet
    provided = subnet.application is Application.CEPH if subnet.consent is None else subnet.consent is Consent.PROVIDER
    sources = tuple(ip_network(gateway) for gateway in subnet.gateways)
    if provided or (subnet.via is Via.KIWI and not sources):
        sources = peering.networks
    devices = (peering.device,) if peering.own_nic else view.private_devices
    return Peer(peering, devices, sources, gated=peering.peering.consent_key is not None and not provided)


def _tunnels(view: NodeView) -> Iterator[Tunnel]:
    own = view.private.subnets if view.private else ()
    for name, connection in view.config.ipsec.items():
        if not connection.disabled:
            remote = remote_networks(connection.remote_subnet, connection.remote_subnets)
            yield Tunnel(tunnel_name(name), connection, remote, connection.local_subnets or own)


def tunnel_name(name: str) -> str:
    """Give the stem of a tunnel's chain and counters: its name's letters and digits, and a checksum of all of it."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:32]
    return f"tunnel_{plain}_{zlib.crc32(name.encode()):08x}"


def remote_peers(scope: Scope) -> tuple[tuple[IPAddress, ...], bool]:
    """Give the far ends' addresses, and whether any of them is not known by its address."""
    found: list[IPAddress] = []
    anyone = scope.view.config.remote_access.enabled
    for tunnel in scope.tunnels:
        try:
            found.append(ip_address(tunnel.connection.remote_peer.strip()))
        except ValueError:
            anyone = True
    return tuple(dict.fromkeys(found)), anyone
