"""The HTTP server: uvicorn on a unix socket, with the peer's identity on every request."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from appliance.api.identity import peer_uid


class PeerProtocol(H11Protocol):
    """HTTP/1.1 whose ASGI ``client`` is the peer's user id: ``("uid", N)``."""

    def connection_made(self, transport: Any) -> None:
        """Note the peer's credentials before the first request is read."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family == socket.AF_UNIX:
            self.client = ("uid", peer_uid(connection))


def listen(path: str) -> socket.socket:
    """Open the API's unix socket: any local user may connect, the roles decide what they may do."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o666)  # noqa: PTH101  S103 the peer's credentials are what counts
    listener.listen(128)
    return listener


def serve(app: Starlette, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once requests are accepted."""
    config = uvicorn.Config(
        app,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        limit_concurrency=256,
        h11_max_incomplete_event_size=65536,
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        ready()
        await serving

    asyncio.run(run())
