"""`nat_rules`: public ports forwarded to a private address."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.firewall import Rule
from appliance.schema.types import Address, Protocol, Selector
from appliance.schema.value import Choice, Only, Whole


class SourceNat(Choice):
    """Whether the destination sees the client's address or the gateway's (semantics S2)."""

    AUTO = "auto"
    PRESERVE = "preserve"
    MASQUERADE = "masquerade"


class NatRule(Rule):
    """Forwards what arrives for a public VIP to a private address, and opens just that path."""

    protocol: Annotated[Protocol, Only(("tcp", "udp"))] = Field(
        Protocol.TCP, description="Transport protocol", examples=["udp"]
    )
    destination: Address = Field(description="Private address it is forwarded to", examples=["10.50.201.20"])
    public_ip: Address | None = Field(
        None, description="Only for this public VIP; by default all", examples=["4.5.6.10"]
    )
    source: Selector | None = Field(
        None, description="Only from here; by default anywhere", examples=["203.0.113.0/24"]
    )
    to_port: Annotated[int, Whole(1, 65535)] | None = Field(
        None, description="Port at the destination; by default unchanged", examples=[8443]
    )
    source_nat: SourceNat = Field(
        SourceNat.AUTO, description="Whose address the destination sees", examples=["preserve"]
    )
