"""The scenarios of the first issue, typed at a terminal and run by scripts, against a gateway of the lab."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from tests.unit.shell.terminal import PASTE, Terminal

pytestmark = pytest.mark.netns
Shell = Callable[..., subprocess.CompletedProcess[str]]
RULE = "ingress_rules 20"


@pytest.fixture(autouse=True)
def as_it_was(shell: Shell) -> None:
    """Begin each test with the configuration that the gateway was seeded with."""
    ran = shell("-c", "configure; rollback 1; commit")
    assert ran.returncode == 0, ran.stderr


def rules(shell: Shell) -> set[str]:
    return set(json.loads(shell("-c", "show configuration ingress_rules | json").stdout))


def test_commit_confirmed_unconfirmed_is_gone_again(terminal: Terminal, shell: Shell) -> None:
    terminal.run("configure", "# ")
    terminal.run("set ingress_rules 20 ports 9443", "*# ")
    terminal.run("compare", "*# ")
    terminal.see("+ ingress_rules 20 ports 9443")
    terminal.run("commit confirmed 3s", "]# ")
    terminal.see("commit complete: revision")
    assert rules(shell) == {"10", "20"}
    terminal.until(lambda: rules(shell) == {"10"}, 20)
    terminal.run("", "# ")
    terminal.see("it has been rolled back")
    assert "[confirm" not in terminal.lines[-1]


def test_commit_confirmed_and_confirmed_stays(terminal: Terminal, shell: Shell) -> None:
    terminal.run("configure", "# ")
    terminal.run("set ingress_rules 20 ports 9443", "*# ")
    terminal.run("commit confirmed 30s", "]# ")
    terminal.run("confirm", "# ")
    assert "[confirm" not in terminal.lines[-1]
    assert rules(shell) == {"10", "20"}


def test_rollback_and_commit(terminal: Terminal, shell: Shell) -> None:
    terminal.run("configure", "# ")
    terminal.run("set ingress_rules 20 ports 9443", "*# ")
    terminal.run("commit", "# ")
    assert rules(shell) == {"10", "20"}
    terminal.run("rollback 1", "*# ")
    terminal.run("commit", "# ")
    assert rules(shell) == {"10"}
    assert terminal.text.count("commit complete: revision") == 2


def test_the_gateway_answers_from_kernel_and_daemons(shell: Shell) -> None:
    pairs = json.loads(shell("--json", "-c", "show vip").stdout)["rows"]
    assert {pair["zone"] for pair in pairs} == {"eu-west-a", "eu-west-b"}
    assert "8443" in shell("-c", "show firewall").stdout
    assert "0.0.0.0/0" in shell("-c", "show route").stdout
    assert "********" in shell("-c", "show configuration ipsec").stdout


def test_live_interfaces_complete(terminal: Terminal) -> None:
    terminal.run("configure", "# ")
    terminal.send("set interfaces public device ?")
    terminal.see("ens3")
    terminal.see("ens5")


@pytest.mark.parametrize(
    ("line", "word", "said"),
    [
        ("set ingress_rules 20 ports 70000", "70000", 'not a port (got "70000", expected 1-65535)'),
        ("set vpc_peerings eu-west-ceph policy maybe", "maybe", "expected accept, drop"),
        ("set ingress_rules 20 prots 443", "prots", "did you mean ports?"),
        ("delete ingress_rules 77", "77", "nothing there to delete"),
    ],
)
def test_errors_point_at_the_word(line: str, word: str, said: str, shell: Shell) -> None:
    ran = shell("-c", f"configure\n{line}")
    assert ran.returncode in (1, 2)
    told = ran.stderr.splitlines()
    assert told[1].index("^") == told[0].index(word)
    assert said in ran.stderr


def test_all_problems_of_a_commit_at_once(shell: Shell) -> None:
    ran = shell("-c", "configure; set ingress_rules 20 desc x; set nat_rules 90 ports 80; commit")
    assert ran.returncode == 1
    assert "ingress_rules 20 ports" in ran.stderr
    assert "nat_rules 90 destination" in ran.stderr


def test_quotes_and_unicode_come_back_as_set_commands(shell: Shell) -> None:
    name = 'Büro; "東京" | #1 }'
    script = f'configure; copy ipsec "ACME Office" to {json.dumps(name, ensure_ascii=False)}; show ipsec | set'
    made = [line for line in shell("-c", script).stdout.splitlines() if "東京" in line]
    assert made
    assert all(line.startswith(f"set ipsec {json.dumps(name, ensure_ascii=False)} ") for line in made)


def test_set_commands_make_the_same_configuration_again(shell: Shell) -> None:
    before = shell("-c", "show configuration | set").stdout
    lines = "\n".join(line for line in before.splitlines() if "********" not in line)
    ran = shell("-f", "/dev/stdin", stdin=f"configure\n{lines}\ncompare\ncommit check\n")
    assert ran.returncode == 0, ran.stderr
    assert "+ " not in ran.stdout
    assert "- " not in ran.stdout


def test_five_thousand_pasted_lines_are_one_commit(terminal: Terminal, shell: Shell) -> None:
    terminal.run("configure", "# ")
    lines = "".join(f"set egress_rules {at} ports {at}\r" for at in range(100, 5100))
    terminal.send(PASTE.format(lines))
    terminal.prompt("*# ")
    terminal.send("commit\r")
    terminal.see("commit complete: revision", 60)
    assert len(json.loads(shell("-c", "show configuration egress_rules | json").stdout)) == 5001


def test_conflicting_commits_are_refused_with_their_paths(terminal: Terminal, shell: Shell) -> None:
    terminal.run("configure", "# ")
    terminal.run("set ingress_rules 20 ports 1111", "*# ")
    assert shell("-c", "configure; set ingress_rules 20 ports 2222; commit").returncode == 0
    terminal.run("commit", "*# ")
    terminal.see("ingress_rules 20")
    assert "20" in rules(shell)
