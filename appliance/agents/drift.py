"""Look for what somebody else changed in kernel and daemons; say so, and put it back where that is asked for."""

from __future__ import annotations

import logging
import threading

from appliance.agents.agent import Roles
from appliance.engine.errors import EngineError
from appliance.engine.gateway import Gateway
from appliance.engine.step import Difference
from appliance.schema.system import Drift
from appliance.subsystems.view import NodeView

log = logging.getLogger(__name__)

INTERVAL = 30.0
"""Seconds between two looks."""


class DriftAgent:
    """Compares all that is applied with what is there, in a thread of its own (``system drift``)."""

    name = "drift"

    def __init__(self, gateway: Gateway, interval: float = INTERVAL) -> None:
        self._gateway = gateway
        self._interval = interval
        self._stopping = threading.Event()
        self._said: frozenset[str] = frozenset()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
        self._thread.start()

    def configure(self, view: NodeView | None, roles: Roles) -> None:
        """Begin to count anew: a commit has just verified what it changed."""
        self._said = frozenset()

    def follow(self, roles: Roles) -> None:
        """A transition is no drift."""

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.look()
            except (EngineError, OSError) as error:
                log.error("looking for drift: %s", error)

    def look(self) -> list[Difference]:
        """Compare once; heal if the configuration says so; give what was different."""
        running = self._gateway.running
        if running.revision is None:
            return []
        differences = self._gateway.drift()
        words = frozenset(difference.text() for difference in differences)
        for text in sorted(words - self._said):
            log.warning("drift: %s", text)
        self._said = words
        if differences and running.valid.config.system.drift is Drift.HEAL:
            self._gateway.heal()
            log.warning("drift: healed, %d differences", len(differences))
            self._said = frozenset()
        return differences
