"""`services`: what the gateway itself offers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.section import NAME, Section
from appliance.schema.types import Name, Role
from appliance.schema.value import Choice, Flag, Secret, Whole

Port = Annotated[int, Whole(1, 65535)]


class Listen(Choice):
    """Where a service listens."""

    PRIVATE = "private"
    NONE = "none"


class Ssh(Section):
    """Logins over the network."""

    listen: Listen = Field(Listen.PRIVATE, description="Where SSH listens", examples=["private"])


class Metrics(Section):
    """Prometheus metrics."""

    enabled: Flag = Field(False, description="Serve /metrics on the private NIC", examples=[True])
    port: Port = Field(9100, description="TCP port", examples=[9100])


class ApiToken(Section):
    """A bearer of the HTTPS API."""

    token: Secret = Field(description="The token", examples=["a long random text"])
    role: Role = Field(Role.VIEW, description="What it may do", examples=["configure"])


class Api(Section):
    """The HTTPS API on the private NIC."""

    enabled: Flag = Field(False, description="Serve the API on the private NIC", examples=[True])
    port: Port = Field(8443, description="TCP port", examples=[8443])
    tokens: Annotated[dict[Name, ApiToken], NAME] = Field(
        default_factory=dict, description="Tokens by name", examples=["terraform"]
    )


class StatusPage(Section):
    """The read-only status page."""

    enabled: Flag = Field(False, description="Serve the status page on the private NIC", examples=[True])
    port: Port = Field(
        8080, description="TCP port; with the API enabled the page is on the API's port instead", examples=[8080]
    )


class Services(Section):
    """What the gateway itself offers, on the private NIC only."""

    ssh: Ssh = Field(Ssh(), description="Logins over the network")
    metrics: Metrics = Field(Metrics(), description="Prometheus metrics")
    api: Api = Field(Api(), description="The HTTPS API")
    status_page: StatusPage = Field(StatusPage(), description="The status page")
