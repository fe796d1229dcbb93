"""NICs up with their MTU, and the macvlans that tell the zones' private VIPs apart (semantics S6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from appliance.engine.ports import Host
from appliance.engine.step import Impact, Phase
from appliance.subsystems.items import ItemSubsystem
from appliance.subsystems.view import NodeView


@dataclass(frozen=True, slots=True)
class LinkItem:
    """A NIC (`parent` None) that is up, or a macvlan of ours on `parent` with its MAC address."""

    name: str
    mtu: int | None = None
    parent: str | None = None
    mac: str | None = None
    optional: bool = False
    """A peering's NIC may be absent: that part is held back, the rest goes on."""


class Links(ItemSubsystem[LinkItem]):
    """Sets NICs up; makes and removes our macvlans.  A NIC is never set down: it may carry others' addresses."""

    name = "links"
    put_phase = Phase.LINKS
    remove_phase = Phase.REMOVE_LINKS
    impact = Impact.FLOWS

    def render(self, view: NodeView) -> frozenset[LinkItem]:
        """Give the node's NICs and one macvlan per foreign zone."""
        given = view.facts.mtus
        items = {LinkItem(nic.device, nic.mtu or given.get(nic.device)) for nic in (view.public, view.private) if nic}
        items |= {
            LinkItem(p.device, p.subnet.mtu or given.get(p.device), optional=True) for p in view.peerings if p.own_nic
        }
        if view.private is not None and view.zone is not None:
            below = view.private.device
            mtu = view.private.mtu or given.get(below)
            items |= {
                LinkItem(pair.private_device, mtu, below, vip_mac(view.zone, pair.vrid))
                for pair in view.pairs
                if not pair.home
            }
        return frozenset(items)

    def key(self, item: LinkItem) -> str:
        """A device has one place."""
        return item.name

    def spell(self, item: LinkItem) -> str:
        """Print as ip-link(8) words."""
        words = [item.name, "up"]
        if item.parent is not None:
            words += ["link", item.parent, "address", str(item.mac), "type", "macvlan", "mode", "bridge"]
        if item.mtu is not None:
            words += ["mtu", str(item.mtu)]
        return " ".join(words)

    def put(self, host: Host, item: LinkItem) -> None:
        """Make the macvlan if it is one, then set the link up."""
        if item.optional and item.name not in host.netlink.links():
            return
        if item.parent is not None and item.mac is not None:
            host.netlink.add_macvlan(item.name, item.parent, item.mac)
        host.netlink.set_link(item.name, up=True, mtu=_possible_mtu(host, item))
        if item.parent is None and item.mtu is not None:
            # the kernel shrinks the macvlans with their NIC, and does not let them grow again with it
            for link in host.netlink.links().values():
                if link.parent == item.name and _ours(link.name, link.kind) and link.mtu != item.mtu:
                    host.netlink.set_link(link.name, mtu=item.mtu)

    def remove(self, host: Host, item: LinkItem) -> None:
        """Remove a macvlan; leave a NIC as it is."""
        if item.parent is not None:
            host.netlink.delete_link(item.name)

    def observe(self, host: Host, wanted: frozenset[LinkItem]) -> frozenset[LinkItem]:
        """Read the wanted links, and macvlans of ours that nobody wants any more."""
        links = host.netlink.links()
        by_name = {item.name: item for item in wanted}
        found = set()
        for item in wanted:
            link = links.get(item.name)
            if link is None and item.optional:
                found.add(item)
            elif link is not None and link.up:
                mtu = link.mtu if item.mtu is not None else None
                virtual = item.parent is not None
                found.add(
                    LinkItem(
                        item.name, mtu, link.parent if virtual else None, link.mac if virtual else None, item.optional
                    )
                )
        for link in links.values():
            if _ours(link.name, link.kind) and link.name not in by_name:
                found.add(LinkItem(link.name, None, link.parent, link.mac))
        return frozenset(found)


def _possible_mtu(host: Host, item: LinkItem) -> int | None:
    # a macvlan cannot exceed its NIC, which takes it along when it comes to its own MTU later in the transaction
    below = host.netlink.links().get(item.parent) if item.parent is not None else None
    return min(item.mtu, below.mtu) if below is not None and item.mtu is not None else item.mtu


def _ours(name: str, kind: str) -> bool:
    return kind == "macvlan" and name.startswith("vip")


def vip_mac(zone: str, vrid: int) -> str:
    """Give a macvlan's MAC: locally administered, stable for a node and a VRID, unlike the other nodes'."""
    digest = hashlib.sha256(f"{zone}/{vrid}".encode()).digest()
    return "02:" + ":".join(f"{byte:02x}" for byte in digest[:4]) + f":{vrid:02x}"
