"""With whom a node has to agree: derived purely from its view and from the pairs that it holds (semantics S4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.agents.agent import Roles, VrrpRole
from appliance.schema.types import IPAddress
from appliance.schema.value import Secret
from appliance.subsystems.firewall.scope import Peer, derive_scope
from appliance.subsystems.view import NodeView, Pair, PeeringView


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an agreement opens: the nftables set of a peering, by the key that both projects have configured."""

    peering: str
    consent: str
    key: Secret


@dataclass(frozen=True, slots=True)
class Partner:
    """One of our addresses in a peering, and a gateway of the other project."""

    agreement: Agreement
    device: str
    local: IPAddress
    remote: IPAddress

    @property
    def family(self) -> str:
        """The family that is agreed on, as nftables names it."""
        return f"ipv{self.local.version}"


def addresses_of(peering: PeeringView, pair: Pair) -> tuple[tuple[str, IPAddress], ...]:
    """Give a zone's (device, address) in a peering: on a NIC of its own, else the zone's private VIP."""
    if peering.own_nic:
        return tuple((peering.device, address) for address in peering.addresses.get(pair.zone, ()))
    return tuple((pair.private_device, item.ip) for item in pair.private)


def agreements(view: NodeView | None) -> dict[Agreement, Peer]:
    """Give what needs an agreement of gateways; empty without a configuration."""
    found: dict[Agreement, Peer] = {}
    for peer in derive_scope(view).peers if view is not None else ():
        key = peer.view.peering.consent_key
        if peer.gated and key is not None:
            found[Agreement(peer.view.name, peer.consent, key)] = peer
    return found


def partners(view: NodeView | None, roles: Roles) -> Iterator[Partner]:
    """Give whom this node, with the pairs that it holds, has to agree with."""
    held = [pair for pair in view.pairs if roles.get(pair.zone) is VrrpRole.MASTER] if view is not None else []
    for agreement, peer in agreements(view).items():
        for pair in held:
            for device, local in addresses_of(peer.view, pair):
                for remote in peer.view.subnet.gateways:
                    if remote.version == local.version:
                        yield Partner(agreement, device, local, remote)
