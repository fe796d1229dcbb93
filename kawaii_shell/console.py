"""Where the user is: the mode, the level, the candidate, what waits to be confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from kawaii_shell.client import Client, Refused, Unreachable
from kawaii_shell.commands import Op, Path
from kawaii_shell.context import Context
from kawaii_shell.daemon import Daemon, Edited, WhoAmI, spell_path
from kawaii_shell.document import Document
from kawaii_shell.files import OwnFiles
from kawaii_shell.grammar import Choice
from kawaii_shell.mirror import Mirror
from kawaii_shell.names import NONE, Names, names_of

T = TypeVar("T")
NOT_FOUND = 404
FRESH = 3.0  # seconds that live values are kept


class Console:
    """One user's console. Raises Refused or Unreachable wherever the daemon is asked."""

    def __init__(self, daemon: Daemon, files: OwnFiles, *, interactive: bool = False) -> None:
        """Learn the grammar, and who the user is."""
        self.daemon, self.files, self.interactive = daemon, files, interactive
        self.grammar = daemon.grammar()
        self.who: WhoAmI = daemon.whoami()
        self.session: str | None = None
        self.path: Path = ()
        self._levels: list[Path] = []
        self.edited = False
        self._edits: list[Document] = []
        self._notice = ""
        self.finished = False
        self._deadline: float | None = None
        self._mirror: Mirror | None = None
        self._running: tuple[float, Mirror] | None = None
        self._values: dict[str, tuple[float, Names]] = {}
        self._await_confirm(self.who.confirm_seconds)

    # -- what the parser asks ----------------------------------------------------------------------------------------

    def context(self) -> Context:
        """Give what the parser needs to know."""
        return Context(self.grammar, self, self.who.role, self.session is not None, self.path)

    def values(self, source: str) -> Names:
        """Give live values, at most a few seconds old; none where the daemon has none to give."""
        return self._cached(source, lambda: self.daemon.values(source))

    def revisions(self) -> Names:
        """Give the revisions that can be loaded."""
        return self._cached("/revisions", self.daemon.revisions)

    def files_saved(self) -> Names:
        """Give the user's own files."""
        return Names(self.files.names())

    def keys(self, path: Path) -> Names:
        """Give the names under a path of the candidate, or of the running configuration outside of it."""
        mirror = self._mirror or self._mirror_of_running()
        return mirror.keys(path)

    def _cached(self, name: str, fetch: Callable[[], list[Choice]]) -> Names:
        since, values = self._values.get(name, (-FRESH, NONE))
        if time.monotonic() - since > FRESH:
            with suppress(Refused, Unreachable):
                values = names_of(fetch())
            self._values[name] = (time.monotonic(), values)
        return values

    def _mirror_of_running(self) -> Mirror:
        now = time.monotonic()
        if self._running is None or now - self._running[0] > FRESH:
            self._running = (now, self._mirror_for(None))
        return self._running[1]

    def _mirror_for(self, session: str | None) -> Mirror:
        own = Daemon(Client(self.daemon.client.path))  # a connection of its own: it is used from another thread
        return Mirror(lambda: own.config_tree(session, ()))

    # -- the candidate -----------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Enter configuration mode with a candidate of one's own."""
        self.session = self.daemon.open_session()
        self.path, self.edited = (), False
        self._levels.clear()
        self._edits.clear()
        self._mirror = self._mirror_for(self.session)
        if self.interactive:
            self._mirror.prefetch()

    def leave(self) -> None:
        """Leave configuration mode and drop the candidate."""
        session, self.session, self.path, self.edited, self._mirror = self.session, None, (), False, None
        if session:
            with suppress(Refused, Unreachable):
                self.daemon.close_session(session)

    def go(self, path: Path) -> None:
        """Edit another level; `exit` leads back from a deeper one."""
        self._levels = [level for level in [*self._levels, self.path] if path[: len(level)] == level and level != path]
        self.path = path

    def back(self) -> None:
        """Leave the level for the one before it."""
        self.path = self._levels.pop() if self._levels else ()

    def on_candidate(self, ask: Callable[[str], T]) -> T:
        """Ask something of the candidate.

        A daemon that has started anew knows no candidate: it is made again from the edits, and asked again.
        """
        if self.session is None:
            raise RuntimeError("there is no candidate outside configuration mode")
        try:
            return ask(self.session)
        except Refused as error:
            if error.status != NOT_FOUND or not error.detail.startswith(f"no session {self.session}"):
                raise
        session = self.daemon.open_session()
        if self._edits:
            self.daemon.edit(session, self._edits)
        self.session, self._mirror = session, self._mirror_for(session)
        self._notice = "The daemon has started anew: the candidate was made again from your edits."
        return ask(session)

    def change(self, ops: tuple[Op, ...]) -> Edited:
        """Edit the candidate, all or nothing."""
        edited = self._edit([op.request() for op in ops])
        if self._mirror:
            self._mirror.apply(ops)
        return edited

    def replace(self, op: Document) -> Edited:
        """Load something into the candidate."""
        edited = self._edit([op])
        self.reload()
        return edited

    def _edit(self, requests: list[Document]) -> Edited:
        edited = self.on_candidate(lambda session: self.daemon.edit(session, requests))
        self.edited = edited.edited
        self._edits += requests
        return edited

    def reload(self) -> None:
        """Forget what the candidate held: it is to be asked again."""
        self._values.clear()
        if self._mirror:
            self._mirror.forget()

    # -- what is pending ---------------------------------------------------------------------------------------------

    def _await_confirm(self, seconds: int | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def committed(self, confirm_seconds: int | None) -> None:
        """Note that the candidate is the running configuration now."""
        self.edited = False
        self._edits.clear()
        self._await_confirm(confirm_seconds)
        self.reload()

    def confirmed(self) -> None:
        """Note that nothing waits to be confirmed any more."""
        self._deadline = None

    def seconds_left(self) -> int | None:
        """Tell the seconds left to confirm a commit; None where none waits."""
        return None if self._deadline is None else max(0, round(self._deadline - time.monotonic()))

    def refresh(self) -> str:
        """Ask again who and where we are; gives what the user should know of what happened meanwhile."""
        notice, self._notice = self._notice, ""
        waited = self.seconds_left()
        self.who = self.daemon.whoami()
        self._await_confirm(self.who.confirm_seconds)
        if waited is not None and waited <= 1 and self._deadline is None:
            self.reload()
            return "The commit was not confirmed in time: it has been rolled back."
        return notice

    def prompt(self) -> str:
        """Spell the prompt: zone and VRRP state, level, user and node, `*` if edited, seconds left to confirm."""
        state = " ".join(part for part in (self.who.zone, self.who.vrrp) if part)
        level = f"[edit{''.join(f' {part}' for part in [spell_path(self.path)] if part)}]" if self.session else ""
        above = (f"{{{state}}}" if state else "") + level
        left = self.seconds_left()
        waiting = f" [confirm {left}s]" if left is not None else ""
        mark = "*" if self.edited else ""
        sign = "#" if self.session else ">"
        return (f"{above}\n" if above else "") + f"{self.who.user}@{self.who.node}{mark}{waiting}{sign} "
