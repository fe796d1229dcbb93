"""Commits under traffic: what did not change is not touched (semantics S10)."""

from __future__ import annotations

import pytest

from appliance.lab.region import Lab
from tests.netns.node import call, commit, flow, reach, reached

pytestmark = pytest.mark.netns

INTERNET = "198.51.100.10"
VIP_A = "4.5.6.10"


def test_commits_lose_no_packet_and_move_no_pair(region: Lab) -> None:
    keepalived = region.daemons()["gw-a"]["keepalived"]
    with (
        flow(region, "inst-a", "udp", INTERNET, 443, seconds=6.0, interval=0.005) as out,
        flow(region, "internet", "udp", VIP_A, 443, seconds=6.0, interval=0.005) as into,
        flow(region, "inst-a", "tcp", INTERNET, 443, seconds=6.0, interval=0.005) as stream,
    ):
        for number in range(20, 40):
            commit(region, "gw-a", f"ingress_rules: {{{number}: {{ports: '{9000 + number}'}}}}")
        results = [running.result() for running in (out, into, stream)]
    for result in results:
        assert result.received == result.sent
        assert result.error is None
    assert region.daemons()["gw-a"]["keepalived"] == keepalived
    assert not region.missing()


def test_a_committed_rule_opens_its_port_and_a_rollback_closes_it(region: Lab) -> None:
    assert not reach(region, "internet", "tcp", VIP_A, 2222).ok
    before = call(region, "gw-a", "GET", "/v1/config?secrets=1&format=yaml")["text"]
    commit(region, "gw-a", "ingress_rules: {90: {ports: '2222'}}")
    assert reached(region, "internet", "tcp", VIP_A, 2222) == INTERNET
    commit(region, "gw-a", before, merge=False)
    assert not reach(region, "internet", "tcp", VIP_A, 2222).ok


def test_a_commit_that_is_not_confirmed_is_taken_back(region: Lab) -> None:
    text = "ingress_rules: {91: {ports: '2222'}}"
    call(region, "gw-a", "POST", "/v1/commit", {"text": text, "merge": True, "confirmed_seconds": 2})
    assert reached(region, "internet", "tcp", VIP_A, 2222) == INTERNET
    region.wait_for(lambda: not reach(region, "internet", "tcp", VIP_A, 2222, timeout=0.3).ok, 15, "port 2222 closed")


def test_an_established_flow_lives_through_a_commit_that_changes_its_rules(region: Lab) -> None:
    with flow(region, "internet", "tcp", VIP_A, 443, seconds=3.0) as stream:
        commit(region, "gw-a", "nat_rules: {80: {destination: 10.50.201.20, ports: '8080'}}")
        result = stream.result()
    assert result.received == result.sent
    assert reached(region, "internet", "tcp", VIP_A, 8080)
