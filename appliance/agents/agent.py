"""The contract of an agent, and the roll of them that the daemon keeps."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Protocol, runtime_checkable

from appliance.subsystems.view import NodeView

log = logging.getLogger(__name__)


class VrrpRole(StrEnum):
    """A pair's state on this node (RFC 9568, section 6.4); FAULT is keepalived's own."""

    MASTER = "MASTER"
    BACKUP = "BACKUP"
    FAULT = "FAULT"
    STOPPED = "STOP"


Roles = Mapping[str, VrrpRole]
"""The roles of this node by zone."""


class Agent(Protocol):
    """One thing that is followed.  Every method returns soon: what takes time runs in a thread of the agent's own."""

    @property
    def name(self) -> str: ...

    def configure(self, view: NodeView | None, roles: Roles) -> None:
        """Take over a configuration that was just committed (or brought up at start), None: there is none."""

    def follow(self, roles: Roles) -> None:
        """Take note that a pair came or went."""

    def stop(self) -> None:
        """End the agent's threads; what it put into the kernel may stay, the daemon is coming back."""


@runtime_checkable
class HeedsSplits(Protocol):
    """An agent for which it matters that another node held a pair at the same time."""

    def healed(self, zone: str) -> None:
        """Take note that a pair held here was held elsewhere too until now: what others remember may be of there."""


class Roll:
    """All agents of the node; a fault of one reaches neither the others nor a commit."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        self._agents = tuple(agents)
        self._roles: dict[str, VrrpRole] = {}
        self._lock = threading.RLock()

    @property
    def roles(self) -> Roles:
        """This node's role for each zone, as far as keepalived said."""
        with self._lock:
            return dict(self._roles)

    def configure(self, view: NodeView | None) -> None:
        """Hand a configuration to every agent."""
        roles = self.roles
        self._each(lambda agent: agent.configure(view, roles))

    def transition(self, zone: str, role: VrrpRole) -> None:
        """Note one pair's new role and tell every agent."""
        with self._lock:
            if self._roles.get(zone) is role:
                return
            self._roles[zone] = role
            roles = dict(self._roles)
        log.info("pair of zone %s: %s here", zone, role)
        self._each(lambda agent: agent.follow(roles))

    def healed(self, zone: str) -> None:
        """Note that a split is over in which this node held a zone's pair, and goes on holding it."""
        log.warning("pair of zone %s: another node held it too until now", zone)
        self._each(lambda agent: agent.healed(zone) if isinstance(agent, HeedsSplits) else None)

    def stop(self) -> None:
        """Stop every agent."""
        self._each(lambda agent: agent.stop())

    def _each(self, work: Callable[[Agent], None]) -> None:
        for agent in self._agents:
            try:
                work(agent)
            except Exception:
                log.exception("agent %s failed", agent.name)
