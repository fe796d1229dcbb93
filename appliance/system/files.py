"""Files written whole: a temporary file, fsync, rename, fsync of the directory (rename(2))."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class DurableFiles:
    """The `Files` port on a real file system; every method raises `OSError`."""

    def read(self, path: str) -> str | None:
        """Read a text; None where there is no file."""
        try:
            return Path(path).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace a file by `text`; once it returns, the text is on disk, before that the old one is."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)

    def remove(self, path: str) -> None:
        """Remove a file durably; a missing one is fine."""
        target = Path(path)
        if target.exists() or target.is_symlink():
            target.unlink(missing_ok=True)
            _sync_directory(target.parent)

    def names(self, directory: str) -> list[str]:
        """Give the names in a directory, sorted, without temporary files; a missing one is empty."""
        try:
            return sorted(entry.name for entry in Path(directory).iterdir() if not entry.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
