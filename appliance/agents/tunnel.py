"""One tunnel as the node's agent sees it: what there is to do about it, decided without touching anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from appliance.schema.ipsec import DpdAction, IpsecConnection, StartAction
from appliance.subsystems.ipsec.connection import Connection

NO_ANSWER = (2.0, 4.0, 8.0, 15.0)
"""Seconds that a peer gets for its first answer, attempt by attempt, before a new attempt."""
ARRIVING = 3.0
"""Seconds in which a pair that comes is still another node's to some: no split."""
STUCK = 20.0
"""Seconds for the whole of an IKE exchange, once the peer has answered."""
SLOWEST = 60.0
"""The longest pause between attempts that fail at once."""
NO_SPI = "0" * 16

Associations = Sequence[Mapping[str, Any]]


class Verb(StrEnum):
    """What can be done about a tunnel."""

    INITIATE = "initiate"
    TERMINATE = "terminate"
    INSTALL = "install"
    UNINSTALL = "uninstall"


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do; `uniqueid` names one association, None means all of the connection."""

    verb: Verb
    uniqueid: str | None = None


def is_up(associations: Associations) -> bool:
    """Tell whether packets pass: a child association is installed."""
    return any(child_of(association) is not None for association in associations)


def child_of(association: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the child association that packets use."""
    children = association.get("child-sas", {}).values()
    living = [child for child in children if child["state"] in {"INSTALLED", "REKEYING", "REKEYED"}]
    return living[-1] if living else None


class Tunnel:
    """The history of one connection on this node; times are seconds of one monotonic clock."""

    def __init__(self, connection: Connection, given: IpsecConnection) -> None:
        self.connection = connection
        self.given = given
        self.mine: bool | None = None
        """Whether this node holds the VIP it ends on; None: nobody has said yet."""
        self.note = ""
        """Why it is down, in plain words."""
        self._wanted = False
        self._trapped = False
        self._stale = False
        self._arrived = 0.0
        self._attempts = 0
        self._next = 0.0
        self._since: dict[str, float] = {}
        self._silent: dict[str, float] = {}

    def adopt(self, former: Tunnel) -> None:
        """Take over the history of this connection from before a commit; other settings start anew."""
        self._since, self._silent, self.note = former._since, former._silent, former.note
        same = former.connection == self.connection and former.given.start_action == self.given.start_action
        if same:
            self.mine, self._wanted, self._trapped = former.mine, former._wanted, former._trapped
            self._arrived = former._arrived
            self._attempts, self._next = former._attempts, former._next
        elif former._trapped:
            self._trapped = True

    def again(self) -> None:
        """Start it at the next look, whatever its settings say."""
        self._wanted, self._attempts, self._next, self.note = True, 0, 0.0, ""

    def renew(self) -> None:
        """Give up what is up here at the next look, and start it as on arrival."""
        self._stale = True

    def look(self, now: float, associations: Associations, *, mine: bool | None) -> list[Action]:
        """Decide what is to be done."""
        if mine is None:
            return []
        came, self.mine = self.mine is not mine, mine
        if not mine:
            return self._leave(associations, came=came)
        actions = self._arrive() if came else []
        stale, self._stale = self._stale, False
        if came:
            self._arrived = now
        elif stale and now - self._arrived >= ARRIVING:
            return [Action(Verb.TERMINATE), *self._arrive()]
        seen = {str(association["uniqueid"]) for association in associations}
        lost = [number for number in self._silent if number not in seen]
        self._silent = {number: since for number, since in self._silent.items() if number in seen}
        self._since = {number: since for number, since in self._since.items() if number in seen}
        for association in associations:
            if self._is_dead(now, association):
                self.note = f"the peer was silent for {self.given.dpd_timeout}"
                return [*actions, Action(Verb.TERMINATE, str(association["uniqueid"])), *self._bury()]
        if lost and not associations:
            self.note = "the peer fell silent"
            actions += self._bury()
        return actions + self._pursue(now, associations)

    def _leave(self, associations: Associations, *, came: bool) -> list[Action]:
        self._wanted, self._attempts, self._next = False, 0, 0.0
        self._since, self._silent = {}, {}
        actions = [Action(Verb.UNINSTALL)] if self._trapped or (came and self._traps) else []
        self._trapped = False
        return actions + ([Action(Verb.TERMINATE)] if associations else [])

    @property
    def _traps(self) -> bool:
        return StartAction.TRAP is self.given.start_action or DpdAction.TRAP is self.given.dpd_action

    def _arrive(self) -> list[Action]:
        self.again()
        self._wanted = self.given.start_action is StartAction.START
        if self.given.start_action is StartAction.TRAP and not self._trapped:
            self._trapped = True
            return [Action(Verb.INSTALL)]
        return []

    def _is_dead(self, now: float, association: Mapping[str, Any]) -> bool:
        """Tell whether the peer has been silent for `dpd_timeout`.

        charon asks after `probe` seconds without a packet; while it has no answer the request is an active task.
        """
        number = str(association["uniqueid"])
        children = association.get("child-sas", {}).values()
        heard = min((int(child["use-in"]) for child in children if "use-in" in child), default=None)
        asking = association.get("tasks-active") and association["state"] != "CONNECTING"
        if not asking or (heard is not None and heard < self.connection.probe):
            self._silent.pop(number, None)
            return False
        since = self._silent.setdefault(number, now - self.connection.probe)
        return now - since >= self.given.dpd_timeout.seconds

    def _bury(self) -> list[Action]:
        """Do what is to be done when the peer is dead."""
        self._silent.clear()
        action = self.given.dpd_action
        self._wanted = action in {DpdAction.RESTART, DpdAction.START}
        self._attempts, self._next = 0, 0.0
        if action is DpdAction.TRAP and not self._trapped:
            self._trapped = True
            return [Action(Verb.INSTALL)]
        return []

    def _pursue(self, now: float, associations: Associations) -> list[Action]:
        """Keep a tunnel that is wanted coming up, each attempt later than the one before."""
        if is_up(associations):
            self._attempts, self._next, self.note = 0, 0.0, ""
            return []
        actions: list[Action] = []
        trying = False
        for association in associations:
            number = str(association["uniqueid"])
            if association["state"] != "CONNECTING":
                continue
            answered = association.get("responder-spi", NO_SPI) != NO_SPI
            patience = STUCK if answered else NO_ANSWER[max(0, min(self._attempts, len(NO_ANSWER)) - 1)]
            if now - self._since.setdefault(number, now) < patience:
                trying = True
            elif self._wanted:
                actions.append(Action(Verb.TERMINATE, number))
                self._next = 0.0
        if self._wanted and not trying and now >= self._next:
            self._attempts += 1
            self._next = now + min(SLOWEST, 2.0 ** (self._attempts - 1))
            actions.append(Action(Verb.INITIATE))
        return actions
