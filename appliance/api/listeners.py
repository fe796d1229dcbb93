"""The listeners on the private NIC: opened, moved and closed as commits say, in a thread with a loop of its own.

A commit only says what is wanted; what it does not change goes on undisturbed, and what cannot be opened is tried again
and told to whoever asks for the node's problems.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from appliance.agents.agent import Roles
from appliance.engine.errors import EngineError
from appliance.subsystems.view import NodeView

log = logging.getLogger(__name__)

RETRY = 1.0
"""Seconds until a listener that could not be opened is tried again."""
GRACE = 1
"""Seconds that requests under way get when their listener closes."""
STOP_WITHIN = 2.0
FREEBIND = {socket.AF_INET: (socket.IPPROTO_IP, 15), socket.AF_INET6: (socket.IPPROTO_IPV6, 78)}
"""IP_FREEBIND (ip(7)) and IPV6_FREEBIND: bind before the address is there."""


class Service(StrEnum):
    """What a listener serves, by its name below ``services``."""

    METRICS = "metrics"
    API = "api"
    STATUS_PAGE = "status_page"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service at an address and TCP port; only the API speaks TLS."""

    service: Service
    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"services {self.service}: {host}:{self.port}"


@dataclass(slots=True)
class _Open:
    server: uvicorn.Server
    task: asyncio.Task[None]


def endpoints(view: NodeView | None) -> frozenset[Endpoint]:
    """Give what is to be served, at each fixed address of the private NIC; the status page joins the API's port."""
    if view is None or view.private is None:
        return frozenset()
    services = view.config.services
    wanted: list[tuple[Service, int]] = []
    if services.metrics.enabled:
        wanted.append((Service.METRICS, services.metrics.port))
    if services.api.enabled:
        wanted.append((Service.API, services.api.port))
    elif services.status_page.enabled:
        wanted.append((Service.STATUS_PAGE, services.status_page.port))
    addresses = [str(item.ip) for item in view.private.addresses]
    return frozenset(Endpoint(service, address, port) for service, port in wanted for address in addresses)


def bind(endpoint: Endpoint) -> socket.socket:
    """Open the listening socket of an endpoint, also before its address is there; raises `OSError`."""
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(*FREEBIND[family], 1)
        listener.bind((endpoint.address, endpoint.port))
    except OSError:
        listener.close()
        raise
    return listener


class Listeners:
    """Keeps exactly the wanted endpoints open; an agent, so that commits tell it their configuration.

    `application` makes what an endpoint serves, `certificate` gives the paths of the API's certificate and key.
    """

    name = "listeners"

    def __init__(
        self,
        application: Callable[[Endpoint], Starlette],
        certificate: Callable[[Endpoint], tuple[Path, Path]],
    ) -> None:
        self._application = application
        self._certificate = certificate
        self._wanted: frozenset[Endpoint] = frozenset()
        self._open: dict[Endpoint, _Open] = {}
        self._problems: dict[Endpoint, str] = {}
        self._stopping = False
        self._changed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="listeners", daemon=True)

    def started(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def configure(self, view: NodeView | None, roles: Roles) -> None:
        """Take over a configuration; returns before anything is opened or closed."""
        wanted = endpoints(view)
        if wanted != self._wanted:
            self._wanted = wanted
            self._loop.call_soon_threadsafe(self._changed.set)

    def follow(self, roles: Roles) -> None:
        """Pairs come and go; the fixed addresses stay."""

    def stop(self) -> None:
        """Close everything; requests under way get a second."""
        self._stopping = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._changed.set)
            self._thread.join(STOP_WITHIN)

    def problems(self) -> tuple[str, ...]:
        """Say which listeners could not be opened, and why."""
        wanted = self._wanted
        found = sorted((str(endpoint), why) for endpoint, why in self._problems.copy().items() if endpoint in wanted)
        return tuple(f"{endpoint}: {why}" for endpoint, why in found)

    # -- the thread ----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            await self._settle(self._wanted)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), RETRY if self._open or self._problems else None)
        await self._close(list(self._open))

    async def _settle(self, wanted: frozenset[Endpoint]) -> None:
        ended = [endpoint for endpoint, item in self._open.items() if item.task.done()]
        await self._close([endpoint for endpoint in self._open if endpoint not in wanted or endpoint in ended])
        for endpoint in [endpoint for endpoint in self._problems if endpoint not in wanted]:
            del self._problems[endpoint]
        for endpoint in sorted(wanted - set(self._open), key=str):
            try:
                self._open[endpoint] = await self._serve(endpoint)
            except (OSError, EngineError) as error:
                self._complain(endpoint, str(error))
            else:
                self._problems.pop(endpoint, None)
                log.info("%s is open", endpoint)

    def _complain(self, endpoint: Endpoint, why: str) -> None:
        if self._problems.get(endpoint) != why:
            log.error("%s: %s", endpoint, why)
        self._problems[endpoint] = why

    async def _serve(self, endpoint: Endpoint) -> _Open:
        config = uvicorn.Config(
            self._application(endpoint),
            http=H11Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=GRACE,
            limit_concurrency=64,
            h11_max_incomplete_event_size=65536,
        )
        config.load()
        if endpoint.service is Service.API:
            config.ssl = await asyncio.to_thread(self._context, endpoint)
        server = uvicorn.Server(config)
        listener = bind(endpoint)
        task = asyncio.create_task(server.serve([listener]), name=str(endpoint))
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        return _Open(server, task)

    def _context(self, endpoint: Endpoint) -> ssl.SSLContext:
        certificate, key = self._certificate(endpoint)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        return context

    async def _close(self, gone: list[Endpoint]) -> None:
        """Close endpoints side by side; one that ended by itself, or whose requests do not end, is only noted."""
        items = {endpoint: self._open.pop(endpoint) for endpoint in gone}
        for item in items.values():
            item.server.should_exit = True
        if items:
            await asyncio.wait([item.task for item in items.values()], timeout=GRACE + 0.5)
        for endpoint, item in items.items():
            if item.task.done() and not item.task.cancelled() and item.task.exception() is not None:
                log.error("%s ended: %s", endpoint, item.task.exception())
            else:
                log.info("%s is closed", endpoint)
