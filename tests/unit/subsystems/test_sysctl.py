"""Kernel parameters: forwarding last and off first, what cannot be set, IPv6 closed unless configured (S11, S13)."""

from __future__ import annotations

import pytest

from appliance.engine.errors import ApplyFailed
from appliance.engine.step import Phase
from appliance.subsystems.sysctl import Sysctls
from tests.unit.subsystems.node_cases import INTERFACES, REGIONS, Memory, apply, bring_up, region, revert, view_of

SYSCTL = Sysctls()
FORWARD = "net.ipv4.ip_forward"
SIX = "net.ipv6.conf.all.forwarding"


def phases(old: str | None, new: str) -> dict[str, Phase]:
    before = SYSCTL.render(region(old)) if old else None
    return {step.action.split()[1]: step.phase for step in SYSCTL.plan(before, SYSCTL.render(region(new)))}


@pytest.mark.parametrize("name", REGIONS)
def test_forwarding_is_switched_on_after_everything_else(name: str) -> None:
    found = phases(None, name)
    assert found[FORWARD] is Phase.FORWARDING
    assert {phase for key, phase in found.items() if key not in {FORWARD, SIX}} == {Phase.SYSCTL}


def test_six_is_forwarded_only_where_it_is_configured() -> None:
    values = {name: {item.name: item.value for item in SYSCTL.render(region(name))}[SIX] for name in REGIONS}
    assert {name for name, value in values.items() if value == "1"} == {"v6"}
    assert phases("v6", "one-zone")[SIX] is Phase.LINKS, "closed before anything else changes"


def test_no_nic_no_forwarding() -> None:
    assert {item.name: item.value for item in SYSCTL.render(view_of("system: {project: x}"))}[FORWARD] == "0"


def test_read_only_connection_limit_is_left_as_it_is() -> None:
    memory = Memory()
    memory.sysctl.read_only.add("net.netfilter.nf_conntrack_max")
    artefact = bring_up(SYSCTL, region("two-zones-a"), memory)
    assert SYSCTL.verify(memory.host, artefact) == ()


def test_kernel_without_six_is_fine() -> None:
    memory = Memory()
    memory.sysctl.missing = {item.name for item in SYSCTL.render(region("one-zone")) if ".ipv6." in item.name}
    artefact = bring_up(SYSCTL, region("one-zone"), memory)
    assert SYSCTL.verify(memory.host, artefact) == ()


def test_parameter_that_must_be_set_and_cannot_fails_the_commit() -> None:
    memory = Memory()
    memory.sysctl.read_only.add("net.ipv4.conf.all.arp_ignore")
    with pytest.raises(ApplyFailed, match="arp_ignore"):
        bring_up(SYSCTL, region("one-zone"), memory)


def test_undoing_switches_forwarding_back() -> None:
    memory = Memory()
    closed = bring_up(SYSCTL, view_of("system: {project: x}"), memory)
    assert memory.sysctl.values[FORWARD] == "0"
    steps = SYSCTL.plan(closed, SYSCTL.render(region("one-zone")))
    apply(memory, steps)
    assert memory.sysctl.values[FORWARD] == "1"
    revert(memory, steps)
    assert memory.sysctl.values[FORWARD] == "0"


def test_value_changed_by_somebody_is_a_difference() -> None:
    memory = Memory()
    artefact = bring_up(SYSCTL, region("one-zone"), memory)
    memory.sysctl.values[FORWARD] = "0"
    assert [(item.where, item.found) for item in SYSCTL.verify(memory.host, artefact)] == [(FORWARD, f"{FORWARD} = 0")]


def test_device_names_with_dots_are_one_component() -> None:
    view = view_of(INTERFACES.replace("ens3", "ens3.100"))
    assert "net.ipv4.conf.ens3/100.rp_filter" in {item.name for item in SYSCTL.render(view)}
