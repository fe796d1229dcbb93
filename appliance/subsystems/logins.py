"""Logins: an account with a role for each, and the SSH keys that open it, one file per login (sshd_config(5))."""

from __future__ import annotations

import re
from functools import partial

from appliance.engine.errors import Refused
from appliance.engine.ports import Account, Host
from appliance.engine.step import Difference, Impact, Phase, Step
from appliance.schema.problem import InvalidConfig, Problem
from appliance.schema.system import User
from appliance.schema.types import Role
from appliance.schema.value import MASK
from appliance.subsystems.items import ItemSubsystem
from appliance.subsystems.view import NodeFacts, NodeView

DEFAULT_LOGIN = "kawaii"

LOGIN = re.compile(r"(?![0-9]+$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
"""Names that useradd(8) makes logins of: no more than 32 characters, and no number, which would pass for a user id."""

HASHED = re.compile(r"\$[0-9a-z]+\$[!-9;-~]+\$[!-9;-~]+")
"""A hash with its method and salt, as crypt(5) writes it; no colon, which ends a field of shadow(5)."""

LoginKeys = frozenset[tuple[str, str]]
"""(path, text) of every file of ours."""


def keys_of(facts: NodeFacts, configured: dict[str, tuple[str, ...]]) -> LoginKeys:
    """Give the key files: the configuration's keys, and the datasource's for the default login."""
    keys = {name: list(own) for name, own in configured.items()}
    keys.setdefault(DEFAULT_LOGIN, []).extend(facts.public_keys)
    return frozenset(
        (f"{facts.keys_directory}/{name}", "".join(f"{key}\n" for key in dict.fromkeys(own)))
        for name, own in keys.items()
        if own
    )


class Logins:
    """Writes the key files; removes those of logins that are gone."""

    name = "logins"

    def render(self, view: NodeView) -> LoginKeys:
        """Give the key files of a configuration."""
        return keys_of(view.facts, {name: user.keys for name, user in view.config.system.users.items()})

    def text(self, artefact: LoginKeys) -> str:
        """Print every file under its path."""
        return "".join(f"# {path}\n{text}" for path, text in sorted(artefact))

    def check(self, host: Host, artefact: LoginKeys) -> None:
        """Nothing refuses a key file: sshd(8) ignores a line it cannot read."""

    def plan(self, old: LoginKeys | None, new: LoginKeys) -> tuple[Step, ...]:
        """Write what is new or changed, remove what is gone."""
        before, after = dict(old or ()), dict(new)
        return tuple(
            Step(
                subsystem=self.name,
                action=f"{'write' if path in after else 'remove'} {path}",
                phase=Phase.SYSTEM,
                apply=partial(_put, path=path, text=after.get(path)),
                revert=partial(_put, path=path, text=before.get(path)),
                before=before.get(path),
                after=after.get(path),
                impact=Impact.NONE,
            )
            for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)
        )

    def observe(self, host: Host, wanted: LoginKeys) -> LoginKeys:
        """Read the wanted files as they are."""
        found = ((path, host.files.read(path)) for path, _text in wanted)
        return frozenset((path, text) for path, text in found if text is not None)

    def verify(self, host: Host, wanted: LoginKeys) -> tuple[Difference, ...]:
        """Compare the files with what they should say."""
        return tuple(
            Difference(self.name, path, text, host.files.read(path))
            for path, text in sorted(wanted)
            if host.files.read(path) != text
        )


def _put(host: Host, path: str, text: str | None) -> None:
    if text is None:
        host.files.remove(path)
    else:
        host.files.write(path, text, 0o644)


class LoginAccounts(ItemSubsystem[Account]):
    """Makes, changes and removes accounts; the default login is always there, for the datasource's keys open it."""

    name = "accounts"
    put_phase = Phase.SYSTEM
    remove_phase = Phase.SYSTEM

    def render(self, view: NodeView) -> frozenset[Account]:
        """Give the accounts of a configuration; raises `InvalidConfig` for what no account can be made of."""
        users = {DEFAULT_LOGIN: User(role=Role.CONFIGURE), **view.config.system.users}
        problems = [problem for name, user in users.items() for problem in _problems(name, user)]
        if problems:
            raise InvalidConfig(problems)
        return frozenset(Account(name, user.role, user.password_hash) for name, user in users.items())

    def check(self, host: Host, artefact: frozenset[Account]) -> None:
        """Refuse a name that a user or a group of the system has."""
        for account in sorted(artefact, key=self.key):
            if host.accounts.foreign(account.name):
                raise Refused(
                    f"system users {account.name}: the system has a user or group of this name", "another name"
                )

    def key(self, item: Account) -> str:
        """A login has one account."""
        return item.name

    def spell(self, item: Account) -> str:
        """Print the role, and that there is a password, never which."""
        return f"{item.name} {item.role}" + (f" password {MASK}" if item.password_hash is not None else "")

    def put(self, host: Host, item: Account) -> None:
        """Make or change the account."""
        host.accounts.put(item)

    def remove(self, host: Host, item: Account) -> None:
        """Remove the account, but never the one that came with the image."""
        if item.name != DEFAULT_LOGIN:
            host.accounts.remove(item.name)

    def observe(self, host: Host, wanted: frozenset[Account]) -> frozenset[Account]:
        """Read all accounts of ours."""
        return host.accounts.ours()


def _problems(name: str, user: User) -> list[Problem]:
    found = []
    path = ("system", "users", name)
    if not LOGIN.fullmatch(name):
        accepted = "letters, digits, '-', '_', '.', at most 32, not only digits"
        found.append(Problem(path, "not a login name", found=name, accepted=accepted))
    if user.password_hash is not None and not HASHED.fullmatch(user.password_hash.reveal()):
        accepted = "what `mkpasswd` or `openssl passwd -6` prints"
        found.append(Problem((*path, "password_hash"), "not a password hash", found=MASK, accepted=accepted))
    return found
