"""What each listener on the private NIC serves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from appliance.api.app import build_app
from appliance.api.identity import by_token
from appliance.api.listeners import Endpoint, Service
from appliance.api.problem import HANDLERS, NotFound
from appliance.api.status_page import render_page
from appliance.ops.metrics import NodeCollector
from appliance.ops.operation import Node
from appliance.schema.services import ApiToken, Services

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


Reading = TypeVar("Reading")

FRESH = 1.0
"""Seconds for which a reading of the node serves everybody who asks."""


class Recent(Generic[Reading]):
    """A reading of the node made on demand, however many ask: it is dear, and any instance may ask for it."""

    def __init__(self, make: Callable[[], Reading], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[float, Reading] | None = None

    def __call__(self) -> Reading:
        """Give the last reading, or a new one where that is older than `FRESH`."""
        with self._lock:
            if self._last is None or self._clock() - self._last[0] >= FRESH:
                reading = self._make()
                self._last = self._clock(), reading
            return self._last[1]


def application(node: Node, endpoint: Endpoint) -> Starlette:
    """Make what an endpoint serves; tokens, and whether there is a status page, are looked up at every request."""
    if endpoint.service is Service.METRICS:
        return Starlette(routes=[_metrics(node)], exception_handlers=HANDLERS)
    if endpoint.service is Service.STATUS_PAGE:
        return Starlette(routes=[_page(node)], exception_handlers=HANDLERS)

    def tokens() -> Mapping[str, ApiToken]:
        return _services(node).api.tokens

    app = build_app(node, by_token(tokens))
    app.router.routes.append(_page(node))
    return app


def _services(node: Node) -> Services:
    return node.gateway.running.valid.config.services


def _metrics(node: Node) -> Route:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(node))
    text = Recent(lambda: generate_latest(registry))

    async def metrics(_request: Request) -> Response:
        return Response(await run_in_threadpool(text), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)


def _page(node: Node) -> Route:
    text = Recent(lambda: render_page(node))

    async def page(_request: Request) -> Response:
        if not _services(node).status_page.enabled:
            raise NotFound("the status page is not enabled")
        return HTMLResponse(await run_in_threadpool(text), headers=HEADERS)

    return Route("/", page)
