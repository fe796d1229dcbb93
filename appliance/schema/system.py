"""`system`: who and where the node is, and who may log in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.section import NAME, Section
from appliance.schema.types import Address, FreeText, Hostname, Name, Network, Role
from appliance.schema.value import Choice, Secret


class Drift(Choice):
    """What is done when kernel or daemons no longer match the running configuration."""

    REPORT = "report"
    HEAL = "heal"


class User(Section):
    """A login of the appliance."""

    role: Role = Field(Role.CONFIGURE, description="What the user may do", examples=["view"])
    keys: tuple[FreeText, ...] = Field((), description="SSH public keys", examples=[["ssh-ed25519 AAAA… ann@example"]])
    password_hash: Secret | None = Field(
        None, description="Password for the local console only, as crypt(5) writes it", examples=["$y$j9T$…"]
    )


class System(Section):
    """Who and where this node is."""

    project: Name | None = Field(None, description="The project that owns the gateway", examples=["acme"])
    region: Name | None = Field(None, description="The region the gateway stands in", examples=["eu-west"])
    zone: Name | None = Field(
        None, description="The node's zone; normally the instance's availability zone", examples=["eu-west-a"]
    )
    hostname: Hostname | None = Field(
        None, description="Host name; by default kawaii-PROJECT-ZONE-1", examples=["kawaii-acme-eu-west-a-1"]
    )
    domain: Hostname | None = Field(None, description="DNS domain of the node", examples=["acme.local"])
    dns: tuple[Address, ...] = Field((), description="Resolvers the node itself asks", examples=[["10.50.201.1"]])
    ntp: tuple[Hostname, ...] = Field((), description="Time servers", examples=[["10.50.201.1"]])
    timezone: FreeText = Field("UTC", description="Time zone of logs and console", examples=["Europe/Paris"])
    management_networks: tuple[Network, ...] = Field(
        (), description="Networks beyond the private subnet that may use SSH and API", examples=[["10.5.0.0/22"]]
    )
    users: Annotated[dict[Name, User], NAME] = Field(default_factory=dict, description="Logins", examples=["ann"])
    drift: Drift = Field(
        Drift.REPORT, description="What to do when the kernel no longer matches the configuration", examples=["heal"]
    )
    syslog: tuple[FreeText, ...] = Field(
        (), description="Remote syslog targets, HOST or HOST:PORT", examples=[["10.5.0.9:514"]]
    )
