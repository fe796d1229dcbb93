"""Connections outlive their gateway: flow state is shared before it is needed (semantics S8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.lab.region import Lab
from tests.netns.node import flow

pytestmark = pytest.mark.netns

INTERNET = "198.51.100.10"


def holds_pair(lab: Lab, node: str) -> bool:
    """Whether a node has the pair of zone a."""
    return {"4.5.6.10", "10.50.201.252"} <= set(lab.addresses(node))


def test_a_connection_whose_server_speaks_outlives_its_gateway(
    whole: Lab, record_property: Callable[[str, object], None]
) -> None:
    with flow(whole, "inst-a", "listen", INTERNET, 9000, seconds=14.0) as listening:
        whole.wait_for(lambda: "9000" in flows(whole, "gw-b"), 5, "the flow on gw-b, which it never crossed")
        whole.isolate("gw-a")
        try:
            whole.wait_for(lambda: holds_pair(whole, "gw-b"), 10, "pair a on gw-b")
            result = listening.result()
        finally:
            whole.isolate("gw-a", silent=False)
    record_property("measured", f"gw-a silent: a chatty connection was quiet for {result.longest_gap * 1000:.0f} ms")
    assert result.error is None
    assert result.seen == ["4.5.6.10"]
    assert result.longest_gap < 5.0


def flows(lab: Lab, node: str) -> str:
    """List the TCP flows a gateway knows."""
    return str(lab.exec(node, ["conntrack", "-L", "-p", "tcp"]).stdout)
