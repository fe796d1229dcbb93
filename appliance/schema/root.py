"""The whole configuration tree."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.firewall import EgressRule, Groups, IngressRule, RuleNumber
from appliance.schema.interfaces import Interfaces, PeerSubnet
from appliance.schema.ipsec import IpsecConnection, RemoteAccess
from appliance.schema.nat import NatRule
from appliance.schema.peering import VpcPeering
from appliance.schema.routes import Route
from appliance.schema.section import NAME, RULE, Key, Section
from appliance.schema.services import Services
from appliance.schema.system import System
from appliance.schema.types import Name, Network, Policy, Title
from appliance.schema.zones import Ha, Netcfg


class Config(Section):
    """A Kawaii configuration: the typed form of one tree, the contract of docs/semantics."""

    system: System = Field(System(), description="Who and where this node is")
    interfaces: Interfaces = Field(Interfaces(), description="The node's NICs")
    subnets: Annotated[dict[Name, PeerSubnet], NAME] = Field(
        default_factory=dict, description="Subnets a peering can name", examples=["eu-west-ceph"]
    )
    netcfg: Netcfg = Field(Netcfg(), description="The plan of virtual addresses")
    ha: Ha = Field(Ha(), description="How virtual addresses move")
    routes: Annotated[dict[Network, Route], Key("destination", "Destination network")] = Field(
        default_factory=dict, description="Weighted routes by destination", examples=["0.0.0.0/0"]
    )
    groups: Groups = Field(Groups(), description="Named addresses and ports")
    ingress_rules: Annotated[dict[RuleNumber, IngressRule], RULE] = Field(
        default_factory=dict, description="From the Internet to the gateway itself", examples=[10]
    )
    egress_policy: Policy = Field(
        Policy.ACCEPT, description="accept: all but the rules leaves; drop: only the rules", examples=["drop"]
    )
    egress_rules: Annotated[dict[RuleNumber, EgressRule], RULE] = Field(
        default_factory=dict, description="Exceptions to egress_policy", examples=[10]
    )
    nat_rules: Annotated[dict[RuleNumber, NatRule], RULE] = Field(
        default_factory=dict, description="Public ports forwarded to private addresses", examples=[10]
    )
    vpc_peerings: Annotated[dict[Name, VpcPeering], Key("subnet", "Subnet, by name or id")] = Field(
        default_factory=dict, description="Paths to other projects' subnets", examples=["eu-west-ceph"]
    )
    ipsec: Annotated[dict[Title, IpsecConnection], Key("name", "Name of the connection, any text")] = Field(
        default_factory=dict, description="Tunnels to anything outside", examples=["ACME Office"]
    )
    remote_access: RemoteAccess = Field(RemoteAccess(), description="Access for administrators")
    services: Services = Field(Services(), description="What the gateway itself offers")
