"""Commands run by `-c`, from a file and from standard input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kawaii_shell.complaint import Written, complain
from kawaii_shell.console import Console
from kawaii_shell.context import Context
from kawaii_shell.cursor import WordError
from kawaii_shell.execute import Terminal
from kawaii_shell.history import scrub
from kawaii_shell.listing import complete, explain
from kawaii_shell.main import main
from kawaii_shell.parser import expected_at_end, parse
from kawaii_shell.runner import Runner
from kawaii_shell.words import Line, commands_of
from tests.unit.shell.conftest import Ran
from tests.unit.shell.fake_daemon import FakeDaemon
from tests.unit.shell.test_terminal import TOKENS

Shell = Callable[..., Ran]


def edits(daemon: FakeDaemon) -> list[list[dict[str, Any]]]:
    return [body["ops"] for method, path, body in daemon.requests if method == "POST" and path.endswith("/edit")]


def test_operational_command_prints_its_table(shell: Shell) -> None:
    ran = shell("-c", "show vip")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "VIPs",
        "Zone       State",
        "eu-west-a  MASTER",
        "eu-west-b  BACKUP",
        "as keepalived says",
    ]


def test_json_is_the_daemons_own_data_one_document_a_line(shell: Shell) -> None:
    ran = shell("--json", "-c", "show vip; show route summary")
    first, second = (json.loads(line) for line in ran.out.splitlines())
    assert [row["state"] for row in first["rows"]] == ["MASTER", "BACKUP"]
    assert second == {"text": "show route summary"}


def test_set_and_commit_make_a_revision(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", 'configure; set ingress_rules 20 ports 9443; commit comment "open the shop"')
    assert (ran.code, ran.err) == (0, "")
    assert "commit complete: revision 1" in ran.out
    assert daemon.running["ingress_rules"]["20"] == {"ports": "9443"}
    assert daemon.requests[-2][2]["comment"] == "open the shop"
    assert daemon.sessions == {}


@pytest.mark.parametrize("way", ["stdin", "file", "-c"])
def test_the_same_script_runs_from_anywhere(way: str, shell: Shell, daemon: FakeDaemon, tmp_path: Path) -> None:
    script = "# a comment; with a semicolon\nconfigure\n\nset egress_policy drop\ncommit\n"
    (tmp_path / "script").write_text(script)
    ran = {
        "stdin": lambda: shell(stdin=script),
        "file": lambda: shell("-f", str(tmp_path / "script")),
        "-c": lambda: shell("-c", script),
    }[way]()
    assert ran.code == 0
    assert daemon.running["egress_policy"] == "drop"


def test_unique_prefixes_work_and_are_not_stored(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "conf; se ing 20 po 9443 prot u; set egress-p d; comm")
    assert (ran.code, ran.err) == (0, "")
    assert daemon.running["ingress_rules"]["20"] == {"ports": "9443", "protocol": "udp"}
    assert daemon.running["egress_policy"] == "drop"


def test_a_rules_number_is_no_prefix_of_another(shell: Shell, daemon: FakeDaemon) -> None:
    shell("-c", "configure; set ingress_rules 1 ports 80; commit")
    assert set(daemon.running["ingress_rules"]) == {"1", "10"}


def test_quotes_and_unicode_reach_the_daemon_unchanged(shell: Shell, daemon: FakeDaemon) -> None:
    secret = "k#9} \"quoted\" 'single' ünïcode; | ? \\ end"
    line = "set ipsec \"Büro; 東京 | 'x'\" pre_shared_key " + json.dumps(secret, ensure_ascii=False)
    ran = shell("-c", f"configure; {line}; commit")
    assert (ran.code, ran.err) == (0, "")
    assert daemon.running["ipsec"]["Büro; 東京 | 'x'"]["pre_shared_key"] == secret


def test_consecutive_edits_are_one_request(shell: Shell, daemon: FakeDaemon) -> None:
    lines = [f"set egress_rules {at} ports {at}" for at in range(1, 5001)]
    ran = shell(stdin="\n".join(["configure", *lines, "commit"]))
    assert ran.code == 0
    assert [len(ops) for ops in edits(daemon)] == [5000]
    assert len(daemon.running["egress_rules"]) == 5000


def test_an_unknown_word_is_pointed_at_with_the_nearest_spelling(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "configure\nset ingress_rules 20 prots 9443\ncommit")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "line 2: set ingress_rules 20 prots",
        " " * len("line 2: set ingress_rules 20 ") + "^",
        'unknown word "prots"',
        "did you mean ports?",
    ]
    assert len(daemon.revisions) == 1


def test_a_value_that_the_daemon_refuses_is_pointed_at_in_its_line(shell: Shell, daemon: FakeDaemon) -> None:
    lines = ["configure", "set egress_rules 1 ports 25", "edit ingress_rules", "set 20 ports 70000", "commit"]
    ran = shell(stdin="\n".join(lines))
    assert ran.code == 1
    assert ran.err.splitlines()[:3] == [
        "line 4: set 20 ports 70000",
        " " * len("line 4: set 20 ports ") + "^",
        'ingress_rules 20 ports: not a port (got "70000", expected 1-65535)',
    ]
    assert len(daemon.revisions) == 1


def test_a_refused_secret_is_not_repeated(shell: Shell) -> None:
    ran = shell("-c", 'configure; set ipsec X pre_shared_kye "s3cret"')
    assert ran.code == 2
    assert "s3cret" not in ran.err + ran.out
    assert "did you mean pre_shared_key?" in ran.err


def test_all_problems_of_a_commit_are_told(shell: Shell) -> None:
    ran = shell("-c", "configure; set ingress_rules 20 desc x; set ingress_rules 30 desc y; commit")
    assert ran.code == 1
    assert "ingress_rules 20 ports: missing" in ran.err
    assert "ingress_rules 30 ports: missing" in ran.err


def test_errors_as_json(shell: Shell) -> None:
    ran = shell("--json", "-c", "configure; set ingress_rules 20 desc x; commit")
    assert ran.code == 1
    assert json.loads(ran.err.splitlines()[0])["problems"][0]["path"] == ["ingress_rules", "20", "ports"]


def test_an_edited_candidate_left_by_a_script_is_dropped_and_told(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "configure; set egress_policy drop; exit")
    assert ran.code == 0
    ran = shell("-c", "configure; set egress_policy drop")
    assert (ran.code, "not committed" in ran.err) == (0, True)
    assert daemon.sessions == {}
    assert len(daemon.revisions) == 1


def test_commit_confirmed_takes_minutes_and_seconds(shell: Shell, daemon: FakeDaemon) -> None:
    def seconds() -> list[int | None]:
        return [body["confirmed_seconds"] for _, path, body in daemon.requests if path.endswith("/commit")]

    shell("-c", "configure; set egress_policy drop; commit confirmed 30s")
    shell("-c", "configure; set egress_policy accept; commit confirmed 5 comment why")
    shell("-c", "configure; set egress_policy drop; commit confirmed")
    shell("-c", "configure; set egress_policy accept; commit confirmed comment why")
    shell("-c", "configure; set egress_policy drop; commit")
    assert seconds() == [30, 300, 600, 600, None]


def test_confirm_keeps_it_in_either_mode(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "configure; set egress_policy drop; commit confirmed 30s; confirm")
    assert "revision 1 stays" in ran.out
    assert daemon.deadline is None
    assert shell("-c", "confirm").code == 1


def test_commit_check_changes_nothing(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "configure; set egress_policy drop; commit check; compare")
    assert "configuration check succeeds: 1 step, impact: none" in ran.out
    assert "+ egress_policy drop" in ran.out
    assert len(daemon.revisions) == 1


def test_rollback_loads_a_revision_into_the_candidate(shell: Shell, daemon: FakeDaemon) -> None:
    shell("-c", "configure; set egress_policy drop; commit")
    ran = shell("-c", "configure; rollback 0; compare; commit")
    assert "- egress_policy drop" in ran.out
    assert "egress_policy" not in daemon.running


def test_compare_as_text_as_set_commands_and_as_json_patch(shell: Shell) -> None:
    edit = (
        'configure; set ingress_rules 20 ports 9443; set system hostname gw-b; delete ipsec "ACME Office" remote_peer'
    )
    assert "+ ingress_rules 20 ports 9443" in shell("-c", f"{edit}; compare").out
    assert "set system hostname gw-b" in shell("-c", f"{edit}; compare | set").out
    assert json.loads(shell("-c", f"{edit}; compare | json").out) == [
        {"op": "replace", "path": "/system/hostname", "value": "gw-b"},
        {"op": "remove", "path": "/ipsec/ACME Office/remote_peer"},
        {"op": "add", "path": "/ingress_rules/20/ports", "value": "9443"},
    ]


def test_show_marks_what_the_candidate_changes(shell: Shell) -> None:
    ran = shell("-c", "configure; set ingress_rules 20 ports 9443; delete ingress_rules 10; show ingress_rules")
    assert "- 10:" in ran.out
    assert "+ 20:" in ran.out
    assert "  10" not in shell("-c", "configure; show system").out


def test_show_configuration_in_every_form(shell: Shell) -> None:
    assert json.loads(shell("-c", "show configuration system | json").out) == {
        "hostname": "gw-a",
        "dns": ["10.50.201.1"],
    }
    assert shell("-c", "show configuration ingress_rules 10 | set").out == "set ingress_rules 10 ports 8443\n"
    assert 'hostname: "gw-a"' in shell("-c", "show configuration | yaml").out
    assert "k#9" not in shell("-c", "show configuration").out


def test_edit_levels_up_and_top(shell: Shell, daemon: FakeDaemon) -> None:
    script = "configure; edit ingress_rules 20; set ports 80; up; set 30 ports 81; top; set egress_policy drop; commit"
    assert shell("-c", script).code == 0
    assert set(daemon.running["ingress_rules"]) == {"10", "20", "30"}


def test_top_runs_one_command_from_the_top(shell: Shell, daemon: FakeDaemon) -> None:
    script = (
        "configure; edit ingress_rules 20; top set egress_policy drop; set ports 80; top show egress_policy; commit"
    )
    ran = shell("-c", script)
    assert "egress_policy" in ran.out
    assert daemon.running["egress_policy"] == "drop"
    assert daemon.running["ingress_rules"]["20"] == {"ports": "80"}


def test_exit_leads_back_to_the_level_before(shell: Shell) -> None:
    ran = shell("-c", "configure; edit ingress_rules; edit 10; exit; show; exit; show system; exit; show vip")
    assert ran.code == 0
    assert "10:" in ran.out
    assert "gw-a" in ran.out
    assert "MASTER" in ran.out


def test_a_script_cannot_watch(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "monitor vip")
    assert ran.code == 1
    assert "use show" in ran.err


def test_rename_and_copy_entries(shell: Shell, daemon: FakeDaemon) -> None:
    script = (
        "rename ingress_rules 10 to 15; copy ingress_rules 15 to ingress_rules 16; rename ipsec 'ACME Office' to HQ"
    )
    assert shell("-c", f"configure; {script}; commit").code == 0
    assert set(daemon.running["ingress_rules"]) == {"15", "16"}
    assert set(daemon.running["ipsec"]) == {"HQ"}


def test_leaf_lists_take_and_lose_items(shell: Shell, daemon: FakeDaemon) -> None:
    shell(
        "-c",
        "configure; set system dns 1.1.1.1 9.9.9.9; set system dns [ 8.8.8.8 ]; delete system dns 10.50.201.1; commit",
    )
    assert daemon.running["system"]["dns"] == ["1.1.1.1", "9.9.9.9", "8.8.8.8"]


def test_load_from_standard_input_beside_c(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "configure; load override terminal; commit", stdin='{"egress_policy": "drop"}')
    assert ran.code == 0
    assert daemon.running == {"egress_policy": "drop"}


def test_save_and_load_a_file_of_ones_own(shell: Shell, daemon: FakeDaemon, tmp_path: Path) -> None:
    assert shell("-c", "configure; save before.json; set egress_policy drop; commit").code == 0
    assert shell("-c", "configure; load override before.json; commit").code == 0
    assert "egress_policy" not in daemon.running
    assert (tmp_path / "kawaii-files" / "before.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".ssh", "a/b", '""', "..", "-"])
def test_files_are_plain_names_in_one_directory(name: str, shell: Shell, tmp_path: Path) -> None:
    for command in (f"show vip | save {name}", f"configure; save {name}", f"configure; load merge {name}"):
        ran = shell("-c", command)
        assert ran.code == 1
        assert "is no file name" in ran.err
    assert not (tmp_path / "x").exists()


def test_a_link_does_not_lead_out_of_the_directory(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "kawaii-files").mkdir()
    (tmp_path / "secret").write_text("egress_policy: drop\n")
    (tmp_path / "kawaii-files" / "link").symlink_to(tmp_path / "secret")
    assert shell("-c", "configure; load merge link").code == 1
    assert shell("-c", "show vip | save link").code == 0
    assert (tmp_path / "secret").read_text() == "egress_policy: drop\n"


def test_pipes_filter_lines(shell: Shell) -> None:
    assert shell("-c", "show log | match 'entry 19[0-4]' | except 192 | count").out == "Count: 4 lines\n"
    assert shell("-c", "show log | find 'entry 198'").out == "entry 198\nentry 199\n"
    assert shell("-c", "show log 50 | last 2 | no-more").out == "entry 48\nentry 49\n"
    assert shell("-c", "show log | last 0").out == ""


def test_a_bad_pattern_is_refused_before_the_command_runs(shell: Shell, daemon: FakeDaemon) -> None:
    ran = shell("-c", "clear counters | match '['")
    assert ran.code == 1
    assert "not a regular expression" in ran.err
    assert not any(path.startswith("/v1/op") for _, path, _ in daemon.requests)


def test_arguments_go_by_position_and_by_name(shell: Shell) -> None:
    assert shell("-c", "ping 10.0.0.1 3").out == "ping host=10.0.0.1 count=3\n"
    assert shell("-c", "ping 10.0.0.1 count 3").out == "ping host=10.0.0.1 count=3\n"
    assert shell("-c", "show route ens3 table main").out == "show route device=ens3 table=main\n"
    assert shell("-c", "show route sum").out == "show route summary\n"
    assert shell("-c", "ping").code == 2
    assert shell("-c", "ping a b c").code == 2


def test_run_reaches_operational_commands_from_configuration_mode(shell: Shell) -> None:
    assert "MASTER" in shell("-c", "configure; run show vip").out
    assert shell("-c", "configure; run configure").code == 2


def test_a_question_mark_explains_in_scripts_too(shell: Shell) -> None:
    ran = shell("-c", "configure; set ingress_rules 10 ports ?")
    assert ran.code == 0
    assert "Destination ports" in ran.out
    assert "ports, 1-65535, example 80,443" in ran.out


def test_control_characters_do_not_drive_the_terminal(shell: Shell) -> None:
    assert shell("-c", "show evil").out == "\\x1b]0;owned\\x07 plain\n"


def test_ssh_to_a_login_shell_may_name_the_console(shell: Shell) -> None:
    assert "MASTER" in shell("-c", "kawaii-shell -c show vip").out
    assert json.loads(shell("-c", "kawaii-shell --json -c 'show vip'").out)["title"] == "VIPs"
    assert shell("-c", "/usr/lib/openssh/sftp-server").code == 2


def test_the_role_decides_and_the_daemon_says_why(shell: Shell, daemon: FakeDaemon) -> None:
    daemon.role = "view"
    ran = shell("-c", "configure")
    assert ran.code == 1
    assert "kawaii has role view, this needs configure" in ran.err


def test_a_daemon_that_does_not_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--api", str(tmp_path / "nowhere"), "-c", "show vip"]) == 1
    assert "the daemon does not answer on" in capsys.readouterr().err


def test_a_daemon_that_started_anew_gets_the_edits_again(console: Console, daemon: FakeDaemon) -> None:
    runner = Runner(console, Terminal())
    assert runner.run(commands_of("configure; set egress_policy drop; edit system")) == 0
    daemon.sessions.clear()
    assert runner.run(commands_of("set hostname gw-b; commit")) == 0
    assert (daemon.running["egress_policy"], daemon.running["system"]["hostname"]) == ("drop", "gw-b")
    assert "made again" in console.refresh()
    daemon.sessions.clear()
    assert runner.run(commands_of("show hostname")) == 0
    console.leave()
    assert daemon.sessions == {}


def test_a_role_is_offered_only_what_it_may(console: Console, daemon: FakeDaemon) -> None:
    daemon.role = "view"
    console.refresh()
    offered = expected_at_end("", console.context())[1].offers().words
    assert "show" in offered
    assert "clear" not in offered
    assert "configure" not in offered


LINE = st.lists(st.sampled_from(TOKENS) | st.text(max_size=6), max_size=9).map(" ".join)


@given(line=LINE, configuring=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400)
def test_any_line_is_a_command_or_a_pointed_error(line: str, configuring: bool, console: Console) -> None:
    context = replace(console.context(), configuring=configuring)
    for ask in (parse, complete, explain, scrub):
        error = refusal(ask, line, context)
        if error:
            assert error.word is None or 0 <= error.word.start <= error.word.end <= len(line)
            assert complain(error, [Written(Line(line, 1))], echo=True).lines


def refusal(ask: Callable[[str, Context], object], line: str, context: Context) -> WordError | None:
    try:
        ask(line, context)
    except WordError as error:
        return error
    return None


def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--bogus"])
    assert ended.value.code == 2
