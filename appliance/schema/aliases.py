"""Other spellings of the tree's keys: what the product page, Terraform and older releases write.

Values' other spellings (case, ``SHA2-256``) belong to their types.
"""

from __future__ import annotations

from collections.abc import Mapping

from appliance.schema.ipsec import IpsecConnection
from appliance.schema.peering import PeeringAddress, VpcPeering
from appliance.schema.root import Config
from appliance.schema.section import Section
from appliance.schema.shape import Part
from appliance.schema.zones import Netcfg, ZonePlan

RENAMED: Mapping[type[Section], Mapping[str, str]] = {
    Config: {"netip": "netcfg", "dnat": "nat_rules", "kawaii_ipsec": "ipsec", "ipsec_connections": "ipsec"},
    ZonePlan: {"public": "public_ip", "private": "private_ip"},
    VpcPeering: {"ingress": "ingress_rules", "egress": "egress_rules", "netip": "netcfg"},
    PeeringAddress: {"private": "private_ip"},
    IpsecConnection: {"remote_ip": "remote_peer", "dpd_timeout_action": "dpd_action", "rekey_time": "rekey"},
}
"""A section's key by another name."""

MOVED: Mapping[type[Section], Mapping[str, Mapping[str, str]]] = {
    Config: {"firewall": {"ingress": "ingress_rules", "egress_policy": "egress_policy", "egress": "egress_rules"}},
    IpsecConnection: {"firewall": {"ingress": "ingress_rules"}},
}
"""A section's keys that are written one level deeper."""

SUMMARIES: Mapping[type[Section], Mapping[str, str]] = {
    Netcfg: {
        "public": "public_ip",
        "private": "private_ip",
        "public_ips": "public_ip",
        "private_ips": "private_ip",
    },
}
"""Keys that repeat the entries' addresses, by the entries' attribute."""


def canonical_key(part: Part, key: str) -> str | None:
    """Give the attribute that a key names in a section, or None where it names none."""
    if key in part.attributes:
        return key
    spelled = key.replace("-", "_")
    if spelled in part.attributes:
        return spelled
    renamed = RENAMED.get(part.model, {}).get(spelled)
    if renamed is None and spelled == "description" and "desc" in part.attributes:
        return "desc"
    return renamed
