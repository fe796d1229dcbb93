"""conntrackd: its file, its service, its own view (conntrackd(8))."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from appliance.engine.errors import MissingTool, Refused
from appliance.engine.ports import Files, ServiceState
from appliance.system.paths import Paths
from appliance.system.services import ServiceManager

TIMEOUT = 10.0
DAEMON = "conntrackd"


class Conntrackd:
    """The `StateSync` port."""

    def __init__(self, paths: Paths, services: ServiceManager, files: Files) -> None:
        self._path = str(paths.conntrackd_conf)
        self._lock = str(paths.run / "conntrackd.lock")
        self._services = services
        self._files = files

    def check(self, text: str) -> None:
        """Have conntrackd parse a file, as it does before it asks a running one for its counters; raises `Refused`."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".conf") as file:
            file.write(text)
            file.flush()
            argv = ["conntrackd", "-C", file.name, "-s"]
            try:
                result = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
            except FileNotFoundError:
                raise MissingTool("conntrackd is not installed") from None
        wrong = [line for line in result.stderr.splitlines() if "parsing config file" in line]
        if wrong:
            raise Refused(f"conntrackd refuses its configuration: {wrong[0].split('] ', 2)[-1]}")

    def configured(self) -> str | None:
        """Give the file's text."""
        return self._files.read(self._path)

    def configure(self, text: str | None) -> None:
        """Install a file and start conntrackd anew with it, or (None) stop it; raises `ApplyFailed`."""
        if text is None:
            if self.service().running:
                self._services.stop(DAEMON)
            self._files.remove(self._path)
            return
        self._files.write(self._path, text, 0o600)
        if not self.service().running:
            # A lock that nobody holds any more: conntrackd would take itself for running.
            Path(self._lock).unlink(missing_ok=True)
        self._services.restart(DAEMON)

    def service(self) -> ServiceState:
        """Tell whether conntrackd runs."""
        return self._services.status(DAEMON)
