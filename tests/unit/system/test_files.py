"""Files are replaced whole, or stay what they were."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from appliance.system.files import DurableFiles

FILES = DurableFiles()


def test_what_is_written_is_read_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    FILES.write(str(path), "grüße\n", 0o600)
    assert FILES.read(str(path)) == "grüße\n"
    assert path.stat().st_mode & 0o777 == 0o600
    FILES.write(str(path), "again\n")
    assert path.stat().st_mode & 0o777 == 0o644


def test_missing_is_none_and_removing_it_is_fine(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert FILES.read(path) is None
    FILES.remove(path)
    assert FILES.names(str(tmp_path / "nowhere")) == []


def test_removed_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    FILES.write(str(path), "x")
    FILES.remove(str(path))
    assert not path.exists()


def test_names_are_sorted_without_temporary_ones(tmp_path: Path) -> None:
    for name in ("b", "a", ".b.tmp123"):
        (tmp_path / name).write_text("")
    assert FILES.names(str(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("broken", ["fsync", "fchmod"])
def test_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "file"
    FILES.write(str(path), "old")

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="No space left"):
        FILES.write(str(path), "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_directory_is_synced_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def record(descriptor: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    FILES.write(str(path), "new")
    assert [there for _name, there in synced] == [False, True]
    assert synced[-1][0] == str(tmp_path)
