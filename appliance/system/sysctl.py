"""Kernel parameters below /proc/sys (sysctl(8))."""

from __future__ import annotations

from pathlib import Path

from appliance.engine.errors import ApplyFailed

ROOT = Path("/proc/sys")


class ProcSysctl:
    """The `Sysctl` port; names have dots between components, a device's own dots are slashes."""

    def get(self, name: str) -> str | None:
        """Give the value with single blanks, None where the kernel has no such parameter."""
        try:
            return " ".join(_path(name).read_text(encoding="ascii").split())
        except OSError:
            return None

    def set(self, name: str, value: str) -> None:
        """Set it; raises `ApplyFailed` where it does not exist or cannot be set."""
        try:
            _path(name).write_text(value, encoding="ascii")
        except OSError as error:
            raise ApplyFailed(f"sysctl {name} = {value}: {error.strerror}") from error


def _path(name: str) -> Path:
    return ROOT / name.replace(".", "\0").replace("/", ".").replace("\0", "/")
