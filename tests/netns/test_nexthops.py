"""Weighted next hops share the traffic; a dead one leaves by itself and comes back by itself (semantics S7)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from appliance.lab.region import Lab

pytestmark = pytest.mark.netns

FLOWS = 600


def default_routes(lab: Lab) -> list[str]:
    """Give the next hops of gw-a's best default route."""
    text = lab.exec("gw-a", ["ip", "-json", "route", "show", "default"]).stdout
    best = min(json.loads(text), key=lambda route: route.get("metric", 0))
    return sorted(hop["gateway"] for hop in best.get("nexthops", [best]))


def shares(lab: Lab) -> dict[str, int]:
    """Ask the kernel by which next hop each of many flows from the instance leaves."""
    queries = [
        f"route get 198.51.100.10 from 10.50.201.20 iif ens4 ipproto udp sport {10000 + port} dport 443"
        for port in range(FLOWS)
    ]
    process = lab.popen("gw-a", ["ip", "-json", "-batch", "-"], stdin=-1, stdout=-1)
    output, _errors = process.communicate("\n".join(queries), timeout=60)
    found: dict[str, int] = {}
    for line in output.replace("][", "]\n[").splitlines():
        for answer in json.loads(line) if line.startswith("[") and line.endswith("]") else []:
            found[answer["gateway"]] = found.get(answer["gateway"], 0) + 1
    return found


def test_flows_share_the_next_hops_two_to_one(whole: Lab, record_property: Callable[[str, object], None]) -> None:
    found = shares(whole)
    total = sum(found.values())
    record_property("measured", f"{total} flows by next hop: {found}")
    assert total == FLOWS
    deviation = (FLOWS * (2 / 3) * (1 / 3)) ** 0.5
    assert abs(found["4.5.6.62"] - FLOWS * 2 / 3) < 3 * deviation


def test_a_silent_next_hop_leaves_and_comes_back(whole: Lab) -> None:
    assert default_routes(whole) == ["4.5.6.61", "4.5.6.62"]
    whole.silence("kiwi-2", "public")
    try:
        whole.wait_for(lambda: default_routes(whole) == ["4.5.6.62"], 10, "the dead next hop to leave")
        assert set(shares(whole)) == {"4.5.6.62"}
    finally:
        whole.silence("kiwi-2", "public", silent=False)
    whole.wait_for(lambda: default_routes(whole) == ["4.5.6.61", "4.5.6.62"], 10, "the next hop to come back")
