"""The running configuration over the API: read it, replace or merge it in one commit, confirm, look back."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from appliance.api.problem import BadRequest, NotFound, describe
from appliance.api.requests import body, caller, field, in_thread, require
from appliance.config.candidate import Candidate
from appliance.config.store import Tree
from appliance.config.text import spell_tree
from appliance.engine.errors import Denied
from appliance.engine.gateway import Change, CommitResult, Gateway
from appliance.schema.types import Role


def result_document(result: CommitResult) -> dict[str, Any]:
    """Give a commit's result as JSON."""
    return {
        "revision": result.revision,
        "plan": [
            {
                "subsystem": step.subsystem,
                "action": step.action,
                "before": step.before,
                "after": step.after,
                "impact": str(step.impact),
            }
            for step in result.plan.steps
        ],
        "impact": str(result.impact),
        "warnings": describe(result.warnings),
        "not_applied": list(result.not_applied),
        "seconds": round(result.seconds, 4),
        "phases": {name: round(seconds, 4) for name, seconds in result.phases.items()},
        "confirm_seconds": None if result.confirm_seconds is None else round(result.confirm_seconds),
    }


def render_tree(tree: Tree, query: QueryParams) -> dict[str, Any]:
    """Spell a tree, or the part at ``path=…&path=…``, in ``format`` json, yaml or set."""
    path = tuple(query.getlist("path"))
    form = query.get("format", "json")
    secrets = query.get("secrets") == "1"
    found = spell_tree(tree, path, form, secrets)
    return {"tree": found} if form == "json" else {"text": found}


def configuration_routes(gateway: Gateway) -> list[Route]:
    """Give the routes of the running configuration."""

    async def read(request: Request) -> Response:
        role = Role.CONFIGURE if request.query_params.get("secrets") == "1" else Role.VIEW
        require(request, role)
        number = request.query_params.get("revision")
        if number is not None and not number.isdigit():
            raise BadRequest(f"revision: got {number!r}, expected a number")

        def work() -> dict[str, Any]:
            tree = gateway.running.valid.tree if number is None else gateway.revision(int(number)).tree
            return render_tree(tree, request.query_params)

        try:
            return await in_thread(work)
        except KeyError:
            raise NotFound(f"no revision {number}") from None

    async def commit(request: Request) -> Response:
        identity = require(request, Role.CONFIGURE)
        document = await body(request)
        text = field(document, "text", str)
        if not text:
            raise BadRequest("text: the configuration is missing")
        mode = "merge" if field(document, "merge", bool, False) else "override"
        change = Change(
            identity.author(), field(document, "comment", str), field(document, "confirmed_seconds", (int, float))
        )
        check = bool(field(document, "check", bool, False))
        name = field(document, "name", str) or "configuration"

        def work() -> dict[str, Any]:
            with gateway.exclusive():
                running = gateway.running
                candidate = Candidate("", running.revision.number if running.revision else 0, running.valid.tree)
                load = {"op": "load", "mode": mode, "text": text, "format": "yaml", "name": name}
                candidate.edit([load], lambda number: gateway.revision(number).tree)
                return result_document(gateway.commit(candidate.tree, change, check=check))

        return await in_thread(work)

    async def confirm(request: Request) -> Response:
        require(request, Role.CONFIGURE)
        return await in_thread(lambda: {"revision": gateway.confirm()})

    async def revisions(request: Request) -> Response:
        require(request, Role.VIEW)

        def work() -> dict[str, Any]:
            pointer = gateway.pointer
            waiting = pointer.revision if pointer and pointer.deadline is not None else None
            return {
                "revisions": [
                    {
                        "number": r.number,
                        "when": r.when,
                        "user": r.author.user,
                        "comment": r.comment,
                        "way": r.author.way,
                        "confirmed": r.number != waiting,
                    }
                    for r in gateway.revisions()
                ]
            }

        return await in_thread(work)

    async def health(request: Request) -> Response:
        if caller(request).role is None:
            raise Denied("no role")
        return await in_thread(lambda: {"running": gateway.pointer.revision if gateway.pointer else None})

    return [
        Route("/v1/config", read, methods=["GET"]),
        Route("/v1/commit", commit, methods=["POST"]),
        Route("/v1/confirm", confirm, methods=["POST"]),
        Route("/v1/revisions", revisions, methods=["GET"]),
        Route("/v1/health", health, methods=["GET"]),
    ]
