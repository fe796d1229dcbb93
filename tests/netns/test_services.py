"""Metrics, the HTTPS API and the status page on the private NIC: opened and closed by commits, for insiders only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.lab.region import Lab
from tests.netns.node import call, commit, flow, reach

pytestmark = pytest.mark.netns

ADDRESS = "10.50.201.11"
METRICS = f"http://{ADDRESS}:9100/metrics"
API = f"https://{ADDRESS}:8444"
SERVICES = """
services:
  metrics: {enabled: true}
  status_page: {enabled: true}
  api:
    enabled: true
    port: 8444
    tokens:
      terraform: {token: a-long-random-text, role: configure}
      prometheus: {token: another-long-random-text}
"""
PORTS = (9100, 8444, 8080)


def fetch(
    lab: Lab, node: str, url: str, *, token: str | None = None, data: dict[str, Any] | None = None
) -> tuple[int, str]:
    """Ask with curl from a node; gives the status, 0 where there was no answer, and the body."""
    argv = ["curl", "-sk", "--max-time", "5", "--connect-timeout", "1", "-w", "\n%{http_code}", url]
    argv += ["-H", f"Authorization: Bearer {token}"] if token else []
    argv += ["-d", json.dumps(data)] if data is not None else []
    body, _, status = lab.exec(node, argv, check=False).stdout.rpartition("\n")
    return int(status), body


@pytest.fixture
def before(region: Lab) -> Iterator[str]:
    """The configuration before the test, which the test leaves again."""
    text: str = call(region, "gw-a", "GET", "/v1/config?secrets=1&format=yaml")["text"]
    yield text
    commit(region, "gw-a", text, merge=False)


@pytest.fixture
def enabled(region: Lab, before: str) -> Lab:
    """The region with all services of gw-a open."""
    answer = commit(region, "gw-a", SERVICES)
    assert answer["not_applied"] == []
    region.wait_for(lambda: fetch(region, "inst-a", METRICS)[0] == 200, 10, "metrics to be served")
    region.wait_for(lambda: fetch(region, "inst-a", API)[0] == 200, 10, "the API to be served")
    return region


def test_metrics_tell_of_the_kernel_and_of_commits(enabled: Lab) -> None:
    enabled.wait_for(lambda: not enabled.missing(), 30, "both pairs at home")
    enabled.wait_for(lambda: "commit_phase_seconds{" in fetch(enabled, "inst-a", METRICS)[1], 5, "the commit's phases")
    status, text = fetch(enabled, "inst-a", METRICS)
    assert status == 200
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    zone = call(enabled, "gw-a", "GET", "/v1/whoami")["zone"]
    assert float(lines[f'kawaii_vrrp_state{{state="MASTER",zone="{zone}"}}']) == 1
    assert float(lines[f'kawaii_vrrp_transitions_total{{to="MASTER",zone="{zone}"}}']) >= 1
    assert float(lines['kawaii_rule_packets_total{rule="management"}']) > 0
    assert float(lines["kawaii_conntrack_flows_max"]) > float(lines["kawaii_conntrack_flows"]) > 0
    assert float(lines['kawaii_commit_phase_seconds{phase="apply"}']) > 0
    assert float(lines['kawaii_next_hop_alive{device="ens3",next_hop="4.5.6.62"}']) == 1
    assert [name for name, value in lines.items() if "scrape_failed" in name and float(value) != 0] == []


def test_the_api_asks_for_a_token_and_heeds_its_role(enabled: Lab) -> None:
    assert fetch(enabled, "inst-a", f"{API}/v1/whoami")[0] == 401
    assert fetch(enabled, "inst-a", f"{API}/v1/whoami", token="a-long-random-tex")[0] == 401
    status, body = fetch(enabled, "inst-a", f"{API}/v1/whoami", token="another-long-random-text")
    assert status == 200
    assert json.loads(body)["user"] == "prometheus"
    change = {"text": "ingress_rules: {95: {ports: '2222'}}", "merge": True}
    assert fetch(enabled, "inst-a", f"{API}/v1/commit", token="another-long-random-text", data=change)[0] == 403
    assert fetch(enabled, "inst-a", f"{API}/v1/commit", token="a-long-random-text", data=change)[0] == 200
    revision = call(enabled, "gw-a", "GET", "/v1/revisions")["revisions"][0]
    assert revision["user"] == "terraform"


def test_the_status_page_shows_who_holds_what(enabled: Lab) -> None:
    status, page = fetch(enabled, "inst-a", API)
    assert status == 200
    assert "4.5.6.10" in page
    assert "another-long-random-text" not in page


def test_nobody_from_outside_reaches_them(enabled: Lab) -> None:
    for target in (ADDRESS, "4.5.6.10"):
        for port in PORTS:
            assert not reach(enabled, "public-host", "tcp", target, port).ok
    assert fetch(enabled, "public-host", f"https://4.5.6.10:{PORTS[1]}/v1/whoami")[0] == 0


def test_an_own_listener_serves_the_page_without_the_api(region: Lab, before: str) -> None:
    commit(region, "gw-a", "services: {status_page: {enabled: true}}")
    url = f"http://{ADDRESS}:8080/"
    region.wait_for(lambda: fetch(region, "inst-a", url)[0] == 200, 10, "the status page")
    assert fetch(region, "inst-a", f"{url}v1/config")[0] == 404


def test_disabled_they_are_closed(enabled: Lab, before: str) -> None:
    commit(enabled, "gw-a", before, merge=False)
    enabled.wait_for(lambda: not any(_listens(enabled, port) for port in PORTS), 5, "the ports to be closed")
    for port in PORTS:
        assert fetch(enabled, "inst-a", f"http://{ADDRESS}:{port}/")[0] == 0


def test_other_commits_leave_them_alone(enabled: Lab) -> None:
    holder = _listens(enabled, 9100)
    with flow(enabled, "inst-a", "tcp", "198.51.100.10", 443, seconds=1.0):
        commit(enabled, "gw-a", "ingress_rules: {96: {ports: '2223'}}")
    assert holder
    assert _listens(enabled, 9100) == holder
    assert fetch(enabled, "inst-a", METRICS)[0] == 200


def _listens(lab: Lab, port: int) -> str:
    """Give the listening socket on the private address with its inode, empty where there is none."""
    return lab.exec("gw-a", ["ss", "-Htlne", f"src {ADDRESS}:{port}"]).stdout
