"""`ipsec` and `remote_access`: tunnels to anything outside (IKEv2, RFC 7296)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from appliance.schema.firewall import Rule, RuleNumber
from appliance.schema.section import NAME, RULE, Section
from appliance.schema.types import Address, Duration, DurationText, FreeText, Name, Network, Selector
from appliance.schema.value import Choice, Flag, Secret, Text, refuse


class Integrity(Choice):
    """Integrity algorithms of a proposal (RFC 8247)."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA384 = "SHA384"
    SHA512 = "SHA512"

    @classmethod
    def fold(cls, text: str) -> str:
        """Reduce a spelling as every choice does, and SHA2-256 to SHA256."""
        return re.sub(r"^sha2(?=(256|384|512)$)", "sha", super().fold(text))


class Encryption(Choice):
    """Encryption algorithms of a proposal; the last five are AEADs and need no integrity algorithm."""

    AES128 = "AES128"
    AES256 = "AES256"
    CAMELLIA128 = "CAMELLIA128"
    CAMELLIA256 = "CAMELLIA256"
    AES128GCM16 = "AES128GCM16"
    AES256GCM16 = "AES256GCM16"
    CHACHA20POLY1305 = "CHACHA20POLY1305"


DH_GROUPS = frozenset({2, 5, *range(14, 25), *range(25, 33)})
WEAK_DH_GROUPS = frozenset({2, 5, 22, 23, 24})


def parse_dh_group(value: Any) -> int:
    """Parse a Diffie-Hellman group by its IANA number."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not text.isdigit() or int(text) not in DH_GROUPS:
        raise refuse("not a Diffie-Hellman group", "2, 5, 14-24 or 25-32")
    return int(text)


class DpdAction(Choice):
    """What is done when the peer is dead (semantics S9)."""

    CLEAR = "clear"
    RESTART = "restart"
    TRAP = "trap"
    START = "start"


class StartAction(Choice):
    """What is done once the connection is loaded."""

    NONE = "none"
    START = "start"
    TRAP = "trap"


DhGroup = Annotated[int, Text(parse_dh_group, int, kind="dh-group", words=tuple(map(str, sorted(DH_GROUPS))))]


class TunnelRule(Rule):
    """Opens new connections from behind the tunnel."""

    source: Selector | None = Field(None, description="Who may connect; by default anyone", examples=["172.16.1.0/24"])


class IpsecConnection(Section):
    """One route-based IKEv2 connection to one remote peer."""

    desc: FreeText | None = Field(None, description="What it is for", examples=["connect to the office"])
    pre_shared_key: Secret | None = Field(None, description="The shared secret, any text", examples=["correct horse"])
    pre_shared_key_file: FreeText | None = Field(
        None, description="File that holds the shared secret", examples=["/var/lib/kawaii/office.psk"]
    )
    remote_peer: FreeText = Field(description="The far end, by address or name", examples=["5.6.7.8"])
    remote_subnet: Network | None = Field(None, description="The network behind it", examples=["172.16.1.0/24"])
    remote_subnets: tuple[Network, ...] = Field((), description="More networks behind it", examples=[["172.16.2.0/24"]])
    local_subnets: tuple[Network, ...] = Field(
        (), description="Our side; by default the private subnet", examples=[["10.50.201.0/24"]]
    )
    zone: Name | None = Field(
        None, description="The zone whose public VIP it ends on; by default the first", examples=["eu-west-a"]
    )
    local_id: FreeText | None = Field(
        None, description="Our identity; by default the VIP", examples=["gw.acme.example"]
    )
    remote_id: FreeText | None = Field(None, description="Its identity; by default its address", examples=["office"])
    phase1_dh_group_number: DhGroup = Field(description="Diffie-Hellman group of the IKE SA", examples=[14])
    phase1_integrity_algorithm: Integrity = Field(description="Integrity of the IKE SA", examples=["SHA512"])
    phase1_encryption_algorithm: Encryption = Field(description="Encryption of the IKE SA", examples=["AES256"])
    phase2_dh_group_number: DhGroup = Field(description="Diffie-Hellman group of the child SA", examples=[14])
    phase2_integrity_algorithm: Integrity = Field(description="Integrity of the child SA", examples=["SHA512"])
    phase2_encryption_algorithm: Encryption = Field(description="Encryption of the child SA", examples=["AES256"])
    phase1_lifetime: DurationText = Field(Duration(3600), description="Hard life of the IKE SA", examples=["1h"])
    phase2_lifetime: DurationText = Field(Duration(3600), description="Hard life of the child SA", examples=["1h"])
    rekey: DurationText = Field(Duration(7200), description="Rekey the child SA after", examples=["50m"])
    dpd_timeout: DurationText = Field(
        Duration(240), description="Silence after which the peer is dead", examples=["240s"]
    )
    dpd_action: DpdAction = Field(DpdAction.RESTART, description="What is done then", examples=["restart"])
    start_action: StartAction = Field(StartAction.START, description="What is done once loaded", examples=["trap"])
    ingress_rules: Annotated[dict[RuleNumber, TunnelRule], RULE] = Field(
        default_factory=dict, description="From behind the tunnel to us; empty accepts all", examples=[10]
    )
    disabled: Flag = Field(False, description="Keep the connection without loading it", examples=[True])


class RemoteAccessAuth(Choice):
    """How administrators' clients authenticate."""

    EAP_MSCHAPV2 = "eap-mschapv2"
    CERTIFICATE = "certificate"


class RemoteUser(Section):
    """An administrator who may dial in."""

    password: Secret | None = Field(None, description="Password for EAP-MSCHAPv2", examples=["correct horse"])
    disabled: Flag = Field(False, description="Refuse this user", examples=[True])


class RemoteAccess(Section):
    """Access for administrators by IKEv2."""

    enabled: Flag = Field(False, description="Accept remote-access clients", examples=[True])
    zone: Name | None = Field(None, description="The zone whose public VIP it answers on", examples=["eu-west-a"])
    auth: RemoteAccessAuth = Field(
        RemoteAccessAuth.EAP_MSCHAPV2, description="How clients authenticate", examples=["certificate"]
    )
    pool: Network | None = Field(None, description="Addresses given to clients", examples=["10.99.0.0/24"])
    dns: tuple[Address, ...] = Field((), description="Resolvers given to clients", examples=[["10.50.201.1"]])
    subnets: tuple[Network, ...] = Field(
        (), description="What clients reach; by default the private subnet", examples=[["10.50.201.0/24"]]
    )
    users: Annotated[dict[Name, RemoteUser], NAME] = Field(
        default_factory=dict, description="Who may dial in", examples=["ann"]
    )
