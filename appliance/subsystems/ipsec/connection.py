"""A connection as this region's gateways give it to charon."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from appliance.schema.ipsec import IpsecConnection
from appliance.schema.types import IPAddress, IPNetwork
from appliance.schema.value import Secret
from appliance.schema.zones import ZonePlan
from appliance.subsystems.ipsec.naming import ANYONE, allot_if_ids, device_of, identity, wire_name
from appliance.subsystems.ipsec.proposals import esp_proposal, ike_proposal
from appliance.subsystems.view import NodeView, remote_networks

LONGEST_PROBE = 30
"""Seconds of silence after which charon asks a peer whether it lives, where `dpd_timeout` does not need it sooner."""
PROBES_IN_TIMEOUT = 4
LONG_ENOUGH = 10
"""Seconds for any rekeying."""

Tree = dict[str, Any]
"""A VICI message: texts, lists of texts, and sections (strongSwan's README.vici)."""


@dataclass(frozen=True)
class Connection:
    """One connection; lives and the probe interval are seconds."""

    name: str
    wire: str
    """The name charon knows it by."""
    zone: str
    local: tuple[str, ...]
    remote: str
    local_id: str
    remote_id: str
    local_networks: tuple[IPNetwork, ...]
    remote_networks: tuple[IPNetwork, ...]
    ike_proposal: str
    esp_proposal: str
    ike_life: int
    child_life: int
    child_rekey: int
    probe: int
    if_id: int
    secret: Secret | None = None
    secret_file: str | None = None

    @property
    def device(self) -> str:
        """The xfrm interface's name."""
        return device_of(self.if_id)

    @cached_property
    def digest(self) -> str:
        """A digest of all that charon gets but the secret; it stands in the secret's id, where it can be read back."""
        return hashlib.sha256(json.dumps(self.tree(xfrm=True), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def secret_id(self) -> str:
        """The id of the secret in charon's memory."""
        return f"kawaii {self.digest} {self.wire}"

    @property
    def owners(self) -> list[str]:
        """Whose secret it is; `%any` ranks a secret for a far end of any identity before one for another's."""
        return [self.local_id, self.remote_id]

    def tree(self, *, xfrm: bool) -> Tree:
        """Give the connection as charon's load-conn takes it; with `xfrm` bound to its interface.

        charon itself starts nothing, moves nothing to another address and does nothing about a dead peer: the node's
        agent does, which knows where the VIP is.
        """
        ike_margin, child_margin = _margin(self.ike_life), _margin(self.child_life)
        child_rekey = min(self.child_rekey, self.child_life - child_margin)
        child: Tree = {
            "mode": "tunnel",
            "local_ts": [str(network) for network in self.local_networks],
            "remote_ts": [str(network) for network in self.remote_networks],
            "esp_proposals": [self.esp_proposal],
            "life_time": f"{self.child_life}s",
            "rekey_time": f"{child_rekey}s",
            "rand_time": f"{min(child_margin // 2, max(1, child_rekey // 10))}s",
            "start_action": "none",
            "close_action": "none",
            "dpd_action": "clear",
        }
        if xfrm:
            child |= {"if_id_in": str(self.if_id), "if_id_out": str(self.if_id)}
        return {
            "version": "2",
            "local_addrs": list(self.local),
            "remote_addrs": [self.remote],
            "proposals": [self.ike_proposal],
            "unique": "replace",
            "mobike": "no",
            "keyingtries": "1",
            "reauth_time": "0s",
            "rekey_time": f"{self.ike_life - ike_margin}s",
            "over_time": f"{ike_margin}s",
            "rand_time": f"{ike_margin // 2}s",
            "dpd_delay": f"{self.probe}s",
            "local": {"auth": "psk", "id": self.local_id},
            "remote": {"auth": "psk", "id": self.remote_id},
            "children": {self.wire: child},
        }


def connections_of(view: NodeView) -> Iterator[Connection]:
    """Give the connections of a node's view; every gateway of a region has them all, whoever holds the VIPs."""
    numbers = allot_if_ids(view.config.ipsec)
    for name, connection in view.config.ipsec.items():
        if not connection.disabled:
            yield _connection(view, name, connection, numbers[name])


def zone_of(connection: IpsecConnection, zones: Mapping[str, ZonePlan]) -> str:
    """Give the zone whose pair a connection belongs to: the stated one, else the first."""
    return connection.zone or next(iter(zones), "")


def _connection(view: NodeView, name: str, given: IpsecConnection, if_id: int) -> Connection:
    zones = view.config.netcfg.zones
    zone = zone_of(given, zones)
    peer = _address(given.remote_peer.strip())
    plan = zones.get(zone)
    ends = [ip for ip in (plan.public_ip, plan.public_ip6) if ip is not None] if plan else []
    if peer is not None:
        ends = [ip for ip in ends if ip.version == peer.version]
    remote = remote_networks(given.remote_subnet, given.remote_subnets)
    local = given.local_subnets or (view.private.subnets if view.private else ())
    versions = {network.version for network in remote} & {network.version for network in local}
    return Connection(
        name=name,
        wire=wire_name(name),
        zone=zone,
        local=tuple(str(ip) for ip in ends) or (ANYONE,),
        remote=str(peer) if peer is not None else given.remote_peer.strip(),
        local_id=identity(given.local_id or (str(ends[0]) if ends else ANYONE)),
        remote_id=identity(given.remote_id or (str(peer) if peer is not None else ANYONE)),
        local_networks=tuple(network for network in local if network.version in versions),
        remote_networks=tuple(network for network in remote if network.version in versions),
        ike_proposal=ike_proposal(given),
        esp_proposal=esp_proposal(given),
        ike_life=given.phase1_lifetime.seconds,
        child_life=given.phase2_lifetime.seconds,
        child_rekey=given.rekey.seconds,
        probe=min(LONGEST_PROBE, max(1, given.dpd_timeout.seconds // PROBES_IN_TIMEOUT)),
        if_id=if_id,
        secret=given.pre_shared_key,
        secret_file=given.pre_shared_key_file,
    )


def _margin(life: int) -> int:
    """Give the seconds between the latest rekeying and the end of a life.

    A tenth of it; of a short one up to ten seconds, for a request that is lost is repeated only after four.
    """
    return max(life // 10, min(LONG_ENOUGH, life // 3))


def _address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
