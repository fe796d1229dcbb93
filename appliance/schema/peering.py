"""`vpc_peerings`: paths to other projects' subnets, open only with both ends' consent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.firewall import Rule, RuleNumber
from appliance.schema.section import RULE, ZONE, Section
from appliance.schema.types import Address, FreeText, Name, Policy
from appliance.schema.value import Flag, Secret


class PeeringAddress(Section):
    """A zone's address in the peer's subnet."""

    private_ip: Address | None = Field(None, description="The zone's address there", examples=["10.50.205.70"])
    private_ip6: Address | None = Field(None, description="The zone's IPv6 address there", examples=["fd00:205::70"])


class VpcPeering(Section):
    """What passes between our subnet and the named one."""

    netcfg: Annotated[dict[Name, PeeringAddress], ZONE] = Field(
        default_factory=dict, description="Our zones' addresses in the peer's subnet", examples=["eu-west-a"]
    )
    consent_key: Secret | None = Field(
        None, description="Secret that both projects configure", examples=["a long passphrase"]
    )
    transit: Flag = Field(False, description="The peer may use our Internet access and tunnels", examples=[True])
    policy: Policy = Field(Policy.DROP, description="drop: only the rules pass; accept: all", examples=["accept"])
    ingress_rules: Annotated[dict[RuleNumber, Rule], RULE] = Field(
        default_factory=dict, description="From the peer's subnet to ours", examples=[10]
    )
    egress_rules: Annotated[dict[RuleNumber, Rule], RULE] = Field(
        default_factory=dict, description="From our subnet to the peer's", examples=[10]
    )
    desc: FreeText | None = Field(None, description="What it is for", examples=["shared storage"])
