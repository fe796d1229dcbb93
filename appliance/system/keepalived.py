"""keepalived behind its guard: the `Vrrp` port (keepalived(8), keepalived.conf(5))."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from appliance.engine.errors import ApplyFailed, MissingTool, Refused
from appliance.engine.ports import Files, ServiceState
from appliance.system.guard.advert import contest
from appliance.system.guard.child import PROGRAM, refusal
from appliance.system.guard.facts import digest_of, read_facts
from appliance.system.guard.status import GuardFiles, Status
from appliance.system.paths import Paths
from appliance.system.services import ServiceManager

READY_WITHIN = 10.0
"""Seconds the guard gets to make keepalived run a configuration."""
DUMP_WITHIN = 2.0
POLL = 0.005
GUARD = "guard"


class Keepalived:
    """Gives the guard its configuration and asks keepalived what it does."""

    def __init__(self, paths: Paths, services: ServiceManager, files: Files) -> None:
        self._paths = paths
        self._services = services
        self._files = files
        self._guard = GuardFiles(paths)

    def check(self, text: str) -> None:
        """Have ``keepalived -t`` judge a configuration; raises `Refused`, `MissingTool`."""
        self._guard.prepare()
        with tempfile.NamedTemporaryFile("w", dir=self._guard.directory, suffix=".conf", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            try:
                words = refusal(Path(file.name))
            except FileNotFoundError as error:
                raise MissingTool("keepalived is not installed") from error
            except subprocess.TimeoutExpired as error:
                raise Refused(f"keepalived -t did not end within {error.timeout:.0f} s") from error
        if words is not None:
            raise Refused(f"keepalived refuses its configuration: {words.replace(file.name, 'keepalived.conf')}")

    def configured(self) -> str | None:
        """Give the configuration that keepalived is to run, None if there is none."""
        return self._files.read(str(self._paths.keepalived_conf))

    def configure(self, text: str | None) -> None:
        """Have the guard run keepalived on `text`, or on nothing; raises `ApplyFailed`.

        keepalived gets a signal only if it does not run this very text already.
        """
        path = str(self._paths.keepalived_conf)
        if text is None:
            self._files.remove(path)
            if self._services.status(GUARD).running:
                self._nudge(lambda status: status.state == "idle")
            return
        self._files.write(path, text)
        if not self._services.status(GUARD).running:
            self._services.start(GUARD)
        digest = digest_of(text)

        def settled(status: Status) -> bool:
            return status.refused == digest or (status.state == "running" and status.digest == digest)

        status = self._nudge(settled)
        if status.refused == digest:
            raise ApplyFailed(f"keepalived refuses its configuration: {status.reason}")

    def _nudge(self, settled: Callable[[Status], bool]) -> Status:
        """Have the guard look at the file, and wait until it has; a guard that just starts looks by itself."""
        deadline = time.monotonic() + READY_WITHIN
        looks: int | None = None
        status: Status | None = None
        while time.monotonic() < deadline:
            status = self._guard.read_status()
            if looks is None:
                pid = self._services.status(GUARD).pid
                if status is not None and pid is not None and status.pid == pid:
                    looks = status.looks
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGHUP)
            elif status is not None and status.looks != looks and settled(status):
                return status
            time.sleep(POLL)
        said = f"{status.state}: {status.reason or 'no reason given'}" if status else "the guard does not run"
        raise ApplyFailed(
            f"keepalived did not take its configuration within {READY_WITHIN:.0f} s ({said})",
            "see the log of kawaii-vrrp.service",
        )

    def service(self) -> ServiceState:
        """Tell whether keepalived runs the configured file."""
        status = self._guard.read_status()
        pid = self._guard.pid("keepalived")
        running = status is not None and pid is not None and status.state == "running" and status.keepalived == pid
        return ServiceState(running, pid if running else None)

    def instances(self) -> list[dict[str, Any]]:
        """Give keepalived's own view of its VRRP instances; empty where it does not run or does not answer."""
        pid = self.service().pid
        if pid is None:
            return []
        path = self._guard.directory / "keepalived.json"
        path.unlink(missing_ok=True)
        try:
            os.kill(pid, json_signal())
        except ProcessLookupError:
            return []
        deadline = time.monotonic() + DUMP_WITHIN
        while time.monotonic() < deadline:
            # keepalived writes the file in place: until it is whole it is no JSON
            with contextlib.suppress(OSError, ValueError):
                found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
                return found
            time.sleep(POLL)
        return []

    def contest(self, vrid: int) -> None:
        """Tell whoever holds a pair that this node held it too until now, as after a split."""
        text = self.configured()
        if text is not None:
            with contextlib.suppress(ValueError):
                facts = read_facts(text)
                contest(facts, [one for one in facts.instances if one.vrid == vrid])

    def generation(self) -> int:
        """Count the reloads since the guard's start."""
        status = self._guard.read_status()
        return status.reloads if status else 0


@lru_cache(maxsize=1)
def json_signal() -> int:
    """Give the signal at which keepalived dumps its state; it depends on the build (``--signum``)."""
    try:
        result = subprocess.run([PROGRAM, "--signum=JSON"], capture_output=True, text=True, timeout=10, check=True)
        return int(result.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ApplyFailed(f"keepalived does not tell its JSON signal: {error}") from error
