"""Configuration sessions: candidates edited over the API, merged and committed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.configuration import render_tree, result_document
from appliance.api.problem import BadRequest, NotFound
from appliance.api.requests import body, field, in_thread, require
from appliance.config.candidate import Candidate
from appliance.engine.errors import Conflict
from appliance.engine.gateway import Change, Gateway
from appliance.schema.types import Role

IDLE_SECONDS = 24 * 3600.0
MAX_SESSIONS = 64

Owner = tuple[str, int | None]
"""Whose a candidate is: `Identity.owner`."""


class Sessions:
    """The open candidates, by an id that cannot be guessed; idle ones are dropped."""

    def __init__(self, gateway: Gateway, clock: Callable[[], float] = time.monotonic) -> None:
        self._gateway = gateway
        self._clock = clock
        self._open: dict[str, tuple[Candidate, Owner, float]] = {}
        self._lock = threading.Lock()

    def create(self, owner: Owner) -> Candidate:
        """Open a candidate on what runs now; raises `Conflict` when too many are open."""
        with self._lock:
            now = self._clock()
            self._open = {key: entry for key, entry in self._open.items() if now - entry[2] < IDLE_SECONDS}
            if len(self._open) >= MAX_SESSIONS:
                raise Conflict(f"{MAX_SESSIONS} sessions are open", hint="close one, or wait")
            running = self._gateway.running
            number = running.revision.number if running.revision else 0
            candidate = Candidate(secrets.token_urlsafe(12), number, running.valid.tree)
            self._open[candidate.id] = (candidate, owner, now)
            return candidate

    def find(self, key: str, owner: Owner) -> Candidate:
        """Give one's own candidate; raises `NotFound`."""
        with self._lock:
            entry = self._open.get(key)
            if entry is None or entry[1] != owner:
                raise NotFound(f"no session {key}")
            self._open[key] = (entry[0], owner, self._clock())
            return entry[0]

    def close(self, key: str) -> None:
        """Drop a candidate and its edits."""
        with self._lock:
            self._open.pop(key, None)

    def commit(self, candidate: Candidate, change: Change, check: bool) -> dict[str, Any]:
        """Merge a candidate with what was committed meanwhile, and commit it."""
        with self._gateway.exclusive():
            running = self._gateway.running
            merged = candidate.merged(running.valid.tree)
            result = self._gateway.commit(merged, change, check=check)
            if not check:
                now = self._gateway.running
                candidate.rebase(now.revision.number if now.revision else 0, now.valid.tree)
            return result_document(result)


def session_routes(sessions: Sessions, gateway: Gateway) -> list[Route]:
    """Give the routes below ``/v1/sessions``."""

    def mine(request: Request) -> Candidate:
        identity = require(request, Role.CONFIGURE)
        return sessions.find(request.path_params["id"], identity.owner)

    def state(candidate: Candidate) -> dict[str, Any]:
        return {"id": candidate.id, "base": candidate.base_number, "edited": candidate.edited}

    async def create(request: Request) -> Response:
        identity = require(request, Role.CONFIGURE)
        return JSONResponse(state(sessions.create(identity.owner)), status_code=201)

    async def show(request: Request) -> Response:
        return JSONResponse(state(mine(request)))

    async def close(request: Request) -> Response:
        sessions.close(mine(request).id)
        return Response(status_code=204)

    async def edit(request: Request) -> Response:
        candidate = mine(request)
        document = await body(request)
        operations = field(document, "ops", list, [])

        def work() -> dict[str, Any]:
            candidate.edit(operations, lambda number: gateway.revision(number).tree)
            return {"edited": candidate.edited, "warnings": []}

        try:
            return await in_thread(work)
        except (TypeError, AttributeError) as error:
            raise BadRequest(f"ops: {error}") from None
        except KeyError as error:
            raise NotFound(f"no revision {error}") from None

    async def config(request: Request) -> Response:
        candidate = mine(request)
        return await in_thread(lambda: render_tree(candidate.tree, request.query_params))

    async def compare(request: Request) -> Response:
        candidate = mine(request)
        number = request.query_params.get("revision")
        if number is not None and not number.isdigit():
            raise BadRequest(f"revision: got {number!r}, expected a number")

        def work() -> dict[str, Any]:
            base = gateway.running.valid.tree if number is None else gateway.revision(int(number)).tree
            return candidate.compare(base, request.query_params.get("format", "text"))

        try:
            return await in_thread(work)
        except KeyError:
            raise NotFound(f"no revision {number}") from None

    async def commit(request: Request) -> Response:
        identity = require(request, Role.CONFIGURE)
        candidate = mine(request)
        document = await body(request)
        change = Change(
            identity.author(), field(document, "comment", str), field(document, "confirmed_seconds", (int, float))
        )
        check = bool(field(document, "check", bool, False))
        return await in_thread(lambda: sessions.commit(candidate, change, check))

    at = "/v1/sessions/{id}"
    return [
        Route("/v1/sessions", create, methods=["POST"]),
        Route(at, show, methods=["GET"]),
        Route(at, close, methods=["DELETE"]),
        Route(f"{at}/edit", edit, methods=["POST"]),
        Route(f"{at}/config", config, methods=["GET"]),
        Route(f"{at}/compare", compare, methods=["GET"]),
        Route(f"{at}/commit", commit, methods=["POST"]),
    ]
