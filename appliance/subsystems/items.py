"""A subsystem whose artefact is a set of items, each put or removed on its own: addresses, routes, parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Generic, TypeVar

from appliance.engine.ports import Host
from appliance.engine.step import Difference, Impact, Phase, Step
from appliance.subsystems.view import NodeView

T = TypeVar("T", bound=Hashable)


class ItemSubsystem(ABC, Generic[T]):
    """Plans one step per item that is new, changed (same `key`, other value) or gone.

    Putting comes in `put_phase`, removing in `remove_phase`, so that what replaces something is there before it goes.
    """

    name: str
    put_phase: Phase
    remove_phase: Phase
    impact: Impact = Impact.NONE

    @abstractmethod
    def render(self, view: NodeView) -> frozenset[T]:
        """Give the items of a node."""

    @abstractmethod
    def key(self, item: T) -> str:
        """Name the place an item takes: two items of one key exclude each other."""

    @abstractmethod
    def spell(self, item: T) -> str:
        """Print an item in one line, as the host's own tool would."""

    @abstractmethod
    def put(self, host: Host, item: T) -> None:
        """Make the item be there; idempotent."""

    @abstractmethod
    def remove(self, host: Host, item: T) -> None:
        """Make the item be gone; idempotent."""

    @abstractmethod
    def observe(self, host: Host, wanted: frozenset[T]) -> frozenset[T]:
        """Read which items of ours the host has."""

    def phase_of(self, item: T) -> Phase:
        """When an item is put."""
        return self.put_phase

    def text(self, artefact: frozenset[T]) -> str:
        """Print the items, sorted."""
        return "".join(f"{line}\n" for line in sorted(self.spell(item) for item in artefact))

    def check(self, host: Host, artefact: frozenset[T]) -> None:
        """No tool checks single items beforehand: the kernel judges each when it is put."""

    def plan(self, old: frozenset[T] | None, new: frozenset[T]) -> tuple[Step, ...]:
        """Give a step per item that differs."""
        before = {self.key(item): item for item in old or ()}
        after = {self.key(item): item for item in new}
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return tuple(self._step(before.get(key), after.get(key)) for key in sorted(changed))

    def _step(self, before: T | None, after: T | None) -> Step:
        shown = after if after is not None else before
        assert shown is not None  # noqa: S101  a changed key has at least one side
        verb = "remove" if after is None else "add" if before is None else "change"
        return Step(
            subsystem=self.name,
            action=f"{verb} {self.spell(shown)}",
            phase=self.remove_phase if after is None else self.phase_of(after),
            apply=partial(self._switch, old=before, new=after),
            revert=partial(self._switch, old=after, new=before),
            before=None if before is None else self.spell(before),
            after=None if after is None else self.spell(after),
            impact=self.impact if after is None or before is not None else Impact.NONE,
        )

    def _switch(self, host: Host, *, old: T | None, new: T | None) -> None:
        if new is not None:
            self.put(host, new)
        elif old is not None:
            self.remove(host, old)

    def verify(self, host: Host, wanted: frozenset[T]) -> tuple[Difference, ...]:
        """Compare the host's items with the wanted ones, by key."""
        found: Mapping[str, T] = {self.key(item): item for item in self.observe(host, wanted)}
        want = {self.key(item): item for item in wanted}
        return tuple(
            Difference(
                self.name,
                key,
                self.spell(want[key]) if key in want else None,
                self.spell(found[key]) if key in found else None,
            )
            for key in sorted({*want, *found})
            if want.get(key) != found.get(key)
        )
