"""`interfaces` and `subnets`: the node's own NICs, and the networks that peerings name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.schema.section import Section
from appliance.schema.types import Address, Device, FreeText, Mac, Subnet
from appliance.schema.value import Choice, Whole

Mtu = Annotated[int, Whole(576, 65535)]


class Interface(Section):
    """A NIC of the gateway, found by device name or by MAC address."""

    device: Device | None = Field(None, description="Interface name as the platform gives it", examples=["ens3"])
    mac: Mac | None = Field(None, description="MAC address the NIC is found by", examples=["52:54:00:12:34:56"])
    subnet: Subnet | None = Field(None, description="The IPv4 subnet on this NIC", examples=["4.5.6.0/26"])
    mask: Annotated[int, Whole(1, 31)] | None = Field(
        None, description="Prefix length, where the VIPs' subnet is not given as `subnet`", examples=[26]
    )
    gateway: Address | None = Field(None, description="Next hop on this NIC", examples=["4.5.6.62"])
    address: Address | None = Field(
        None, description="Fixed address of this node; normally netcfg.zones[].peer", examples=["10.50.201.11"]
    )
    subnet6: Subnet | None = Field(None, description="The IPv6 subnet on this NIC", examples=["2001:db8:1::/64"])
    gateway6: Address | None = Field(None, description="IPv6 next hop on this NIC", examples=["2001:db8:1::1"])
    address6: Address | None = Field(None, description="Fixed IPv6 address of this node", examples=["fd00:50::11"])
    mtu: Mtu | None = Field(None, description="Maximum transmission unit in bytes", examples=[1500])


class Interfaces(Section):
    """The two NICs every gateway has."""

    public: Interface | None = Field(None, description="The NIC towards the Internet")
    private: Interface | None = Field(None, description="The NIC in the project's private subnet")


class Application(Choice):
    """What a service subnet is for; its default rules follow from it."""

    NONE = "none"
    CEPH = "ceph"


class Via(Choice):
    """By whom a subnet without a NIC of ours is reached."""

    KIWI = "kiwi"


class Consent(Choice):
    """Who agrees to a peering for the other side."""

    GATEWAY = "gateway"
    PROVIDER = "provider"


class PeerSubnet(Section):
    """Another subnet that a peering can name."""

    cidr: Subnet = Field(description="The subnet", examples=["10.50.205.0/24"])
    cidr6: Subnet | None = Field(None, description="The IPv6 subnet", examples=["fd00:205::/64"])
    id: FreeText | None = Field(
        None, description="The subnet's id at the orchestrator", examples=["6659d2a1e4b0f3a5c8d7e6f5"]
    )
    device: Device | None = Field(
        None, description="Our NIC in it; none: reached on the private NIC", examples=["ens6"]
    )
    mac: Mac | None = Field(None, description="MAC address our NIC is found by", examples=["52:54:00:12:34:59"])
    mtu: Mtu | None = Field(None, description="Maximum transmission unit in bytes", examples=[1500])
    gateways: tuple[Address, ...] = Field(
        (), description="The other project's gateways, in order of preference", examples=[["10.50.205.252"]]
    )
    via: Via | None = Field(None, description="Reached over the region's SD-WAN", examples=["kiwi"])
    application: Application = Field(Application.NONE, description="What the subnet serves", examples=["ceph"])
    consent: Consent | None = Field(
        None,
        description="Who agrees for the other side; by default its gateway, for ceph the provider",
        examples=["provider"],
    )
