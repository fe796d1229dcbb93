"""Tunnels follow their VIPs: initiated where the pair is held, led to from the other gateways (semantics S9)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from appliance.agents.agent import Roles, VrrpRole
from appliance.agents.tunnel import Action, Associations, Tunnel, Verb
from appliance.agents.tunnel_routes import replace_routes, tunnel_routes
from appliance.engine.errors import EngineError, MissingTool
from appliance.engine.ports import Host, RouteTo
from appliance.schema.types import IPNetwork
from appliance.subsystems.ipsec.connection import Connection, connections_of
from appliance.subsystems.ipsec.reasons import reason
from appliance.subsystems.ipsec.subsystem import XFRM, Ipsec, reload_forgotten
from appliance.subsystems.view import NodeView

log = logging.getLogger(__name__)

LOOK = 1.0
SOON = 0.05
"""Seconds between two looks at charon; soon, while something that was just done is not there yet."""
VIP_WITHIN = 2.0
"""Seconds in which a pair that has come is expected to have its addresses."""
ROUTES_EVERY = 10.0


class TunnelAgent:
    """Looks at charon in a thread of its own, listens to it in another."""

    name = "tunnels"

    def __init__(self, host: Host, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._lock = threading.Lock()
        self._view: NodeView | None = None
        self._roles: Roles = {}
        self._tunnels: dict[str, Tunnel] = {}
        """By the name charon knows."""
        self._recheck = True
        self._reloaded: dict[str, Connection] = {}
        self._routes_due = 0.0
        self._awaited: dict[str, float] = {}
        self._unreachable = False
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="tunnels", daemon=True),
            threading.Thread(target=self._listen, name="tunnels-listen", daemon=True),
        ]

    def started(self) -> Self:
        """Start the threads."""
        for thread in self._threads:
            thread.start()
        return self

    # -- the agent's contract ------------------------------------------------------------------------------------

    def configure(self, view: NodeView | None, roles: Roles) -> None:
        """Take over a configuration; tunnels whose settings are the same keep their history."""
        fresh: dict[str, Tunnel] = {}
        if view is not None:
            for connection in connections_of(view):
                fresh[connection.wire] = Tunnel(connection, view.config.ipsec[connection.name])
        with self._lock:
            for wire, tunnel in fresh.items():
                if wire in self._tunnels:
                    tunnel.adopt(self._tunnels[wire])
            self._view, self._roles, self._tunnels, self._recheck = view, dict(roles), fresh, True
            self._routes_due = 0.0
        self._wake.set()

    def follow(self, roles: Roles) -> None:
        """A pair came or went, and its tunnels with it."""
        with self._lock:
            self._roles = dict(roles)
            self._routes_due = 0.0
        self._wake.set()

    def healed(self, zone: str) -> None:
        """The far end may have its association with the other node: start anew."""
        with self._lock:
            for tunnel in self._tunnels.values():
                if tunnel.connection.zone == zone:
                    tunnel.renew()
        self._wake.set()

    def stop(self) -> None:
        """End the threads; tunnels and routes stay."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=3)

    # -- for the operational commands ----------------------------------------------------------------------------

    def note(self, wire: str) -> str:
        """Say why a tunnel is down, as far as is known."""
        with self._lock:
            tunnel = self._tunnels.get(wire)
            return tunnel.note if tunnel else ""

    def again(self, wire: str) -> None:
        """Have a tunnel started anew, where this node has it."""
        with self._lock:
            if wire in self._tunnels:
                self._tunnels[wire].again()
        self._wake.set()

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause: float | None = SOON
        while not self._stopping.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            if self._stopping.is_set():
                return
            began = self._clock()
            try:
                soon = self.settle()
            except EngineError as error:
                soon = False
                self._complain(error)
            except Exception:
                soon = False
                log.exception("tunnels could not be looked after")
            # A thousand associations take a while to list: most of the time goes to others.
            pause = max(SOON if soon else LOOK, 4 * (self._clock() - began)) if self._tunnels or soon else None

    def _complain(self, error: EngineError) -> None:
        if not self._unreachable:
            log.error("tunnels: %s", error)
        self._unreachable = True

    def settle(self) -> bool:
        """Make routes and tunnels be as the roles want them; tells whether to look again soon."""
        with self._lock:
            recheck, self._recheck = self._recheck, False
        pending = self._settle_routes()
        if not self._tunnels and not self._reloaded:
            return pending
        try:
            if recheck:
                self._reload()
            by_wire: dict[str, list[dict[str, Any]]] = {}
            for wire, association in self._host.vici.associations():
                by_wire.setdefault(wire, []).append(association)
        except MissingTool:
            with self._lock:
                self._recheck = True
            raise
        self._unreachable = False
        for wire, tunnel in self._current():
            pending |= self._tend(tunnel, by_wire.get(wire, []))
        return pending

    def _current(self) -> list[tuple[str, Tunnel]]:
        with self._lock:
            return list(self._tunnels.items())

    def _reload(self) -> None:
        """Load what charon forgot when it was restarted, and take back what a commit removed meanwhile."""
        wanted = {wire: tunnel.connection for wire, tunnel in self._current()}
        for wire in [wire for wire in self._reloaded if wire not in wanted]:
            Ipsec().remove(self._host, self._reloaded.pop(wire))
        done = reload_forgotten(self._host, wanted.values())
        if done:
            log.warning("charon had forgotten %s: loaded again", ", ".join(done))
        self._reloaded |= {wire: connection for wire, connection in wanted.items() if connection.name in done}

    def _mine(self, connection: Connection) -> bool | None:
        with self._lock:
            role = self._roles.get(connection.zone)
        return None if role is None else role is VrrpRole.MASTER

    def _tend(self, tunnel: Tunnel, associations: Associations) -> bool:
        connection = tunnel.connection
        mine = self._mine(connection)
        if mine and not tunnel.mine and self._awaits(connection):
            return True
        with self._lock:
            left = tunnel.mine is True and mine is False
            actions = tunnel.look(self._clock(), associations, mine=mine)
        for action in actions:
            self._do(connection, action)
        if left:
            self._contest(connection)
        return bool(actions)

    def _contest(self, connection: Connection) -> None:
        """Have the holder know of our association; who lost it to a better one in a split cannot tell the far end."""
        pair = self._view.pair_by_zone.get(connection.zone) if self._view is not None else None
        if pair is not None:
            try:
                self._host.vrrp.contest(pair.vrid)
            except OSError as error:
                log.error("zone %s: %s", connection.zone, error)

    def _awaits(self, connection: Connection) -> bool:
        """Tell whether the VIP is still on its way: keepalived speaks before or after it has set the addresses."""
        now = self._clock()
        until = self._awaited.setdefault(connection.wire, now + VIP_WITHIN)
        here = {str(item.address.ip) for item in self._host.netlink.addresses()}
        if now < until and not set(connection.local) & {*here, "%any"}:
            return True
        del self._awaited[connection.wire]
        return False

    def _do(self, connection: Connection, action: Action) -> None:
        vici, wire = self._host.vici, connection.wire
        log.info("tunnel %s: %s%s", connection.name, action.verb, f" #{action.uniqueid}" if action.uniqueid else "")
        try:
            if action.verb is Verb.INITIATE:
                vici.initiate(wire)
            elif action.verb is Verb.TERMINATE:
                vici.terminate(wire, action.uniqueid)
            elif action.verb is Verb.INSTALL:
                vici.install(wire)
            else:
                vici.uninstall(wire)
        except MissingTool:
            raise
        except EngineError as error:
            log.error("tunnel %s: %s", connection.name, error)

    # -- routes --------------------------------------------------------------------------------------------------

    def _settle_routes(self) -> bool:
        """Lead to the far sides; true: not all could be, look again soon."""
        now = self._clock()
        with self._lock:
            due, view, tunnels = self._routes_due, self._view, list(self._tunnels.values())
            self._routes_due = now + ROUTES_EVERY if now >= due else due
        if now < due:
            return False
        wanted: list[RouteTo] = []
        unknown: list[IPNetwork] = []
        for tunnel in tunnels:
            mine = self._mine(tunnel.connection)
            if mine is None:
                unknown += tunnel.connection.remote_networks
            elif view is not None:
                wanted += tunnel_routes(view, tunnel.connection, mine=mine, xfrm=XFRM in self._host.features)
        failures = replace_routes(self._host.netlink, wanted, unknown)
        if not failures:
            return False
        # A VIP that has just left is still here for a moment, and cannot be a next hop.
        log.info("tunnel routes: %s", "; ".join(failures))
        with self._lock:
            self._routes_due = min(self._routes_due, now + SOON)
        return True

    # -- listening -----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._stopping.is_set():
            if not self._tunnels:
                self._stopping.wait(LOOK)
                continue
            try:
                with self._lock:
                    # Whoever answers now may be another charon than before.
                    self._recheck = True
                self._wake.set()
                self._host.vici.follow(self._hear, self._stopping.is_set)
            except EngineError:
                self._stopping.wait(SOON * 4)
            except Exception:
                log.exception("charon could not be listened to")
                self._stopping.wait(LOOK)

    def _hear(self, wire: str | None, words: str) -> None:
        if not words:
            self._wake.set()
            return
        meaning = reason(words)
        with self._lock:
            tunnel = self._tunnels.get(wire) if wire is not None else None
            if tunnel is not None and meaning is not None:
                tunnel.note = meaning
