"""What every handler does with a request: who asks, what the body says, work in a thread."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from appliance.api.identity import Identity
from appliance.api.problem import BadRequest
from appliance.engine.errors import Denied
from appliance.schema.types import Role

MAX_BODY = 16 * 1024 * 1024
"""Bytes; a configuration of 10,000 rules is about 1 MB."""

Handler = Callable[[Request], Awaitable[Response]]


def caller(request: Request) -> Identity:
    """Give the identity behind a request, in the way of the listener it came by; raises `Unauthenticated`."""
    found: Identity = request.app.state.identify(request)
    return found


def require(request: Request, role: Role) -> Identity:
    """Give the caller's identity; raises `Denied` below `role`."""
    identity = caller(request)
    if not identity.may(role):
        raise Denied(f"{identity.user} has role {identity.role or 'none'}, this needs {role}")
    return identity


async def body(request: Request) -> dict[str, Any]:
    """Read a JSON object of at most `MAX_BODY` bytes; an empty body is an empty object."""
    text = b""
    async for part in request.stream():
        text += part
        if len(text) > MAX_BODY:
            raise BadRequest(f"the body is larger than {MAX_BODY} bytes")
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadRequest("the body is not a JSON object")
    return found


def field(document: dict[str, Any], name: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
    """Take a field of a request, checked for its type."""
    value = document.get(name, default)
    if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        raise BadRequest(f"{name}: got {value!r}")
    return value


async def in_thread(work: Callable[[], Any]) -> JSONResponse:
    """Run blocking work beside the event loop and answer with its JSON."""
    return JSONResponse(await run_in_threadpool(work))
