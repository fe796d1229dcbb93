"""Logins: accounts with roles, made and taken back, secrets nowhere to be read; key files; the commands of shadow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.engine.errors import Refused
from appliance.engine.ports import Account, Accounts, Host
from appliance.schema.problem import InvalidConfig
from appliance.schema.types import Role
from appliance.schema.value import Secret
from appliance.subsystems.logins import LoginAccounts, Logins
from appliance.system.accounts import (
    RecordedAccounts,
    SystemAccounts,
    command_removing,
    commands_for,
    parse_accounts,
)
from appliance.system.files import DurableFiles
from tests.unit.subsystems.node_cases import view_of

HASH = "$y$j9T$saltsaltsalt$Q2hlY2tlZEJ5Tm9ib2R5QXRBbGw"
TWO = f"""
system:
  users:
    ann: {{role: view, keys: ["ssh-ed25519 AAAA ann"]}}
    bob: {{role: operate, password_hash: "{HASH}"}}
"""
KAWAII = Account("kawaii", Role.CONFIGURE)
ANN = Account("ann", Role.VIEW)
BOB = Account("bob", Role.OPERATE, Secret(HASH))
SUBSYSTEM = LoginAccounts()


@dataclass
class MemoryAccounts:
    """Logins as values."""

    known: dict[str, Account] = field(default_factory=dict)
    others: frozenset[str] = frozenset({"root", "sshd"})

    def ours(self) -> frozenset[Account]:
        return frozenset(self.known.values())

    def foreign(self, name: str) -> bool:
        return name in self.others

    def put(self, account: Account) -> None:
        self.known[account.name] = account

    def remove(self, name: str) -> None:
        self.known.pop(name, None)


@dataclass
class Bench:
    """A host of which only the logins are looked at."""

    accounts: Accounts

    @property
    def host(self) -> Host:
        """The ports as the engine gets them."""
        return self  # type: ignore[return-value]


@pytest.fixture(params=["memory", "record"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    path = str(tmp_path / "accounts.json")
    return Bench(MemoryAccounts() if request.param == "memory" else RecordedAccounts(path, DurableFiles()))


def rendered(text: str) -> Any:
    return SUBSYSTEM.render(view_of(text))


def test_every_user_has_an_account_and_the_default_login_always() -> None:
    assert rendered(TWO) == {KAWAII, ANN, BOB}
    assert rendered("{}") == {KAWAII}
    assert rendered("system: {users: {kawaii: {role: view}}}") == {Account("kawaii", Role.VIEW)}


def test_accounts_are_made_changed_and_taken_back(bench: Bench) -> None:
    empty, two = rendered("{}"), rendered(TWO)
    for step in SUBSYSTEM.plan(None, empty):
        step.apply(bench.host)
    steps = SUBSYSTEM.plan(empty, two)
    for step in (*steps, *steps):
        step.apply(bench.host)
    assert SUBSYSTEM.observe(bench.host, two) == two
    raised = rendered(TWO.replace("view", "configure"))
    change = SUBSYSTEM.plan(two, raised)
    assert [step.action for step in change] == ["change ann configure"]
    change[0].apply(bench.host)
    assert Account("ann", Role.CONFIGURE) in bench.accounts.ours()
    change[0].revert(bench.host)
    assert SUBSYSTEM.verify(bench.host, two) == ()
    for step in reversed(steps):
        step.revert(bench.host)
    assert bench.accounts.ours() == {KAWAII}


def test_the_default_login_outlives_the_undoing_of_the_first_commit(bench: Bench) -> None:
    bench.accounts.put(KAWAII)
    for step in SUBSYSTEM.plan(None, rendered(TWO)):
        step.apply(bench.host)
        step.revert(bench.host)
    assert bench.accounts.ours() == {KAWAII}


def test_a_login_made_by_hand_is_found(bench: Bench) -> None:
    for account in (KAWAII, Account("eve", Role.CONFIGURE)):
        bench.accounts.put(account)
    assert [item.text() for item in SUBSYSTEM.verify(bench.host, rendered("{}"))] == [
        "accounts: eve: wanted nothing, found eve configure"
    ]


def test_another_password_is_a_change_and_no_text_shows_either() -> None:
    other = HASH[:-4] + "XXXX"
    steps = SUBSYSTEM.plan(rendered(TWO), rendered(TWO.replace(HASH, other)))
    assert [step.action for step in steps] == ["change bob operate password ********"]
    shown = repr(steps) + SUBSYSTEM.text(rendered(TWO)) + repr(BOB)
    assert HASH[6:] not in shown
    assert other[6:] not in shown


@pytest.mark.parametrize("name", ["a" * 33, "1000", "-r", ".hidden"])
def test_a_name_that_is_no_login_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidConfig):
        rendered(f"system: {{users: {{{name!r}: {{role: view}}}}}}")


@pytest.mark.parametrize("hashed", ["secret", "*", "!", "$6$x", "$6$a$b:0:0", "$6$a$b\nroot:$6$a$b", "$6$a$b c"])
def test_what_is_no_hash_is_refused_and_not_shown(hashed: str) -> None:
    text = f"system: {{users: {{ann: {{password_hash: {json.dumps(hashed)}}}}}}}"
    with pytest.raises(InvalidConfig, match="not a password hash") as raised:
        rendered(text)
    assert [problem.found for problem in raised.value.problems] == ["********"]


def test_a_user_of_the_system_is_refused() -> None:
    bench = Bench(MemoryAccounts())
    SUBSYSTEM.check(bench.host, rendered(TWO))
    with pytest.raises(Refused, match="root"):
        SUBSYSTEM.check(bench.host, rendered("system: {users: {root: {role: view}}}"))


def test_hashes_are_read_by_programs_and_never_arguments() -> None:
    for known in (False, True):
        commands = commands_for(BOB, known=known)
        assert all(HASH not in word for command in commands for word in command.argv)
        assert commands[-1].stdin == f"bob:{HASH}\n"


def test_commands_make_and_change_a_login() -> None:
    made, password = commands_for(ANN, known=False)
    shell = ("--shell", "/usr/bin/kawaii-shell")
    assert made.argv == ("useradd", "--create-home", "--user-group", "--groups", "kawaii-view", *shell, "ann")
    assert (password.argv, password.stdin) == (("chpasswd", "--encrypted"), "ann:*\n")
    assert commands_for(ANN, known=True)[0].argv == ("usermod", "--groups", "kawaii-view", *shell, "ann")
    assert command_removing("ann").argv == ("userdel", "--force", "--remove", "ann")


PASSWD = """root:x:0:0:root:/root:/bin/bash
kawaii:x:988:988::/var/lib/kawaii-home:/usr/bin/kawaii-shell
ann:x:1000:1000::/home/ann:/usr/bin/kawaii-shell
bob:x:1001:1001::/home/bob:/usr/bin/kawaii-shell
"""
SHADOW = f"root:*:1::::::\nkawaii:!*:1::::::\nann:*:1::::::\nbob:{HASH}:1::::::\n"
GROUP = "root:x:0:\nkawaii-view:x:991:ann,gone\nkawaii-operate:x:990:bob\nkawaii-configure:x:989:kawaii\nann:x:1000:\n"


@pytest.fixture
def system(tmp_path: Path) -> SystemAccounts:
    for name, text in (("passwd", PASSWD), ("shadow", SHADOW), ("group", GROUP)):
        (tmp_path / name).write_text(text, encoding="ascii")
    return SystemAccounts(tmp_path, tmp_path / "proc")


def test_logins_are_who_is_in_a_group_of_a_role(system: SystemAccounts) -> None:
    assert system.ours() == {KAWAII, ANN, BOB}
    taken = {name for name in ("root", "kawaii-view", "ann", "bob", "carl") if system.foreign(name)}
    assert taken == {"root", "kawaii-view"}


def test_the_highest_of_several_roles_counts() -> None:
    group = GROUP.replace("kawaii,gone", "kawaii").replace("989:kawaii", "989:kawaii,ann")
    assert Account("ann", Role.CONFIGURE) in parse_accounts(PASSWD, SHADOW, group)


def test_root_and_the_unknown_are_not_removed(system: SystemAccounts, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr("appliance.system.accounts._run", ran.append)
    system.remove("root")
    system.remove("carl")
    assert ran == []


def test_a_removed_login_s_processes_end(
    tmp_path: Path, system: SystemAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = 64123
    (tmp_path / "passwd").write_text(PASSWD.replace(":1000:1000:", f":{nobody}:{nobody}:"), encoding="ascii")
    processes = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    (tmp_path / "proc").mkdir()
    for process, owner in zip(processes, (nobody, 0), strict=True):
        entry = tmp_path / "proc" / str(process.pid)
        entry.mkdir()
        os.chown(entry, owner, owner)
    ran: list[object] = []
    monkeypatch.setattr("appliance.system.accounts._run", ran.append)
    try:
        system.remove("ann")
        assert processes[0].wait(10) == -signal.SIGKILL
        assert processes[1].poll() is None
        assert ran == [command_removing("ann")]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_key_files_are_written_for_those_who_have_keys() -> None:
    view = view_of(TWO, public_keys=("ssh-ed25519 BBBB cloud",), keys_directory="/keys")
    assert Logins().render(view) == {
        ("/keys/ann", "ssh-ed25519 AAAA ann\n"),
        ("/keys/kawaii", "ssh-ed25519 BBBB cloud\n"),
    }
