"""Revisions on disk: numbered, chained by hash, with one pointer that says which of them runs.

A commit is two durable writes.  The revision's own file is the intent: a number above the pointer's was begun and not
finished.  The pointer, replaced atomically, is the commit record.  So after a crash the store says old or new, never
between.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Protocol

Tree = dict[str, Any]


class StoreDamaged(Exception):
    """A stored file cannot be read back as it was written; the message names it."""


class Disk(Protocol):
    """Durable files: what `write` returned from is on disk, whole."""

    def read(self, path: str) -> str | None: ...

    def write(self, path: str, text: str, mode: int = ...) -> None: ...

    def remove(self, path: str) -> None: ...

    def names(self, directory: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Author:
    """Who asked for a change, and by which way in."""

    user: str
    uid: int | None = None
    role: str = "configure"
    address: str | None = None
    way: str = "api"


@dataclass(frozen=True, slots=True)
class Revision:
    """One committed configuration; `when` is seconds since the epoch, `parent` the hash of the revision before."""

    number: int
    when: float
    author: Author
    comment: str | None
    parent: str | None
    tree: Tree
    digest: str = ""

    def sealed(self) -> Revision:
        """Give the revision with its digest: SHA-256 of everything else in canonical JSON."""
        body = {key: value for key, value in asdict(self).items() if key != "digest"}
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return replace(self, digest=hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Pointer:
    """What runs; `fallback` and `deadline` (seconds since the epoch) while a commit waits to be confirmed."""

    revision: int
    fallback: int | None = None
    deadline: float | None = None


class Store:
    """The revisions of one node, in one directory."""

    def __init__(self, disk: Disk, directory: str, retention: int = 100) -> None:
        self._disk = disk
        self._revisions = str(PurePosixPath(directory) / "revisions")
        self._pointer = str(PurePosixPath(directory) / "running.json")
        self._retention = retention

    def pointer(self) -> Pointer | None:
        """Read which revision runs; None on a node that never committed."""
        text = self._disk.read(self._pointer)
        if text is None:
            return None
        try:
            return Pointer(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise StoreDamaged(f"{self._pointer}: {error}") from error

    def numbers(self) -> list[int]:
        """Give the stored revisions' numbers, oldest first, intents included."""
        names = self._disk.names(self._revisions)
        return sorted(int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit())

    def load(self, number: int) -> Revision:
        """Read a revision; raises `KeyError` where there is none, `StoreDamaged` where its digest is wrong."""
        path = self._path(number)
        text = self._disk.read(path)
        if text is None:
            raise KeyError(number)
        try:
            body = json.loads(text)
            revision = Revision(**{**body, "author": Author(**body["author"])})
        except (ValueError, TypeError, KeyError) as error:
            raise StoreDamaged(f"{path}: {error}") from error
        if revision.sealed().digest != revision.digest:
            raise StoreDamaged(f"{path}: the digest does not match")
        return revision

    def begin(self, revision: Revision) -> Revision:
        """Write the intent to run a revision, durably; gives it sealed."""
        sealed = revision.sealed()
        text = json.dumps(asdict(sealed), ensure_ascii=False, separators=(",", ":"))
        self._disk.write(self._path(sealed.number), text, 0o600)
        return sealed

    def finish(self, pointer: Pointer) -> None:
        """Write the commit record, durably, then let go of revisions beyond the retention."""
        self._disk.write(self._pointer, json.dumps(asdict(pointer)), 0o600)
        keep = {pointer.revision, pointer.fallback}
        numbers = [number for number in self.numbers() if number <= pointer.revision]
        for number in numbers[: max(0, len(numbers) - self._retention)]:
            if number not in keep:
                self._disk.remove(self._path(number))

    def abandon(self, number: int) -> None:
        """Forget an intent that was reverted."""
        self._disk.remove(self._path(number))

    def restore(self, pointer: Pointer | None) -> None:
        """Put back the commit record of before, for a commit whose record was written but not known to be durable."""
        if pointer is None:
            self._disk.remove(self._pointer)
        else:
            self._disk.write(self._pointer, json.dumps(asdict(pointer)), 0o600)

    def intents(self) -> list[int]:
        """Give the numbers of revisions that were begun and never finished."""
        pointer = self.pointer()
        running = pointer.revision if pointer else 0
        return [number for number in self.numbers() if number > running]

    def _path(self, number: int) -> str:
        return f"{self._revisions}/{number:08d}.json"
