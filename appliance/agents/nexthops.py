"""Watch the public next hops, and lead around a dead one until it is back (semantics S7).

keepalived sets a pair's routes as configured, with every next hop.  While one is dead, a route of better metric with
the living ones stands before it; it goes when all are alive again or the pair leaves.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from appliance.agents.agent import Roles, VrrpRole
from appliance.engine.errors import EngineError
from appliance.engine.ports import AGENT_PROTOCOL, Hop, Host, RouteTo
from appliance.subsystems.view import NodeView
from appliance.subsystems.vips import FIRST_METRIC, pair_routes

log = logging.getLogger(__name__)

Target = tuple[str, str]
"""A next hop: (device, address)."""


class Prober(Protocol):
    """Asks next hops whether they are there."""

    def ask(self, device: str, gateway: str) -> None: ...

    def answers(self) -> set[Target]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class HopHealth:
    """What is known of one next hop; `since` is seconds since the epoch of the last change."""

    target: Target
    alive: bool
    since: float
    weight: int
    destinations: tuple[str, ...]


@dataclass(slots=True)
class _Watch:
    alive: bool
    since: float
    run: int = 0


def targets(routes: Iterable[RouteTo]) -> frozenset[Target]:
    """Give the next hops worth watching: those of a destination that has another way."""
    ways: dict[str, set[Target]] = {}
    for route in routes:
        ways.setdefault(str(route.destination), set()).update(
            _target(hop) for hop in route.hops if hop.gateway is not None and hop.gateway.version == 4
        )
    return frozenset(target for found in ways.values() if len(found) > 1 for target in found)


def overrides(routes: Iterable[RouteTo], dead: frozenset[Target]) -> frozenset[RouteTo]:
    """Give the routes that lead around the dead: the best rank with a living hop, where that is not as configured.

    `routes` are one pair's, with the metrics keepalived gives them.  Where no hop lives, nothing is better than what is
    configured.
    """
    ranks: dict[str, list[RouteTo]] = {}
    for route in sorted(routes, key=lambda item: item.metric):
        ranks.setdefault(str(route.destination), []).append(route)
    found = set()
    for ranked in ranks.values():
        for position, route in enumerate(ranked):
            living = tuple(hop for hop in route.hops if _target(hop) not in dead)
            if not living:
                continue
            if position > 0 or living != route.hops:
                found.add(replace(route, hops=living, metric=(ranked[0].metric - FIRST_METRIC) % 100 + 1))
            break
    return frozenset(found)


def _target(hop: Hop) -> Target:
    return hop.device, str(hop.gateway)


class NextHopAgent:
    """Probes in a thread of its own, at the interval of ``ha track gateway``."""

    name = "next-hops"

    def __init__(self, host: Host, prober: Prober, clock: Callable[[], float] = time.time) -> None:
        self._host = host
        self._prober = prober
        self._clock = clock
        self._lock = threading.RLock()
        self._view: NodeView | None = None
        self._roles: Roles = {}
        self._watched: dict[Target, _Watch] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="next-hops", daemon=True)
        self._thread.start()

    def configure(self, view: NodeView | None, roles: Roles) -> None:
        """Watch the next hops of a new configuration; what is known of those that stay is kept."""
        with self._lock:
            self._view, self._roles = view, roles
            now = self._clock()
            wanted = targets(self._routes())
            self._watched = {target: self._watched.get(target, _Watch(True, now)) for target in wanted}
            self._settle()

    def follow(self, roles: Roles) -> None:
        """A pair came or went: its routes need leading around, or no longer."""
        with self._lock:
            self._roles = roles
            self._settle()

    def stop(self) -> None:
        """End the thread; a route around a dead next hop stays."""
        self._stopping.set()
        self._thread.join(timeout=3)
        self._prober.close()

    def health(self) -> tuple[HopHealth, ...]:
        """Give what is known of every watched next hop."""
        with self._lock:
            routes = self._routes()
            return tuple(
                HopHealth(target, watch.alive, watch.since, *_use(routes, target))
                for target, watch in sorted(self._watched.items())
            )

    def _routes(self) -> list[RouteTo]:
        view = self._view
        return [route for pair in view.pairs for route in pair_routes(view, pair)] if view is not None else []

    def _run(self) -> None:
        while not self._stopping.wait(self._interval()):
            self.probe_once()

    def _interval(self) -> float:
        view = self._view
        return view.config.ha.track.gateway.interval if view is not None and self._watched else 0.5

    def probe_once(self) -> None:
        """Judge the last round's answers and ask again."""
        answered = self._prober.answers()
        with self._lock:
            if self._view is None:
                return
            track = self._view.config.ha.track.gateway
            changed = [target for target in self._watched if self._count(target, answered, track.fall, track.rise)]
            if changed:
                self._settle()
            asked = list(self._watched)
        for device, gateway in asked:
            self._prober.ask(device, gateway)

    def _count(self, target: Target, answered: set[Target], fall: int, rise: int) -> bool:
        watch = self._watched[target]
        watch.run = watch.run + 1 if (target in answered) != watch.alive else 0
        if watch.run < (fall if watch.alive else rise):
            return False
        watch.alive, watch.run, watch.since = not watch.alive, 0, self._clock()
        log.warning("next hop %s on %s is %s", target[1], target[0], "alive" if watch.alive else "dead")
        return True

    def _settle(self) -> None:
        """Make the routes around the dead be exactly those that are needed now."""
        dead = frozenset(target for target, watch in self._watched.items() if not watch.alive)
        wanted: set[RouteTo] = set()
        view = self._view
        if view is not None:
            for pair in view.pairs:
                if self._roles.get(pair.zone) is VrrpRole.MASTER:
                    wanted |= overrides(pair_routes(view, pair), dead)
        try:
            self._replace(wanted)
        except EngineError as error:
            log.error("leading around a dead next hop: %s", error)

    def _replace(self, wanted: set[RouteTo]) -> None:
        present = {
            route
            for route in self._host.netlink.routes(AGENT_PROTOCOL)
            if route.metric < FIRST_METRIC and any(hop.onlink for hop in route.hops)
        }
        by_place: Mapping[tuple[object, int], RouteTo] = {(r.destination, r.metric): r for r in wanted}
        for route in wanted - present:
            self._host.netlink.replace_route(route, AGENT_PROTOCOL)
        for route in present - wanted:
            if (route.destination, route.metric) not in by_place:
                self._host.netlink.delete_route(route, AGENT_PROTOCOL)


def _use(routes: Iterable[RouteTo], target: Target) -> tuple[int, tuple[str, ...]]:
    uses = [(hop.weight, str(route.destination)) for route in routes for hop in route.hops if _target(hop) == target]
    return (uses[0][0] if uses else 1), tuple(dict.fromkeys(destination for _weight, destination in uses))
