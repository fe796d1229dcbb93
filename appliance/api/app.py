"""The HTTP application of the unix socket and of the HTTPS listener: everything the console can do."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.configuration import configuration_routes
from appliance.api.identity import Identify, by_peer
from appliance.api.problem import HANDLERS, NotFound
from appliance.api.requests import caller, in_thread, require
from appliance.api.sessions import Sessions, session_routes
from appliance.ops.completion import complete
from appliance.ops.operation import Answer, Node
from appliance.ops.registry import OPERATIONS, describe
from appliance.ops.show import vrrp_summary
from appliance.schema.grammar import grammar
from appliance.schema.types import Role


def answer_document(answer: Answer) -> dict[str, Any]:
    """Give an operation's answer as JSON; one table stands at the top."""
    tables = [
        {
            "title": table.title,
            "columns": [{"name": c.name, "title": c.title} for c in table.columns],
            "rows": [dict(row) for row in table.rows],
            "notes": list(table.notes),
        }
        for table in answer.tables
    ]
    if answer.text is not None:
        return {"text": answer.text, "tables": tables}
    return tables[0] if len(tables) == 1 else {"tables": tables}


def build_app(node: Node, identify: Identify = by_peer) -> Starlette:
    """Make the application of one node; `identify` tells who asks."""
    gateway = node.gateway

    async def read_grammar(request: Request) -> Response:
        require(request, Role.VIEW)
        return await in_thread(lambda: {"config": grammar(), "operational": describe(), "schema_version": node.version})

    async def whoami(request: Request) -> Response:
        identity = caller(request)

        def work() -> dict[str, Any]:
            view = node.view()
            seconds = gateway.confirm_seconds()
            return {
                "user": identity.user,
                "uid": identity.uid,
                "role": identity.role,
                "node": view.hostname if view else "kawaii",
                "zone": view.zone if view else node.facts.zone,
                "vrrp": vrrp_summary(node),
                "confirm_seconds": None if seconds is None else round(seconds),
                "problems": list(node.problems()),
            }

        return await in_thread(work)

    async def operate(request: Request) -> Response:
        words = tuple(request.path_params["words"].split("/"))
        operation = OPERATIONS.get(words)
        if operation is None:
            raise NotFound(f"no command {' '.join(words)}")
        require(request, operation.role)
        if operation.changes != (request.method == "POST"):
            return JSONResponse({"title": "Method not allowed", "status": 405}, status_code=405)
        arguments = dict(request.query_params)
        return await in_thread(lambda: answer_document(operation.run(node, arguments)))

    async def values(request: Request) -> Response:
        require(request, Role.VIEW)
        kind = request.query_params.get("values", "")
        return await in_thread(lambda: {"values": complete(node, kind)})

    routes = [
        Route("/v1/grammar", read_grammar),
        Route("/v1/whoami", whoami),
        Route("/v1/complete", values),
        Route("/v1/op/{words:path}", operate, methods=["GET", "POST"]),
        *configuration_routes(gateway),
        *session_routes(Sessions(gateway), gateway),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.state.identify = identify
    return app
