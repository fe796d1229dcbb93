"""Listeners follow commits: opened, moved and closed, the others undisturbed, and what fails is told."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from appliance.api.listeners import Endpoint, Listeners, Service, endpoints
from appliance.engine.errors import MissingTool
from appliance.system.certificate import own_certificate
from tests.unit.api.bench import ADDRESS, ask, free_port, listens, until, view_of


def application(endpoint: Endpoint) -> Starlette:
    async def name(_request: Request) -> Response:
        return PlainTextResponse(str(endpoint.service))

    return Starlette(routes=[Route("/", name)])


@pytest.fixture
def listeners(tmp_path: Path) -> Iterator[Listeners]:
    made = Listeners(application, lambda endpoint: own_certificate(tmp_path, "gw", endpoint.address)).started()
    yield made
    made.stop()


def metrics(port: int) -> dict[str, Any]:
    return {"metrics": {"enabled": True, "port": port}}


def test_nothing_listens_unless_enabled() -> None:
    assert endpoints(view_of({})) == frozenset()
    assert endpoints(None) == frozenset()


def test_the_status_page_joins_the_api_where_that_is_enabled() -> None:
    page = {"status_page": {"enabled": True}}
    assert endpoints(view_of(page)) == {Endpoint(Service.STATUS_PAGE, ADDRESS, 8080)}
    assert endpoints(view_of({**page, "api": {"enabled": True}})) == {Endpoint(Service.API, ADDRESS, 8443)}


def test_a_listener_opens_moves_and_closes(listeners: Listeners) -> None:
    first, second = free_port(), free_port()
    listeners.configure(view_of(metrics(first)), {})
    until(lambda: listens(first))
    assert ask(first, "/")[2] == "metrics"
    listeners.configure(view_of(metrics(second)), {})
    until(lambda: listens(second) and not listens(first))
    listeners.configure(None, {})
    until(lambda: not listens(second))
    assert listeners.problems() == ()


def test_what_a_commit_leaves_alone_keeps_its_connections(listeners: Listeners) -> None:
    kept, other = free_port(), free_port()
    listeners.configure(view_of(metrics(kept)), {})
    until(lambda: listens(kept))
    client = http.client.HTTPConnection(ADDRESS, kept, timeout=5)
    with contextlib.closing(client):
        client.request("GET", "/")
        assert client.getresponse().read() == b"metrics"
        used = client.sock
        listeners.configure(view_of({**metrics(kept), "status_page": {"enabled": True, "port": other}}), {})
        until(lambda: listens(other))
        client.request("GET", "/")
        assert client.getresponse().read() == b"metrics"
        assert used is not None
        assert client.sock is used


def test_a_port_in_use_is_told_and_taken_when_it_is_free(listeners: Listeners) -> None:
    with socket.socket() as holder:
        holder.bind((ADDRESS, 0))
        holder.listen()
        port = int(holder.getsockname()[1])
        listeners.configure(view_of(metrics(port)), {})
        until(listeners.problems)
        (told,) = listeners.problems()
        assert told.startswith(f"services metrics: {ADDRESS}:{port}: ")
        assert "in use" in told
    until(lambda: not listeners.problems())
    assert ask(port, "/")[0] == 200


def test_without_openssl_the_others_are_open() -> None:
    def none(_endpoint: Endpoint) -> tuple[Path, Path]:
        raise MissingTool("openssl is not installed")

    listeners = Listeners(application, none).started()
    port = free_port()
    try:
        listeners.configure(view_of({**metrics(port), "api": {"enabled": True, "port": free_port()}}), {})
        until(lambda: listens(port) and listeners.problems())
        assert "openssl is not installed" in listeners.problems()[0]
    finally:
        listeners.stop()


def test_an_address_that_is_not_there_yet_is_no_problem(listeners: Listeners) -> None:
    port = free_port()
    listeners.configure(view_of({**metrics(port)}, address="192.0.2.1"), {})
    listeners.configure(view_of(metrics(port)), {})
    until(lambda: listens(port))
    assert listeners.problems() == ()


def test_the_api_speaks_tls_1_2_or_later(listeners: Listeners) -> None:
    port = free_port()
    listeners.configure(view_of({"api": {"enabled": True, "port": port}}), {})
    until(lambda: listens(port))
    assert ask(port, "/", tls=True)[2] == "api"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((ADDRESS, port), 5) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain)


def test_stopping_is_over_in_two_seconds_though_a_client_idles(tmp_path: Path) -> None:
    listeners = Listeners(application, lambda endpoint: own_certificate(tmp_path, None, endpoint.address)).started()
    port = free_port()
    listeners.configure(view_of(metrics(port)), {})
    until(lambda: listens(port))
    with socket.create_connection((ADDRESS, port), 5) as client:
        client.sendall(b"GET / HT")
        began = time.monotonic()
        listeners.stop()
        assert time.monotonic() - began < 2.2
    until(lambda: not listens(port), 1.0)
