"""What somebody else changed is reported, or put back, as the configuration says."""

from __future__ import annotations

import logging

import pytest

from appliance.agents.drift import DriftAgent
from appliance.config.store import Author
from appliance.engine.gateway import Change
from tests.unit.engine.world import Bench

ME = Change(Author("ann"))


@pytest.mark.parametrize(("policy", "healed"), [("report", False), ("heal", True)])
def test_drift_is_reported_or_healed(policy: str, healed: bool, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.gateway.commit({"ingress_rules": {"10": {"ports": "443"}}, "system": {"drift": policy}}, ME)
    right = dict(bench.world.settings)
    agent = DriftAgent(bench.gateway, interval=3600)
    try:
        assert agent.look() == []
        bench.world.settings["firewall.10"] = "1-65535"
        with caplog.at_level(logging.WARNING):
            assert len(agent.look()) == 1
            agent.look()
    finally:
        agent.stop()
    assert (bench.world.settings == right) is healed
    assert sum("wanted" in record.message for record in caplog.records) == 1


def test_a_node_without_a_configuration_has_no_drift() -> None:
    bench = Bench()
    agent = DriftAgent(bench.gateway, interval=3600)
    agent.stop()
    assert agent.look() == []
