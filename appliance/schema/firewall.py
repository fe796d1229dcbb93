"""`groups`, `ingress_rules`, `egress_rules`: the firewall opened rule by rule."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Self

from pydantic import Field, model_validator

from appliance.schema.section import NAME, Section
from appliance.schema.types import (
    PORT_PROTOCOLS,
    FreeText,
    GroupKey,
    Network,
    Ports,
    PortSelector,
    Protocol,
    Selector,
    parse_limit,
)
from appliance.schema.value import Flag, Text, Whole, refuse

RuleNumber = Annotated[int, Whole(1, 9_999_999)]
ANYWHERE = IPv4Network("0.0.0.0/0")


class Groups(Section):
    """Names usable wherever an address or a port list may stand."""

    addresses: Annotated[dict[GroupKey, tuple[Network, ...]], NAME] = Field(
        default_factory=dict, description="Named lists of addresses and networks", examples=["offices"]
    )
    ports: Annotated[dict[GroupKey, Ports], NAME] = Field(
        default_factory=dict, description="Named port lists", examples=["web"]
    )


class Rule(Section):
    """What every firewall rule has."""

    protocol: Protocol = Field(Protocol.TCP, description="Transport protocol", examples=["udp"])
    ports: PortSelector | None = Field(
        None, description="Destination ports, or a port group; required for tcp and udp", examples=["80,443"]
    )
    desc: FreeText | None = Field(None, description="What it is for", examples=["public web"])
    log: Flag = Field(False, description="Log matching packets, rate-limited", examples=[True])
    disabled: Flag = Field(False, description="Keep the rule without applying it", examples=[True])

    @model_validator(mode="after")
    def _ports_follow_protocol(self) -> Self:
        if self.protocol in PORT_PROTOCOLS and self.ports is None:
            raise refuse("ports are missing", "a port list, as 80,443, for protocol tcp and udp", at="ports")
        if self.protocol not in PORT_PROTOCOLS and self.ports is not None:
            raise refuse("ports with a protocol that has none", "no ports for protocol icmp and any", at="ports")
        return self


class IngressRule(Rule):
    """Opens new connections from the Internet to a service on the gateway itself."""

    source: Selector = Field(ANYWHERE, description="Who may connect", examples=["203.0.113.0/24"])
    limit: Annotated[str, Text(parse_limit, kind="limit")] | None = Field(
        None, description="At most so many new connections, per source", examples=["10/minute"]
    )


class EgressRule(Rule):
    """An exception to `egress_policy` for what instances send out."""

    destination: Selector = Field(ANYWHERE, description="Where to", examples=["198.51.100.0/24"])
