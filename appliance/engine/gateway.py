"""The transaction engine: one running configuration, changed all or not at all."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from appliance.config.store import Author, Pointer, Revision, Store, Tree
from appliance.engine.errors import Conflict, EngineError
from appliance.engine.ports import Host
from appliance.engine.step import AnySubsystem, Difference, Impact, Step
from appliance.engine.transaction import Artefacts, Plan, execute, make_plan, verify
from appliance.schema.problem import Problem
from appliance.schema.root import Config

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Valid:
    """A configuration that was accepted: its canonical tree, its typed form, its warnings."""

    tree: Tree
    config: Config
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """What runs now: the revision, its typed form, and what every subsystem was given."""

    revision: Revision | None
    valid: Valid
    artefacts: Artefacts


@dataclass(frozen=True, slots=True)
class Change:
    """Who wants a change, why, and whether it must be confirmed within so many seconds."""

    author: Author
    comment: str | None = None
    confirm_within: float | None = None
    progress: Callable[[Step], None] = lambda _step: None


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What a commit did (or, with `revision` None, would do or need not do)."""

    revision: int | None
    plan: Plan
    warnings: tuple[Problem, ...]
    not_applied: tuple[str, ...]
    seconds: float
    confirm_seconds: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def impact(self) -> Impact:
        """The worst a step of the plan can do to unconcerned traffic."""
        return self.plan.impact


@dataclass(frozen=True, slots=True)
class Model:
    """How trees become artefacts; all pure.

    `validate` raises `InvalidConfig`; its second argument is what ran before, so that unchanged parts are reused.
    """

    subsystems: Sequence[AnySubsystem]
    validate: Callable[[Tree, Valid | None], Valid]
    render: Callable[[Config], Artefacts]
    not_applied: Callable[[Config], tuple[str, ...]]


