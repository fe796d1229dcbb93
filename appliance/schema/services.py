"""`services`: what the gateway itself offers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from appliance.schema.section import Section
from appliance.schema.types import Name, Role, Secret

Port = Annotated[int, Field(ge=1, le=65535)]


class Listen(StrEnum):
    """Where a service listens."""

    PRIVATE = "private"
    NONE = "none"


class Ssh(Section):
    """Logins over the network."""

    listen: Listen = Field(Listen.PRIVATE, description="Where SSH listens", examples=["private"])


class Metrics(Section):
    """Prometheus metrics."""

    enabled: bool = Field(False, description="Serve /metrics on the private NIC", examples=[True])
    port: Port = Field(9100, description="TCP port", examples=[9100])


class ApiToken(Section):
    """A bearer of the HTTPS API."""

    token: Secret = Field(description="The token", examples=["a long random text"])
    role: Role = Field(Role.VIEW, description="What it may do", examples=["configure"])


class Api(Section):
    """The HTTPS API on the private NIC."""

    enabled: bool = Field(False, description="Serve the API on the private NIC", examples=[True])
    port: Port = Field(8443, description="TCP port", examples=[8443])
    tokens: dict[Name, ApiToken] = Field(default_factory=dict, description="Tokens by name", examples=["terraform"])


class StatusPage(Section):
    """The read-only status page."""

    enabled: bool = Field(False, description="Serve the status page on the private NIC", examples=[True])


class Services(Section):
    """What the gateway itself offers, on the private NIC only."""

    ssh: Ssh = Field(Ssh(), description="Logins over the network")
    metrics: Metrics = Field(Metrics(), description="Prometheus metrics")
    api: Api = Field(Api(), description="The HTTPS API")
    status_page: StatusPage = Field(StatusPage(), description="The status page")
