"""The machine's own settings: host name, time zone, and the files that the resolver, chronyd and rsyslogd read."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import Files

TIMEOUT = 10.0
KERNEL_NAME = Path("/proc/sys/kernel/hostname")
CHRONYD = Path("/run/chrony/chronyd.sock")
ZONES = Path("/usr/share/zoneinfo")
ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
PLACES = {
    "hostname": "etc/hostname",
    "timezone": "etc/timezone",
    "hosts": "etc/hosts",
    "resolver": "etc/resolv.conf",
    "time-sources": "run/kawaii/ntp/kawaii.sources",
    "syslog": "run/kawaii/syslog.conf",
}
"""The file of every setting, below the root."""

WORDS = frozenset({"hostname", "timezone"})
"""Settings that are a word, on a line of its own in their file."""


class FileMachine:
    """The `Machine` port of a node that shares its kernel with others, as in a lab: files below a root only."""

    def __init__(self, root: Path, files: Files) -> None:
        self._root = root
        self._files = files

    def get(self, setting: str) -> str | None:
        """Read a setting's file; a time zone whose file and link differ counts as not set."""
        text = self._files.read(self._place(setting))
        if text is None or setting not in WORDS:
            return text
        word = text.rstrip("\n")
        if setting == "timezone" and _linked(self._localtime) != word:
            return None
        return word

    def set(self, setting: str, value: str | None) -> None:
        """Write a setting's file, or remove it; raises `ApplyFailed`."""
        try:
            if setting == "timezone":
                _link(self._localtime, value or "UTC")
            if value is None:
                self._files.remove(self._place(setting))
            else:
                self._files.write(self._place(setting), f"{value}\n" if setting in WORDS else value)
        except OSError as error:
            raise ApplyFailed(f"{setting}: {error}") from error

    def has_timezone(self, name: str) -> bool:
        """Look for a compiled zone (tzfile(5)) below the zones' directory."""
        if not ZONE_NAME.fullmatch(name):
            return False
        try:
            with (ZONES / name).open("rb") as file:
                return file.read(4) == b"TZif"
        except OSError:
            return False

    def _place(self, setting: str) -> str:
        return str(self._root / PLACES[setting])

    @property
    def _localtime(self) -> Path:
        return self._root / "etc/localtime"


class OwnMachine(FileMachine):
    """The `Machine` port of a node that has a machine of its own: the kernel and the daemons follow the files."""

    def get(self, setting: str) -> str | None:
        """Read a setting; a host name counts only where the kernel has it too."""
        value = super().get(setting)
        return value if setting != "hostname" or value == _kernel_name() else None

    def set(self, setting: str, value: str | None) -> None:
        """Write a setting's file and tell the kernel or the daemon that reads it; raises `ApplyFailed`."""
        super().set(setting, value)
        if setting == "hostname" and value is not None:
            _name_kernel(value)
        elif setting == "timezone":
            time.tzset()
        elif setting == "time-sources" and CHRONYD.exists():
            # Without the socket chronyd is not up yet, and will read the sources when it is.
            _tell("chronyc", "reload", "sources")
        elif setting == "syslog":
            # Not waited for: at boot rsyslogd comes long after kawaiid, which must not wait for what waits for it.
            # Its socket stops with it: journald would start it again by that.
            action = ("restart",) if value is not None else ("stop", "syslog.socket")
            _tell("systemctl", "--no-block", *action, "rsyslog.service")


def _kernel_name() -> str:
    return KERNEL_NAME.read_text(encoding="utf-8").rstrip("\n")


def _name_kernel(name: str) -> None:
    try:
        KERNEL_NAME.write_text(name, encoding="ascii")
    except OSError as error:
        raise ApplyFailed(f"hostname {name}: {error.strerror}") from error


def _linked(localtime: Path) -> str | None:
    """Give the zone that localtime(5) names."""
    try:
        target = localtime.readlink()
        return str(target.relative_to(ZONES))
    except (OSError, ValueError):
        return None


def _link(localtime: Path, zone: str) -> None:
    localtime.parent.mkdir(parents=True, exist_ok=True)
    fresh = localtime.with_name(".localtime.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(ZONES / zone)
    fresh.replace(localtime)


def _tell(*argv: str) -> None:
    try:
        result = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ApplyFailed(f"{' '.join(argv)}: {error}") from error
    if result.returncode != 0:
        raise ApplyFailed(f"{' '.join(argv)}: {(result.stderr or result.stdout).strip()}")