class Gateway:
    """The one owner of the running configuration; every method may be called from any thread."""

    def __init__(self, host: Host, store: Store, model: Model, clock: Callable[[], float] = time.time) -> None:
        self._host = host
        self._store = store
        self._model = model
        self._clock = clock
        self._lock = threading.RLock()
        empty = model.validate({}, None)
        self._running = Running(None, empty, {})
        self._pointer: Pointer | None = None
        self._timer: threading.Timer | None = None
        self.listeners: list[Callable[[str, Mapping[str, Any]], None]] = []
        self.last_commit: CommitResult | None = None
        """What the last commit that changed something did, since the daemon's start."""

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def running(self) -> Running:
        """What runs now; an immutable value, safe to keep."""
        return self._running

    def exclusive(self) -> AbstractContextManager[Any]:
        """Keep every other commit out while the context lasts, for read-merge-commit sequences."""
        return self._lock

    @property
    def pointer(self) -> Pointer | None:
        """The commit record as it is on disk."""
        return self._pointer

    def confirm_seconds(self) -> float | None:
        """Seconds until the running commit is rolled back unless confirmed, None if it needs no confirmation."""
        pointer = self._pointer
        return max(0.0, pointer.deadline - self._clock()) if pointer and pointer.deadline is not None else None

    def revision(self, number: int) -> Revision:
        """Load a stored revision; raises `KeyError`."""
        running = self._running.revision
        return running if running is not None and running.number == number else self._store.load(number)

    def revisions(self) -> list[Revision]:
        """Give the stored revisions, newest first."""
        last = self._pointer.revision if self._pointer else 0
        return [self.revision(number) for number in reversed(self._store.numbers()) if number <= last]

    def drift(self) -> list[Difference]:
        """Compare the whole of kernel and daemons with what runs."""
        with self._lock:
            names = tuple(self._running.artefacts)
            return verify(self._model.subsystems, self._host, self._running.artefacts, names)

    # -- changing ------------------------------------------------------------------------------------------------

    def commit(self, tree: Tree, change: Change, *, check: bool = False) -> CommitResult:
        """Make `tree` the running configuration, all of it or none of it.

        `check` stops before anything is touched.  A change with `confirm_within` (seconds) is rolled back by itself
        unless `confirm` or another commit comes in time; a second one re-arms the time but keeps the first one's way
        back.

        Raises:
            InvalidConfig, Refused: nothing was touched.  ApplyFailed, VerifyFailed: what was done was undone.
        """
        with self._lock:
            clock = _Stopwatch()
            valid = self._model.validate(tree, self._running.valid)
            clock.lap("validate")
            artefacts = self._model.render(valid.config)
            plan = make_plan(self._model.subsystems, self._running.artefacts, artefacts)
            clock.lap("plan")
            self._check(artefacts)
            clock.lap("check")
            unchanged = self._running.revision is not None and valid.tree == self._running.valid.tree
            number: int | None = None
            if not check and not (unchanged and not plan.steps):
                number = self._apply(valid, artefacts, plan, change)
                clock.lap("apply")
            elif not check:
                self._settle(change.confirm_within)
            result = CommitResult(
                revision=number,
                plan=plan,
                warnings=valid.warnings,
                not_applied=self._model.not_applied(valid.config),
                seconds=clock.total(),
                confirm_seconds=self.confirm_seconds(),
                phases=clock.laps,
            )
            if number is not None:
                self.last_commit = result
            return result

    def confirm(self) -> int:
        """Keep the running commit for good; raises `Conflict` when nothing waits to be confirmed."""
        with self._lock:
            if self._pointer is None or self._pointer.deadline is None:
                raise Conflict("no commit waits to be confirmed")
            self._settle(None)
            return self._pointer.revision

    def _check(self, artefacts: Artefacts) -> None:
        for subsystem in self._model.subsystems:
            new = artefacts[subsystem.name]
            old = self._running.artefacts.get(subsystem.name)
            if old is None or old != new:
                subsystem.check(self._host, new)

    def _apply(self, valid: Valid, artefacts: Artefacts, plan: Plan, change: Change) -> int:
        last = self._pointer.revision if self._pointer else 0
        parent = self._running.revision.digest if self._running.revision else None
        intent = Revision(last + 1, self._clock(), change.author, change.comment, parent, valid.tree)
        pointer = self._pointer_for(intent.number, change.confirm_within)
        sealed = intent.sealed()

        def settle() -> list[Difference]:
            differences = verify(self._model.subsystems, self._host, artefacts, plan.changed)
            if not differences:
                self._store.finish(pointer)
            return differences

        try:
            self._store.begin(intent)
            execute(plan, self._host, settle, change.progress)
        except (EngineError, OSError) as error:
            log.error("commit of revision %d failed and was undone: %s", intent.number, error)
            self._abandon(intent.number)
            raise
        self._running = Running(sealed, valid, artefacts)
        self._pointer = pointer
        self._arm()
        log.info("revision %d committed by %s (%s)", intent.number, change.author.user, change.author.way)
        self._tell("commit", {"revision": intent.number, "user": change.author.user, "comment": change.comment})
        return intent.number

    def _abandon(self, number: int) -> None:
        try:
            if self._store.pointer() != self._pointer:
                self._store.restore(self._pointer)
            self._store.abandon(number)
        except OSError as error:
            log.error("the intent of revision %d stays on disk until the next start: %s", number, error)

    def _pointer_for(self, number: int, confirm_within: float | None) -> Pointer:
        if confirm_within is None or self._pointer is None:
            return Pointer(number)
        fallback = self._pointer.fallback if self._pointer.fallback is not None else self._pointer.revision
        return Pointer(number, fallback, self._clock() + confirm_within)

    def _settle(self, confirm_within: float | None) -> None:
        """Confirm, or re-arm, the running commit without changing anything else."""
        if self._pointer is None or self._pointer.deadline is None:
            return
        pointer = self._pointer_for(self._pointer.revision, confirm_within)
        self._store.finish(pointer)
        self._pointer = pointer
        self._arm()
        self._tell("confirm", {"revision": pointer.revision, "confirmed": pointer.deadline is None})

    # -- the confirm timer ---------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = self.confirm_seconds()
        if seconds is not None and self._pointer is not None:
            self._timer = threading.Timer(seconds, self._expire, (self._pointer,))
            self._timer.daemon = True
            self._timer.start()

    def _expire(self, armed: Pointer) -> None:
        with self._lock:
            if self._pointer is not armed or armed.fallback is None:
                return
            try:
                self._roll_back(armed)
            except (EngineError, OSError) as error:
                log.error("rolling back to revision %s failed, trying again: %s", armed.fallback, error)
                self._timer = threading.Timer(1.0, self._expire, (armed,))
                self._timer.daemon = True
                self._timer.start()

    def _roll_back(self, armed: Pointer) -> None:
        assert armed.fallback is not None  # noqa: S101  the caller looked
        revision = self._store.load(armed.fallback)
        self.commit(revision.tree, _not_confirmed(armed))

    # -- start ---------------------------------------------------------------------------------------------------

    def start(self) -> Running | None:
        """Bring the host to the stored configuration after a start or a crash; None on a node without one.

        What an unfinished commit left behind is taken back first.  A commit that waited to be confirmed counts as
        refused: the node goes back to the one before it.  What is already right is not touched.
        """
        with self._lock:
            pointer = self._store.pointer()
            intents = [self._store.load(number) for number in self._store.intents()]
            if pointer is None:
                self._clean_up(intents, {})
                return None
            self._pointer = pointer
            revision = self._store.load(pointer.fallback if pointer.fallback is not None else pointer.revision)
            valid = self._model.validate(revision.tree, None)
            artefacts = self._model.render(valid.config)
            unwanted = [self._store.load(pointer.revision)] if pointer.fallback is not None else []
            self._clean_up([*intents, *unwanted], artefacts)
            self._running = Running(revision, valid, self._converge(artefacts))
            if pointer.fallback is not None:
                self._apply(valid, artefacts, Plan((), ()), _not_confirmed(pointer))
            return self._running

    def _clean_up(self, revisions: Sequence[Revision], wanted: Artefacts) -> None:
        """Take back what revisions that must not run may have left on the host."""
        for revision in reversed(revisions):
            stray = self._model.render(self._model.validate(revision.tree, None).config)
            target = wanted or self._model.render(self._model.validate({}, None).config)
            plan = make_plan(self._model.subsystems, stray, target)
            for step in plan.steps:
                try:
                    step.apply(self._host)
                except EngineError as error:
                    log.warning("cleaning up after revision %d: %s: %s", revision.number, step.action, error)
            if self._pointer is None or revision.number > self._pointer.revision:
                self._abandon(revision.number)

    def _converge(self, artefacts: Artefacts) -> Artefacts:
        observed: dict[str, Any] = {}
        for subsystem in self._model.subsystems:
            seen = subsystem.observe(self._host, artefacts[subsystem.name])
            if seen is not None:
                observed[subsystem.name] = artefacts[subsystem.name] if seen == artefacts[subsystem.name] else seen
        plan = make_plan(self._model.subsystems, observed, artefacts)
        execute(plan, self._host, lambda: verify(self._model.subsystems, self._host, artefacts, plan.changed))
        return artefacts

    def heal(self) -> list[Difference]:
        """Bring kernel and daemons back to what runs; gives what was different."""
        with self._lock:
            differences = self.drift()
            if differences:
                self._converge(self._running.artefacts)
            return differences

    def close_down(self, artefacts: Artefacts) -> None:
        """Put a node without configuration into a safe state: given artefacts only, nothing recorded."""
        with self._lock:
            empty = self._model.validate({}, None)
            closed = self._converge({**self._model.render(empty.config), **artefacts})
            self._running = Running(None, empty, closed)

    def _tell(self, kind: str, event: Mapping[str, Any]) -> None:
        for listener in self.listeners:
            listener(kind, event)


def _not_confirmed(armed: Pointer) -> Change:
    comment = f"revision {armed.revision} was not confirmed: back to {armed.fallback}"
    return Change(Author(user="kawaiid", way="confirm-timer"), comment)


class _Stopwatch:
    """Wall-clock laps of a commit's phases, in seconds."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = now - self._last
        self._last = now

    def total(self) -> float:
        return time.monotonic() - self._start
