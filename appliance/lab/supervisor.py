"""The lab's systemd: one process per lab that starts every daemon of every node in its namespace and keeps it running.

Control is a unix stream socket, ``KAWAII_SUPERVISOR`` in a daemon's environment; ``KAWAII_NODE`` is the node it runs
on.  One JSON object per line each way, any number of requests per connection, answered in order::

    {"node": "gw-a", "daemon": "conntrackd", "action": "start" | "stop" | "restart" | "status"}
    {"ok": true, "running": true, "pid": 4711, "error": null}

A gateway's daemons and the units they stand for: ``kawaiid`` (kawaiid.service), ``guard`` (kawaii-vrrp.service, the
parent of keepalived), ``charon`` (strongswan.service), ``conntrackd`` (conntrackd.service).  A gateway's files are
below its root R as on the appliance below ``/``: charon answers VICI at ``R/run/charon.vici``, conntrackd is started
only if ``R/run/kawaii/conntrackd.conf`` exists.

``start`` returns when the daemon is ready (sd_notify(3) for kawaiid, charon and conntrackd), ``stop`` when it is gone
and its on-exit hook has run.  ``ok`` is false when that failed; ``error`` then says why.  More, for the lab itself:
``{"action": "kill", "signal": N, …}`` sends a signal to one daemon, ``{"action": "list"}`` gives ``{"ok", "daemons":
{NODE: {DAEMON: PID}}}``, ``{"action": "shutdown"}`` stops everything and ends the supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from appliance.lab.daemons import DaemonSpec, load_specs
from appliance.lab.unit import Unit, UnitError

SOCKET = "supervisor.sock"
SPECS = "daemons.json"
SHUTDOWN_GRACE = 1.0
"""Seconds a daemon gets to end by itself when its namespace is about to go."""


class Supervisor:
    """All units of a lab and their control socket."""

    def __init__(self, state: Path, specs: Iterable[DaemonSpec]) -> None:
        self._state = state
        self._units = {(spec.node, spec.daemon): Unit(spec, state) for spec in specs}
        self._done = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to shut down or to terminate, then leave no child behind."""
        path = self._state / SOCKET
        path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._done.set)
        server = await asyncio.start_unix_server(self._serve, path)
        boot = [asyncio.create_task(self._boot(unit)) for unit in self._units.values() if unit.spec.boot]
        await self._done.wait()
        server.close()
        for task in boot:
            task.cancel()
        await asyncio.gather(*(unit.stop(SHUTDOWN_GRACE) for unit in self._units.values()), return_exceptions=True)
        path.unlink(missing_ok=True)

    async def _boot(self, unit: Unit) -> None:
        try:
            await unit.start()
        except UnitError as error:
            print(f"{unit.spec.node}: {error}", file=sys.stderr, flush=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            action = request["action"]
        except (ValueError, KeyError, TypeError) as error:
            return {"ok": False, "running": False, "pid": None, "error": f"not a request: {error}"}
        if action == "shutdown":
            self._done.set()
            return {"ok": True}
        if action == "list":
            return {"ok": True, "daemons": self._running()}
        unit = self._units.get((request.get("node"), request.get("daemon")))
        if unit is None:
            missing = f"no daemon {request.get('daemon')} on {request.get('node')}"
            return {"ok": False, "running": False, "pid": None, "error": missing}
        error_text = await self._act(unit, action, request)
        pid = unit.pid
        return {"ok": error_text is None, "running": pid is not None, "pid": pid, "error": error_text}

    async def _act(self, unit: Unit, action: str, request: dict[str, Any]) -> str | None:
        try:
            match action:
                case "start":
                    await unit.start()
                case "stop":
                    await unit.stop()
                case "restart":
                    await unit.stop()
                    await unit.start()
                case "kill":
                    unit.kill(int(request.get("signal", signal.SIGTERM)))
                case "status":
                    pass
                case _:
                    return f"no such action: {action}"
        except (UnitError, ValueError) as error:
            return str(error)
        return None

    def _running(self) -> dict[str, dict[str, int]]:
        daemons: dict[str, dict[str, int]] = {}
        for (node, daemon), unit in self._units.items():
            if unit.pid is not None:
                daemons.setdefault(node, {})[daemon] = unit.pid
        return daemons


def main() -> int:
    """Run the supervisor of the lab whose state directory is the one argument."""
    state = Path(sys.argv[1])
    os.chdir("/")
    asyncio.run(Supervisor(state, load_specs(state / SPECS)).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
