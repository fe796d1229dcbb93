"""What the candidate holds, kept beside it so that completing a key asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kawaii_shell.client import Refused, Unreachable
from kawaii_shell.commands import Op, Path
from kawaii_shell.document import Document, Json, document, string
from kawaii_shell.names import NONE, Names


class Mirror:
    """The candidate's tree, fetched once in the background and edited alongside; only completion reads it."""

    def __init__(self, fetch: Callable[[], Json]) -> None:
        """Take the call that fetches the whole tree; it runs in a thread of its own."""
        self._fetch = fetch
        self._tree: Document | None = None
        self._thread: threading.Thread | None = None
        self._generation = 0

    def prefetch(self) -> None:
        """Begin to fetch the tree."""
        generation = self._generation

        def work() -> None:
            try:
                tree = document(self._fetch())
            except (Refused, Unreachable):
                return
            if generation == self._generation:
                self._tree = tree

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Drop the tree: it has changed in a way that only the daemon knows."""
        self._generation += 1
        self._tree = self._thread = None

    def keys(self, path: Path) -> Names:
        """Give the names under `path`, each with the beginning of what it holds; for a leaf-list its items."""
        at: Json = self._whole()
        for part in path:
            at = at.get(part) if isinstance(at, dict) else None
        if isinstance(at, dict):
            entries = at
            return Names(list(at), lambda key: _summary(entries.get(key)))
        return Names([string(item) for item in at]) if isinstance(at, list) else NONE

    def apply(self, ops: tuple[Op, ...]) -> None:
        """Edit the tree as the daemon has edited the candidate."""
        if self._tree is None:
            self.forget()  # a fetch under way may be older than these edits
            return
        for op in ops:
            if op.op == "set":
                self._set(op)
            elif op.op == "delete":
                self._delete(op.path, op.value)
            else:
                self._move(op)

    def _whole(self) -> Document:
        if self._tree is None and self._thread is None:
            self.prefetch()
        if self._thread:
            self._thread.join()
            self._thread = None
        return self._tree or {}

    def _above(self, path: Path, *, make: bool) -> Document | None:
        at: Document = self._tree if self._tree is not None else {}
        for part in path[:-1]:
            below = at.setdefault(part, {}) if make else at.get(part)
            if not isinstance(below, dict):
                if not make:
                    return None
                at[part] = below = {}
            at = below
        return at

    def _set(self, op: Op) -> None:
        above = self._above(op.path, make=True)
        if above is None or not op.path:
            return
        name = op.path[-1]
        if op.many:
            items = above.get(name)
            above[name] = [*(items if isinstance(items, list) else []), op.value]
        elif op.value is None and not op.asks:
            above.setdefault(name, {})
        else:
            above[name] = op.value

    def _delete(self, path: Path, value: Json) -> None:
        above = self._above(path, make=False)
        if above is None or not path:
            return
        items = above.get(path[-1])
        if value is not None and isinstance(items, list):
            above[path[-1]] = [item for item in items if item != value]
        else:
            above.pop(path[-1], None)

    def _move(self, op: Op) -> None:
        above, to = self._above(op.path, make=False), op.to
        if above is None or to is None or op.path[-1] not in above:
            return
        entry = above[op.path[-1]] if op.op == "copy" else above.pop(op.path[-1])
        target = self._above(to, make=True)
        if target is not None:
            target[to[-1]] = entry


def _summary(value: Json) -> str:
    """Spell the first settings of an entry; a secret is masked already."""
    if not isinstance(value, dict):
        return ""
    plain = [f"{name} {string(item)}" for name, item in value.items() if isinstance(item, str | int | float)]
    return ", ".join(plain[:3])
