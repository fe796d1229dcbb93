"""The console as a person sees it: driven through a pseudo-terminal, looked at by a terminal emulator."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.shell.fake_daemon import FakeDaemon
from tests.unit.shell.terminal import PASTE, Terminal

Open = Callable[..., Terminal]
EDITED = "kawaii@gw-a*# "


@pytest.fixture
def terminal(daemon: FakeDaemon, tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda *arguments, **more: stack.enter_context(Terminal(daemon.path, tmp_path, *arguments, **more))


@pytest.fixture
def editing(terminal: Open) -> Terminal:
    """A terminal in configuration mode."""
    opened = terminal()
    opened.prompt()
    opened.run("configure", "# ")
    return opened


def gone(daemon: FakeDaemon) -> bool:
    deadline = time.monotonic() + 10
    while daemon.sessions and time.monotonic() < deadline:
        time.sleep(0.02)
    return not daemon.sessions


def test_the_prompt_shows_node_zone_state_level_and_edits(terminal: Open) -> None:
    shown = terminal()
    shown.prompt()
    assert shown.lines == ["{eu-west-a MASTER}", "kawaii@gw-a>"]
    shown.run("configure", "# ")
    assert shown.lines[-2:] == ["{eu-west-a MASTER}[edit]", "kawaii@gw-a#"]
    shown.run('edit ipsec "ACME Office"', "# ")
    assert shown.lines[-2:] == ['{eu-west-a MASTER}[edit ipsec "ACME Office"]', "kawaii@gw-a#"]
    shown.run("set desc x", "# ")
    assert shown.lines[-1] == "kawaii@gw-a*#"


def test_tab_completes_one_word_and_lists_several(terminal: Open) -> None:
    shown = terminal()
    shown.prompt()
    shown.send("conf\t")
    shown.see("kawaii@gw-a> configure")
    shown.send("\r")
    shown.prompt("# ")
    shown.send("set ingress_rules 10 p\t")
    shown.see("protocol              Protocol")
    shown.see("ports                 Destination ports")
    shown.send("ro\t")
    shown.see("kawaii@gw-a# set ingress_rules 10 protocol")
    shown.send("\t")
    shown.see("icmp")


def test_tab_quotes_what_needs_quotes(editing: Terminal) -> None:
    editing.send("delete ipsec \t")
    editing.see('delete ipsec "ACME Office"')
    editing.send("\x15delete ipsec AC\t")
    editing.see('# delete ipsec "ACME Office"')


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("set ingress_rules 10 ports ?", "ports, 1-65535, example 80,443"),
        ("set ingress_rules 10 ports 44?", "ports, 1-65535, example 80,443"),
        ("set ingress_rules 10 source ?", "selector, default 0.0.0.0/0, example 198.51.100.0/24"),
        ("set ingress_rules ?", "ports 8443"),
        ("set interfaces public device ?", "ens4"),
        ("set interfaces private mtu ?", "int, 576-9216, example 1500"),
        ("set ingress_rules 10 log ?", "true"),
        ("show ?", "Show the candidate, or a part of it"),
        ("commit ?", "<Enter>"),
        ("rollback ?", "0"),
        ("show | ?", "except"),
    ],
)
def test_a_question_mark_explains_anywhere(typed: str, seen: str, editing: Terminal) -> None:
    if typed == "show ?":
        seen = "<Enter>"
    editing.send(typed)
    editing.see(seen)
    editing.until(lambda: editing.lines[-1].endswith(typed[:-1].rstrip()))


def test_a_question_mark_in_quotes_is_itself(editing: Terminal, daemon: FakeDaemon) -> None:
    editing.run('set ingress_rules 10 desc "why?"', "*# ")
    editing.run("commit", "# ")
    assert daemon.running["ingress_rules"]["10"]["desc"] == "why?"


def test_an_error_points_at_the_word_on_the_screen(editing: Terminal) -> None:
    editing.run("set ingress_rules 20 prots 9443", "# ")
    line = next(at for at, text in enumerate(editing.lines) if "prots" in text)
    assert editing.lines[line + 1].index("^") == editing.lines[line].index("prots")
    assert editing.lines[line + 3] == "did you mean ports?"
    editing.run("set ingress_rules 20 ports 70000", "# ")
    line = next(at for at, text in enumerate(editing.lines) if "70000" in text)
    assert editing.lines[line + 1].index("^") == editing.lines[line].index("70000")


def test_exit_refuses_with_an_edited_candidate(editing: Terminal, daemon: FakeDaemon) -> None:
    editing.run("set egress_policy drop", "*# ")
    editing.run("exit", "*# ")
    editing.see("the candidate is edited")
    editing.send("\x04")
    editing.until(lambda: editing.text.count("the candidate is edited") == 2)
    editing.run("exit discard")
    assert gone(daemon)
    editing.send("\x04")
    assert editing.ended() == 0


def test_ctrl_c_clears_the_line(editing: Terminal) -> None:
    editing.send("set egress_policy dr\x03")
    editing.prompt("# ")
    editing.run("show system hostname", "# ")
    editing.see("gw-a")


def test_commit_confirmed_counts_down_and_goes_back(editing: Terminal, daemon: FakeDaemon) -> None:
    editing.run("set egress_policy drop", "*# ")
    editing.run("commit confirmed 3s", "]# ")
    editing.see("[confirm 2s]#")  # counted down by itself, no key was pressed
    editing.until(lambda: daemon.deadline is None or time.monotonic() > daemon.deadline + 0.5)
    editing.run("", "# ")
    editing.see("not confirmed in time: it has been rolled back")
    assert "egress_policy" not in daemon.running


@pytest.mark.parametrize("bracketed", [True, False])
def test_five_thousand_pasted_lines(bracketed: bool, editing: Terminal, daemon: FakeDaemon) -> None:
    text = "".join(f"set egress_rules {at} ports {at}\r" for at in range(1, 5001))
    began = time.monotonic()
    editing.send(PASTE.format(text) if bracketed else text)
    editing.send("commit\r")
    editing.see("commit complete: revision 1", 60)
    assert len(daemon.running["egress_rules"]) == 5000
    assert time.monotonic() - began < 20
    requests = sum(path.endswith("/edit") for _, path, _ in daemon.requests)
    assert requests == 1 if bracketed else requests < 600


def test_a_wrong_line_in_a_paste_stops_it_and_is_named(editing: Terminal, daemon: FakeDaemon) -> None:
    lines = ["set egress_rules 1 ports 1", "set egress_rules 2 prots 2", "set egress_rules 3 ports 3", "commit", ""]
    editing.send(PASTE.format("\r".join(lines)))
    editing.see("line 2: set egress_rules 2 prots")
    editing.prompt("*# ")
    assert len(daemon.revisions) == 1


def test_history_keeps_lines_but_no_secret(editing: Terminal, daemon: FakeDaemon, tmp_path: Path) -> None:
    editing.run('set ipsec X pre_shared_key "s3cret"', "*# ")
    editing.run('set ipsec X pre_shared_kye "s3cret"', "*# ")
    editing.run("set egress_policy drop", "*# ")
    kept = (tmp_path / ".local/state/kawaii-shell/history").read_text()
    assert "s3cret" not in kept
    assert "set ipsec X pre_shared_key" in kept
    assert (tmp_path / ".local/state/kawaii-shell/history").stat().st_mode & 0o777 == 0o600
    editing.send("\x1b[A\x1b[A\x1b[A")
    editing.prompt("set ipsec X pre_shared_key")
    editing.send("\x15\x12policy")
    editing.see("set egress_policy drop")


def test_a_secret_left_out_is_asked_for_without_echo(editing: Terminal, daemon: FakeDaemon) -> None:
    editing.send("set ipsec X pre_shared_key\r")
    editing.see("New pre_shared_key:")
    editing.send("s3cret\r")
    editing.see("Retype pre_shared_key:")
    editing.send("s3cret\r")
    editing.prompt("*# ")
    editing.run("commit", "# ")
    assert daemon.running["ipsec"]["X"]["pre_shared_key"] == "s3cret"
    assert b"s3cret" not in editing.raw


def test_load_from_the_terminal(editing: Terminal, daemon: FakeDaemon) -> None:
    editing.send("load merge terminal\r")
    editing.see("Ctrl-D at the beginning of a line")
    editing.send('{"egress_policy": "drop"}\n\x04')
    editing.prompt("*# ")
    editing.run("commit", "# ")
    assert daemon.running["egress_policy"] == "drop"


def test_the_pager_moves_searches_and_leaves(terminal: Open) -> None:
    shown = terminal()
    shown.prompt()
    shown.send("show log\r")
    shown.see("---(more")
    assert "entry 0" in shown.text
    assert "entry 22" in shown.text
    assert "entry 23" not in shown.text
    shown.send(" ")
    shown.see("entry 45")
    shown.send("/entry 150\r")
    shown.see("entry 150")
    shown.send("g")
    shown.until(lambda: shown.lines[0] == "entry 0")
    shown.send("!")
    shown.send("v")
    shown.send("q")
    shown.prompt()
    shown.run("show log | no-more")
    assert "entry 199" in shown.text


@pytest.mark.parametrize("term", ["xterm", "vt100", "dumb"])
def test_monitor_draws_again_until_a_key(term: str, terminal: Open, daemon: FakeDaemon) -> None:
    shown = terminal(term=term)
    shown.prompt()
    shown.send("monitor vip\r")
    shown.see("any key ends")
    shown.until(lambda: sum(path == "/v1/op/show/vip" for _, path, _ in daemon.requests) >= 3)
    assert "eu-west-b  BACKUP" in shown.text
    shown.send("q")
    shown.prompt()


def test_a_hang_up_drops_the_candidate(editing: Terminal, daemon: FakeDaemon) -> None:
    editing.run("set egress_policy drop", "*# ")
    editing.child.close(force=False)
    assert gone(daemon)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_drops_the_candidate_and_ends(number: int, editing: Terminal, daemon: FakeDaemon) -> None:
    editing.run("set egress_policy drop", "*# ")
    os.kill(editing.child.pid, number)
    assert editing.ended() == 128 + number
    assert gone(daemon)


def test_ctrl_z_and_a_stop_signal_do_nothing(editing: Terminal) -> None:
    editing.send("\x1a")
    os.kill(editing.child.pid, signal.SIGTSTP)
    editing.run("show system hostname", "# ")
    editing.see("gw-a")


def test_a_resize_at_the_prompt(editing: Terminal) -> None:
    for columns in (40, 132, 80):
        editing.child.setwinsize(24, columns)
        editing.screen.resize(24, columns)
        editing.run("show system hostname", "# ")
    editing.see("gw-a")


@pytest.mark.parametrize("term", ["vt100", "vt220", "linux", "xterm"])
def test_a_serial_terminal_gets_no_colour_and_no_questions(term: str, terminal: Open) -> None:
    shown = terminal(term=term)
    shown.prompt()
    shown.run("configure", "# ")
    shown.run("set egress_policy drop", "*# ")
    shown.run("compare", "*# ")
    coloured = b"\x1b[32m" in shown.raw
    assert coloured == (term in ("linux", "xterm"))
    assert b"\x1b[6n" not in shown.raw


def test_a_dumb_terminal_gets_no_escape_at_all(terminal: Open, daemon: FakeDaemon) -> None:
    shown = terminal(term="dumb")
    shown.prompt()
    shown.run("configure", "# ")
    shown.run("set egress_policy ?", "# ")
    shown.see("drop")
    shown.run("set egress_policy drop", "*# ")
    shown.run("commit", "# ")
    assert b"\x1b" not in shown.raw
    assert daemon.running["egress_policy"] == "drop"
    prompts = shown.text.count("[edit]")
    shown.send("\x03")
    shown.until(lambda: shown.text.count("[edit]") > prompts)
    shown.prompt("# ")
    shown.send("\x04")
    assert shown.ended() == 0


def test_a_daemon_that_comes_back(terminal: Open, daemon: FakeDaemon) -> None:
    shown = terminal()
    shown.prompt()
    daemon.path.rename(daemon.path.with_suffix(".away"))
    shown.child.send("")
    shown.run("show vip")
    daemon.path.with_suffix(".away").rename(daemon.path)
    shown.run("show vip")
    shown.see("MASTER")


VERBS = "set delete edit up top show compare commit confirm rollback load save discard run rename copy exit configure"
WORDS = "ingress_rules 10 ports 80 protocol tcp ipsec system dns terminal merge override to | match json count status"
ODD = [
    "[",
    "]",
    "?",
    ";",
    "#",
    '"ACME Office"',
    "-1",
    "9" * 20,
    "\\",
    "\u6771\u4eac",
    "e\u0301",
    "\U0001f600",
    '"',
    "'",
]
TOKENS = [*VERBS.split(), *WORDS.split(), *ODD]
KEYS = [
    *map(chr, range(1, 127)),
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[3~",
    "\x1bOP",
    "\x1b[200~x\ry\x1b[201~",
    "ü",
]
AVOIDED = {"\x04", "\x1c"}  # they leave, as they should


@pytest.mark.parametrize("seed", range(3))
def test_random_keys_and_tokens_raise_no_traceback(seed: int, editing: Terminal, daemon: FakeDaemon) -> None:
    source = random.Random(seed)
    for _ in range(60):
        keys: list[Any] = source.choices([key for key in KEYS if key not in AVOIDED], k=source.randint(1, 12))
        words = source.choices(TOKENS, k=source.randint(0, 8))
        editing.send("".join(keys) if source.random() < 0.4 else " ".join(words) + source.choice(["\r", "\t", "?", ""]))
        editing.read(0.01)
        assert b"Traceback" not in editing.raw
        if editing.closed:  # some of the tokens may leave
            break
    for _ in range(20):
        editing.read(0.05)
    assert b"Traceback" not in editing.raw
    assert b"Unhandled" not in editing.raw
