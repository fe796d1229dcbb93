"""Forwarding of whole addresses and of pings, which the rules can do beyond ports (semantics S2)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from appliance.schema.nat import NatRule, SourceNat
from appliance.schema.types import Protocol
from appliance.subsystems.firewall.render import render_ruleset
from appliance.subsystems.view import NodeFacts, build_view
from tests.netns.one_gateway import OneGateway
from tests.unit.subsystems.firewall_cases import two_zones, view_of

pytestmark = pytest.mark.netns

VIP_A, VIP_B, IA, PRIVATE_A = "4.5.6.10", "4.5.6.11", "10.50.201.20", "10.50.201.252"


@pytest.fixture(scope="module")
def gateway() -> Iterator[OneGateway]:
    with OneGateway() as made:
        yield made


def use(gateway: OneGateway, protocol: Protocol) -> None:
    rule = NatRule.model_construct(
        protocol=protocol,
        ports=None,
        destination=ip_address(IA),
        public_ip=ip_address(VIP_A),
        source=None,
        to_port=None,
        source_nat=SourceNat.AUTO,
        log=False,
        disabled=False,
    )
    config = view_of(two_zones()).config.model_copy(update={"nat_rules": {10: rule}})
    gateway.load(render_ruleset(build_view(config, NodeFacts(zone="a"))).text())


def test_whole_address_is_forwarded(gateway: OneGateway) -> None:
    use(gateway, Protocol.ANY)
    assert gateway.seen("out", "tcp", VIP_A, 22) == PRIVATE_A
    assert gateway.seen("out", "udp", VIP_A, 53) == PRIVATE_A
    assert gateway.pings("out", VIP_A)
    assert gateway.seen("out", "tcp", VIP_B, 22) is None
    assert not gateway.pings("out", VIP_B)


def test_pings_are_forwarded_and_nothing_else(gateway: OneGateway) -> None:
    use(gateway, Protocol.ICMP)
    assert gateway.pings("out", VIP_A)
    assert not gateway.pings("out", VIP_B)
    assert gateway.seen("out", "tcp", VIP_A, 22) is None
