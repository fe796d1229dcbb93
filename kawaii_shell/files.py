"""The user's own files: plain names in one directory, which no path, link or option leads out of."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LIMIT = 64 * 1024 * 1024
DIRECTORY = "kawaii-files"


class FileRefused(Exception):
    """A file that cannot be read or written; says which and why."""


class OwnFiles:
    """Files in `~/kawaii-files`, made on first use, for nobody else to read."""

    def __init__(self, directory: Path) -> None:
        """Remember the directory."""
        self.directory = directory

    def names(self) -> list[str]:
        """List the files there."""
        try:
            return sorted(entry.name for entry in os.scandir(self.directory) if NAME.fullmatch(entry.name))
        except OSError:
            return []

    def write(self, name: str, text: str) -> str:
        """Write a file in one step, mode 0600; gives its name. Raises FileRefused."""
        self._check(name)
        temporary = f".{secrets.token_hex(8)}"
        try:
            with self._open() as directory:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                handle = os.open(temporary, flags, 0o600, dir_fd=directory.number)
                with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                    file.write(text if text.endswith("\n") or not text else text + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, name, src_dir_fd=directory.number, dst_dir_fd=directory.number)
        except OSError as error:
            raise FileRefused(f"{name}: {error.strerror}") from error
        return name

    def read(self, name: str) -> str:
        """Read a file. Raises FileRefused."""
        self._check(name)
        try:
            with self._open() as directory:
                handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory.number)
                with os.fdopen(handle, "rb") as file:
                    raw = file.read(LIMIT + 1)
        except OSError as error:
            raise FileRefused(f"{name}: {error.strerror}") from error
        if len(raw) > LIMIT:
            raise FileRefused(f"{name}: larger than {LIMIT} bytes")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileRefused(f"{name}: not UTF-8 text") from error

    def _check(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise FileRefused(f'"{name}" is no file name: letters, digits and . _ - only, it is kept in ~/{DIRECTORY}')

    def _open(self) -> _Directory:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        return _Directory(os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))


class _Directory:
    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> _Directory:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.number)
