"""Agree with other projects' gateways to a peering, and open it while they prove that they do (semantics S4).

What is agreed stands in the kernel as an element with a time-out, so it ends by itself when this daemon does not come
back, and outlives a restart of either end for `AGREEMENT_LIFE`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from appliance.agents.agent import Roles
from appliance.agents.consent_plan import Partner, agreements, partners
from appliance.agents.consent_protocol import Conversation, Heard, derive_key
from appliance.engine.errors import EngineError
from appliance.engine.ports import Host
from appliance.schema.types import IPAddress
from appliance.subsystems.firewall.ruleset import FAMILY, TABLE
from appliance.subsystems.view import NodeView

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between challenges."""
PATIENCE = 3.5
"""Seconds without a proof after which the other end counts as silent; its agreement still stands."""
REFRESH = 5.0
"""Seconds between two refreshes of an element's time-out."""

Place = tuple[IPAddress, str]
Opening = tuple[str, str]
"""What an agreement opens: (nftables set, family)."""


class Sockets(Protocol):
    """Sends and receives the gateways' datagrams; see `appliance.system.consent_socket`."""

    def use(self, places: Iterable[Place]) -> None: ...

    def send(self, place: Place, remote: IPAddress, data: bytes) -> bool: ...

    def wait(self, seconds: float) -> list[tuple[Place, IPAddress, bytes]]: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands between an address of ours and a gateway of the other project; `since`: seconds since the epoch."""

    peering: str
    local: str
    remote: str
    agreed: bool
    words: str
    since: float | None


class ConsentAgent:
    """Challenges every partner each second, answers challenges, and keeps the consent sets."""

    name = "consent"

    def __init__(self, host: Host, sockets: Sockets) -> None:
        self._host = host
        self._sockets = sockets
        self._lock = threading.RLock()
        self._view: NodeView | None = None
        self._roles: Roles = {}
        self._changed = False
        self._talks: dict[Partner, Conversation] = {}
        self._opened: dict[Opening, float] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def configure(self, view: NodeView | None, roles: Roles) -> None:
        """Take over a configuration; a commit may have made the table anew, so what stands agreed is set again."""
        with self._lock:
            self._view, self._roles, self._changed = view, roles, True
            self._opened.clear()
            valid = agreements(view)
            for partner in self._talks:
                if partner.agreement in valid:
                    self._open(partner)
        if self._thread is None and view is not None:
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
        self._sockets.wake()

    def follow(self, roles: Roles) -> None:
        """Speak for the pairs that are here now."""
        with self._lock:
            self._roles, self._changed = roles, True
        self._sockets.wake()

    def stop(self) -> None:
        """End the thread; elements stay and expire."""
        self._ended.set()
        self._sockets.wake()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def standing(self) -> tuple[Standing, ...]:
        """Tell how it stands with every partner."""
        now = time.monotonic()
        with self._lock:
            return tuple(_standing(partner, talk, now) for partner, talk in self._talks.items())

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            for place, remote, data in self._sockets.wait(max(0.0, due - time.monotonic())):
                with self._lock:
                    self._receive(place, remote, data)
            with self._lock:
                if self._changed:
                    self._changed = False
                    self._adopt()
                    due = time.monotonic()
                if time.monotonic() >= due:
                    due = time.monotonic() + INTERVAL
                    self._challenge()
        self._sockets.close()

    def _adopt(self) -> None:
        """Begin and end conversations; where our key was withdrawn, say so before the sockets go."""
        valid = agreements(self._view)
        wanted = set(partners(self._view, self._roles))
        gone = [partner for partner in self._talks if partner not in wanted]
        for partner in gone:
            talk = self._talks.pop(partner)
            peer = valid.get(partner.agreement)
            if peer is None or partner.remote not in peer.view.subnet.gateways:
                for datagram in talk.goodbye():
                    self._sockets.send((partner.local, partner.device), partner.remote, datagram)
                log.info("peering %s: our consent to %s is withdrawn", partner.agreement.peering, partner.remote)
        still_gated = {agreement.consent for agreement in valid}
        for partner in gone:
            if partner.agreement not in valid and partner.agreement.consent in still_gated:
                self._close(partner)
        for partner in wanted - self._talks.keys():
            key = derive_key(partner.agreement.key.reveal())
            self._talks[partner] = Conversation(key, partner.local, partner.remote)
        self._sockets.use({(partner.local, partner.device) for partner in self._talks})

    def _challenge(self) -> None:
        now = time.monotonic()
        self._sockets.use({(partner.local, partner.device) for partner in self._talks})
        for partner, talk in self._talks.items():
            self._sockets.send((partner.local, partner.device), partner.remote, talk.challenge(now))

    def _receive(self, place: Place, remote: IPAddress, data: bytes) -> None:
        now = time.monotonic()
        for partner, talk in self._talks.items():
            if (partner.local, partner.device) != place or partner.remote != remote:
                continue
            stood = talk.agreed(now)
            heard, answer = talk.receive(data, now)
            if answer is not None:
                self._sockets.send(place, remote, answer)
            if heard is Heard.PROOF:
                if not stood:
                    log.info("peering %s: %s agrees", partner.agreement.peering, remote)
                self._open(partner)
            elif heard is Heard.GOODBYE:
                log.info("peering %s: %s has withdrawn its key", partner.agreement.peering, remote)
                self._close(partner)

    # -- the kernel ----------------------------------------------------------------------------------------------

    def _open(self, partner: Partner) -> None:
        """Set or refresh a partner's element, unless another of the project's gateways has withdrawn the key."""
        opening = _opening(partner)
        now = time.monotonic()
        talks = [talk for other, talk in self._talks.items() if _same(other, partner)]
        seconds = max((round(talk.remaining(now)) for talk in talks), default=0)
        fresh = opening in self._opened and now < self._opened[opening] + REFRESH
        if fresh or seconds < 1 or any(talk.withdrawn for talk in talks):
            return
        # Older kernels keep the time-out of an element that is there: it is taken out and put in at once.
        if self._apply(_add(opening, seconds) + _delete(opening) + _add(opening, seconds)):
            self._opened[opening] = now

    def _close(self, partner: Partner) -> None:
        opening = _opening(partner)
        self._opened.pop(opening, None)
        # Deleting what is not there is an error, adding what is there is none.
        self._apply(_add(opening, 1) + _delete(opening))

    def _apply(self, text: str) -> bool:
        try:
            self._host.nft.apply(text)
        except EngineError as error:
            # A commit may be replacing the table; the next proof is a second away.
            log.debug("consent: %s", error)
            return False
        return True


def _opening(partner: Partner) -> Opening:
    return partner.agreement.consent, partner.family


def _same(one: Partner, other: Partner) -> bool:
    return one.agreement == other.agreement and one.family == other.family


def _add(opening: Opening, seconds: int) -> str:
    return f"add element {FAMILY} {TABLE} {opening[0]} {{ {opening[1]} timeout {seconds}s }}\n"


def _delete(opening: Opening) -> str:
    return f"delete element {FAMILY} {TABLE} {opening[0]} {{ {opening[1]} }}\n"


def _standing(partner: Partner, talk: Conversation, now: float) -> Standing:
    agreed = talk.agreed(now)
    silent = talk.proved is None or now - talk.proved > PATIENCE
    mistaken = talk.mistaken is not None and now - talk.mistaken < PATIENCE
    if talk.withdrawn:
        words = "the other end has withdrawn its key"
    elif silent and mistaken:
        words = "the other end has another key"
    elif agreed and silent:
        words = f"agreed, but the other end is silent: ends in {talk.remaining(now):.0f} s"
    elif agreed:
        words = "agreed"
    else:
        words = "the other end does not answer"
    since = time.time() - (now - talk.began) if agreed and talk.began is not None else None
    return Standing(partner.agreement.peering, str(partner.local), str(partner.remote), agreed, words, since)
