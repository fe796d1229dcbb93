"""What the listeners serve: the API to bearers of a token, metrics, and the status page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request

from appliance.api.identity import by_token
from appliance.api.listeners import Endpoint, Listeners
from appliance.api.services import FRESH, Recent, application
from appliance.api.status_page import render_page, render_table
from appliance.config.store import Author
from appliance.engine.gateway import Change
from appliance.ops.operation import Table, columns
from appliance.system.certificate import own_certificate
from tests.unit.api.bench import ask, free_port, listens, node_of, until, view_of
from tests.unit.engine.world import Bench

TOKENS = {"ann": {"token": "s3cret-of-ann", "role": "configure"}, "eve": {"token": "s3cret-of-eve"}}
WHOAMI = "/v1/whoami"
ME = Change(Author("ann"))


class Served:
    """A gateway in memory with its listeners on the loopback."""

    def __init__(self, directory: Path) -> None:
        self.bench = Bench()
        self.metrics, self.api = free_port(), free_port()
        node = node_of(self.bench)

        def certificate(endpoint: Endpoint) -> tuple[Path, Path]:
            return own_certificate(directory, "gw", endpoint.address)

        self.listeners = Listeners(lambda endpoint: application(node, endpoint), certificate).started()

    def commit(self, tokens: dict[str, dict[str, str]], *, page: bool = True) -> None:
        """Commit the services with these tokens, and have the listeners follow."""
        services = {
            "metrics": {"enabled": True, "port": self.metrics},
            "api": {"enabled": True, "port": self.api, "tokens": tokens},
            "status_page": {"enabled": page},
        }
        self.bench.gateway.commit({"services": services}, ME)
        self.listeners.configure(view_of(services), {})
        until(lambda: listens(self.metrics) and listens(self.api))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    made.commit(TOKENS)
    yield made
    made.listeners.stop()


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer s3cret-of-an", "Bearer s3cret-of-annn", "Basic s3cret-of-ann",
               "Bearer \xe9\xff", "s3cret-of-ann"],
)  # fmt: skip
def test_without_a_valid_token_there_is_a_problem_and_nothing_else(served: Served, header: str | None) -> None:
    status, headers, body = ask(served.api, WHOAMI, tls=True, token=header)
    assert status == 401
    assert headers["content-type"] == "application/problem+json"
    assert headers["www-authenticate"].startswith("Bearer")
    assert set(json.loads(body)) == {"title", "status", "detail"}


def test_a_token_gives_its_name_and_role(served: Served) -> None:
    status, _headers, body = ask(served.api, WHOAMI, tls=True, token="bearer s3cret-of-eve")
    found = json.loads(body)
    assert (status, found["user"], found["uid"], found["role"]) == (200, "eve", None, "view")
    assert ask(served.api, "/v1/sessions", tls=True, token="Bearer s3cret-of-eve", data={"a": 1})[0] == 403


def test_a_session_is_its_bearers_alone(served: Served) -> None:
    served.commit({**TOKENS, "bob": {"token": "s3cret-of-bob", "role": "configure"}})
    status, _headers, body = ask(served.api, "/v1/sessions", tls=True, token="Bearer s3cret-of-ann", data={"a": 1})
    assert status == 201
    path = f"/v1/sessions/{json.loads(body)['id']}"
    assert ask(served.api, path, tls=True, token="Bearer s3cret-of-ann")[0] == 200
    assert ask(served.api, path, tls=True, token="Bearer s3cret-of-bob")[0] == 404


def test_a_token_taken_back_ends_at_once(served: Served) -> None:
    assert ask(served.api, WHOAMI, tls=True, token="Bearer s3cret-of-ann")[0] == 200
    served.commit({"eve": TOKENS["eve"]})
    assert ask(served.api, WHOAMI, tls=True, token="Bearer s3cret-of-ann")[0] == 401


def test_no_token_configured_lets_nobody_in(served: Served) -> None:
    served.commit({})
    assert ask(served.api, WHOAMI, tls=True, token="Bearer ")[0] == 401


def test_metrics_name_the_part_that_cannot_be_read(served: Served) -> None:
    until(lambda: served.bench.gateway.last_commit)
    status, headers, text = ask(served.metrics, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    lines = text.splitlines()
    assert 'kawaii_scrape_failed{part="rules"} 1.0' in lines
    assert 'kawaii_scrape_failed{part="flows"} 0.0' in lines
    assert "kawaii_conntrack_flows 7.0" in lines
    assert "kawaii_commits_total 1.0" in lines
    assert any(line.startswith('kawaii_commit_phase_seconds{phase="apply"} ') for line in lines)
    assert not any(line.startswith("kawaii_firewall_loaded") for line in lines)


def test_many_who_ask_at_once_share_a_reading() -> None:
    now, made = [0.0], [0]

    def make() -> int:
        made[0] += 1
        return made[0]

    recent = Recent(make, lambda: now[0])
    assert [recent(), recent()] == [1, 1]
    now[0] = FRESH
    assert [recent(), recent()] == [2, 2]


def test_the_metrics_listener_serves_nothing_else(served: Served) -> None:
    assert ask(served.metrics, "/")[0] == 404
    assert ask(served.metrics, "/v1/config", token="Bearer s3cret-of-ann")[0] == 404


def test_the_page_is_there_while_it_is_enabled(served: Served) -> None:
    status, headers, page = ask(served.api, "/", tls=True)
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert '<meta http-equiv="refresh"' in page
    served.commit(TOKENS, page=False)
    assert ask(served.api, "/", tls=True)[0] == 404


def test_the_page_escapes_what_operators_and_tools_say() -> None:
    bench = Bench()
    bench.gateway.commit({}, Change(Author("<i>ann</i>"), "<script>alert('x')</script>"))
    page = render_page(node_of(bench, view_of({})))
    assert "<script" not in page
    assert "<i>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    assert "&lt;b&gt;no &amp; seed&lt;/b&gt;" in page


def test_a_table_escapes_cells_titles_and_notes() -> None:
    text = render_table(Table("<t>", columns(a="<a>"), ({"a": '"<c>"'},), ("<n>",)))
    assert not {"<t>", "<a>", "<c>", "<n>"} & {text[at : at + 3] for at in range(len(text))}
    assert "&quot;&lt;c&gt;&quot;" in text


def test_identity_carries_the_address_of_the_caller() -> None:
    config = view_of({"api": {"tokens": TOKENS}}).config
    headers = [(b"authorization", b"Bearer s3cret-of-ann")]
    request = Request({"type": "http", "headers": headers, "client": ("10.50.201.20", 40000)})
    author = by_token(lambda: config.services.api.tokens)(request).author()
    assert (author.user, author.address, author.role) == ("ann", "10.50.201.20", "configure")
