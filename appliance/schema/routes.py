"""`routes`: weighted next hops by destination."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.section import Key, Section
from appliance.schema.types import Address, FreeText, Name, Network
from appliance.schema.value import Whole


class NextHop(Section):
    """One way to a destination."""

    dev: Name = Field(
        "public", description="NIC it leaves by: public, private, a subnet's name or a device", examples=["public"]
    )
    weight: Annotated[int, Whole(1, 256)] = Field(1, description="Share among equal metrics", examples=[2])
    metric: Annotated[int, Whole(0, 65535)] = Field(
        0, description="Rank: the lowest that is alive is used", examples=[10]
    )


class Route(Section):
    """A destination and its next hops, keyed by the next hop's address."""

    next_hops: Annotated[dict[Address, NextHop], Key("via", "Address of the next hop")] = Field(
        default_factory=dict, description="Next hops by address", examples=["4.5.6.62"]
    )
    desc: FreeText | None = Field(None, description="What it is for", examples=["both Kiwis, two to one"])


Routes = dict[Network, Route]
