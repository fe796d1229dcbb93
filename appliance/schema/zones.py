"""`netcfg` and `ha`: the plan of the zones' floating addresses and how they move."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.section import ZONE, Section
from appliance.schema.types import Address, FreeText, Mac, Name
from appliance.schema.value import Choice, Flag, Number, Whole


class ZonePlan(Section):
    """One zone's pair of virtual addresses (RFC 9568), the same text in every zone's user-data."""

    public_ip: Address | None = Field(None, description="The zone's public virtual address", examples=["4.5.6.10"])
    private_ip: Address | None = Field(
        None, description="The zone's private virtual address, its instances' gateway", examples=["10.50.201.252"]
    )
    public_ip6: Address | None = Field(None, description="Public IPv6 virtual address", examples=["2001:db8:1::10"])
    private_ip6: Address | None = Field(None, description="Private IPv6 virtual address", examples=["fd00:50::252"])
    vrid: Annotated[int, Whole(1, 255)] = Field(description="Virtual router id of the pair", examples=[1])
    peer: Address | None = Field(
        None, description="The fixed private address of the zone's gateway", examples=["10.50.201.11"]
    )
    mac: Mac | None = Field(
        None, description="MAC address VRRP is accepted from, for this zone's gateway", examples=["52:54:00:12:34:56"]
    )
    standby: tuple[Name, ...] = Field(
        (),
        description="Zones that stand in, nearest first; by default the list's order after this zone",
        examples=[["eu-west-b"]],
    )


class Netcfg(Section):
    """The plan of virtual addresses."""

    zones: Annotated[dict[Name, ZonePlan], ZONE] = Field(
        default_factory=dict, description="Zones of the region", examples=["eu-west-a"]
    )


class HaMode(Choice):
    """How VRRP advertisements travel."""

    UNICAST = "unicast"
    MULTICAST = "multicast"


class TrackedNic(Choice):
    """NICs whose link state ranks a gateway."""

    PUBLIC = "public"
    PRIVATE = "private"


class GatewayTrack(Section):
    """Reachability of the upstream gateway by ARP or ND."""

    interval: Annotated[float, Number(0.05, 60)] = Field(0.5, description="Seconds between probes", examples=[0.5])
    fall: Annotated[int, Whole(1, 100)] = Field(3, description="Lost probes until it counts as dead", examples=[3])
    rise: Annotated[int, Whole(1, 100)] = Field(3, description="Answers until it counts as alive", examples=[3])


class Track(Section):
    """What must work here for this node to be a good holder."""

    interfaces: tuple[TrackedNic, ...] = Field(
        (TrackedNic.PUBLIC, TrackedNic.PRIVATE), description="NICs whose link must be up", examples=[["public"]]
    )
    gateway: GatewayTrack = Field(GatewayTrack(), description="Probe of the upstream gateway")
    processes: tuple[FreeText, ...] = Field((), description="Processes that must run", examples=[["charon-systemd"]])


class Ha(Section):
    """How the zones' pairs move between gateways."""

    mode: HaMode = Field(HaMode.UNICAST, description="How VRRP advertisements travel", examples=["multicast"])
    advert_int: Annotated[float, Number(0.01, 40.95)] = Field(
        0.3, description="Seconds between advertisements", examples=[0.3]
    )
    preempt_delay: Annotated[float, Number(0, 1000)] = Field(
        5, description="Seconds a pair waits before it comes home", examples=[5]
    )
    track: Track = Field(Track(), description="What must work here")
    conntrack_sync: Flag = Field(True, description="Share flow state with the other gateways", examples=[True])
