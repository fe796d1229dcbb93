"""Errors as problem details (RFC 9457), from the engine's own error tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from appliance.api.identity import Unauthenticated
from appliance.config.candidate import CandidateConflict
from appliance.engine.errors import ApplyFailed, Conflict, Denied, EngineError, MissingTool, Refused, VerifyFailed
from appliance.schema.problem import InvalidConfig, Problem

STATUS: Mapping[type[Exception], tuple[int, str]] = {
    Denied: (403, "Not allowed"),
    Conflict: (409, "Conflict"),
    Refused: (422, "Refused by a tool"),
    MissingTool: (503, "A tool is missing"),
    ApplyFailed: (500, "Not applied, nothing changed"),
    VerifyFailed: (500, "Not as applied, undone"),
}


class BadRequest(Exception):
    """The request itself is wrong: not JSON, a missing field, a value of the wrong type."""


class NotFound(Exception):
    """There is no such thing: session, revision, path, operation."""


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Make a problem document."""
    body = {"title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def describe(problems: Sequence[Problem]) -> list[dict[str, object]]:
    """Give problems as JSON: path, text, what was found, what is accepted."""
    return [
        {
            "path": list(item.path),
            "text": item.text(),
            "message": item.message,
            "found": item.found,
            "accepted": item.accepted,
            "severity": str(item.severity),
        }
        for item in problems
    ]


def invalid(_request: Request, error: Exception) -> JSONResponse:
    """Answer a refused configuration: every problem at once."""
    assert isinstance(error, InvalidConfig)  # noqa: S101  registered for this type
    return problem(422, "Invalid configuration", "nothing was changed", problems=describe(error.problems))


def engine_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer an engine error by its type."""
    assert isinstance(error, EngineError)  # noqa: S101  registered for this type
    status, title = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), (500, "Failed"))
    paths = [list(path) for path in error.paths] if isinstance(error, Conflict) else []
    return problem(status, title, error.message, hint=error.hint, paths=paths)


def conflict(_request: Request, error: Exception) -> JSONResponse:
    """Answer a candidate that somebody overtook."""
    assert isinstance(error, CandidateConflict)  # noqa: S101  registered for this type
    hint = "`discard` begins anew from what runs; `compare` shows both"
    return problem(409, "Conflict", str(error), hint=hint, paths=[list(path) for path in error.paths])


def bad_request(_request: Request, error: Exception) -> JSONResponse:
    """Answer a request that cannot be understood."""
    return problem(400, "Bad request", str(error))


def unauthenticated(_request: Request, error: Exception) -> JSONResponse:
    """Answer a caller without a valid token (RFC 6750, section 3)."""
    answer = problem(401, "Not authenticated", str(error))
    answer.headers["WWW-Authenticate"] = 'Bearer realm="kawaii"'
    return answer


def not_found(_request: Request, error: Exception) -> JSONResponse:
    """Answer a request for something that is not there."""
    return problem(404, "Not found", str(error))


def host_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer a failure of the host: a full disk, a tool that died."""
    return problem(500, "The host failed", str(error))


def unexpected(_request: Request, error: Exception) -> JSONResponse:
    """Answer a fault of ours; the log has the traceback, the caller has not."""
    return problem(500, "Internal error", f"{type(error).__name__}; the log has more")


HANDLERS: dict[int | type[Exception], Any] = {
    InvalidConfig: invalid,
    EngineError: engine_error,
    CandidateConflict: conflict,
    Unauthenticated: unauthenticated,
    BadRequest: bad_request,
    NotFound: not_found,
    OSError: host_error,
    Exception: unexpected,
}
