"""Logins of the appliance by passwd(5), shadow(5) and group(5): read directly, changed by useradd(8) and its kin."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import Account, Files
from appliance.schema.types import Role
from appliance.schema.value import Secret

TIMEOUT = 20.0
SHELL = "/usr/bin/kawaii-shell"
NO_PASSWORD = "*"  # noqa: S105  a hash that no password has; a lock ("!") would shut keys out too


def group_of(role: Role) -> str:
    """Name the group that gives a role."""
    return f"kawaii-{role}"


GROUPS = {group_of(role): role for role in (Role.VIEW, Role.OPERATE, Role.CONFIGURE)}
"""Roles by group, the highest last."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program's arguments, and what it reads: secrets go there, for anybody may read arguments."""

    argv: tuple[str, ...]
    stdin: str | None = None


def commands_for(account: Account, *, known: bool) -> tuple[Command, ...]:
    """Give the commands that make a login, or change a `known` one, to be as wanted."""
    group = group_of(account.role)
    if known:
        first = Command(("usermod", "--groups", group, "--shell", SHELL, account.name))
    else:
        first = Command(("useradd", "--create-home", "--user-group", "--groups", group, "--shell", SHELL, account.name))
    hashed = account.password_hash.reveal() if account.password_hash is not None else NO_PASSWORD
    return first, Command(("chpasswd", "--encrypted"), f"{account.name}:{hashed}\n")


def command_removing(name: str) -> Command:
    """Give the command that removes a login, even one that is in use."""
    return Command(("userdel", "--force", "--remove", name))


def parse_accounts(passwd: str, shadow: str, group: str) -> frozenset[Account]:
    """Read our logins from the three files' texts."""
    users = {fields[0] for fields in _records(passwd)}
    hashes = {fields[0]: fields[1] for fields in _records(shadow) if len(fields) > 1}
    members = {fields[0]: fields[3].split(",") for fields in _records(group) if len(fields) > 3}
    roles = {name: role for of, role in GROUPS.items() for name in members.get(of, ()) if name in users}
    return frozenset(
        Account(name, role, Secret(hashed) if (hashed := hashes.get(name, "")).startswith("$") else None)
        for name, role in roles.items()
    )


def _records(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.splitlines() if line]


class SystemAccounts:
    """The `Accounts` port of a machine of its own; `etc` holds the three files."""

    def __init__(self, etc: Path = Path("/etc"), proc: Path = Path("/proc")) -> None:
        self._etc = etc
        self._proc = proc

    def ours(self) -> frozenset[Account]:
        """Read our logins."""
        return parse_accounts(self._text("passwd"), self._text("shadow"), self._text("group"))

    def foreign(self, name: str) -> bool:
        """Look a name up among all users and groups."""
        taken = {fields[0] for file in ("passwd", "group") for fields in _records(self._text(file))}
        return name in taken and name not in {account.name for account in self.ours()}

    def put(self, account: Account) -> None:
        """Make or change a login; raises `ApplyFailed`."""
        for command in commands_for(account, known=self._uid(account.name) is not None):
            _run(command)

    def remove(self, name: str) -> None:
        """Remove a login; its processes end first, for another login may get its number one day."""
        uid = self._uid(name)
        if uid is None or uid == 0:
            return
        self._end_processes(uid)
        _run(command_removing(name))

    def _uid(self, name: str) -> int | None:
        return next((int(fields[2]) for fields in _records(self._text("passwd")) if fields[0] == name), None)

    def _text(self, name: str) -> str:
        return (self._etc / name).read_text(encoding="utf-8")

    def _end_processes(self, uid: int) -> None:
        for entry in self._proc.iterdir():
            try:
                if entry.name.isdigit() and entry.stat().st_uid == uid:
                    os.kill(int(entry.name), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                continue


def _run(command: Command) -> None:
    try:
        result = subprocess.run(
            command.argv, input=command.stdin or "", capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ApplyFailed(f"{' '.join(command.argv)}: {error}") from error
    if result.returncode != 0:
        raise ApplyFailed(f"{' '.join(command.argv)}: {result.stderr.strip() or f'exit {result.returncode}'}")


class RecordedAccounts:
    """The `Accounts` port of a node that shares its machine with others, as in a lab: a record, no logins."""

    def __init__(self, path: str, files: Files) -> None:
        self._path = path
        self._files = files

    def ours(self) -> frozenset[Account]:
        """Read the record."""
        stored = json.loads(self._files.read(self._path) or "{}")
        return frozenset(
            Account(name, Role(role), Secret(hashed) if hashed else None) for name, (role, hashed) in stored.items()
        )

    def foreign(self, name: str) -> bool:
        """Say no: a record has room for every name."""
        return False

    def put(self, account: Account) -> None:
        """Record a login."""
        others = [known for known in self.ours() if known.name != account.name]
        self._write([*others, account])

    def remove(self, name: str) -> None:
        """Forget a login."""
        self._write([known for known in self.ours() if known.name != name])

    def _write(self, accounts: list[Account]) -> None:
        stored = {
            one.name: (str(one.role), one.password_hash.reveal() if one.password_hash is not None else None)
            for one in sorted(accounts, key=lambda account: account.name)
        }
        self._files.write(self._path, json.dumps(stored), 0o600)
