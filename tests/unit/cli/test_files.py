"""`kawaii check`, `convert` and `schema`: exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli import main
from appliance.config.commands import parse_set_commands
from appliance.config.validate import check_tree
from appliance.sources.userdata import load_file

EXAMPLES = Path(__file__).parents[3] / "cloud-init" / "examples"
ACME = EXAMPLES / "acme-user-data.yaml"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.yaml"
    file.write_text('ingress_rules:\n  - {ports: "70000"}\negress_policy: maybe\n')
    return file


def test_check_says_valid_and_warns_beside(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(ACME), str(EXAMPLES / "marvelous-user-data.yaml")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"{ACME}: valid", f"{EXAMPLES / 'marvelous-user-data.yaml'}: valid"]
    assert [line.startswith(f"{ACME}:43: warning: ") for line in err.splitlines()] == [True]


def test_check_tells_every_problem_of_every_file(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(wrong), str(ACME), str(wrong.with_name("missing"))]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"{ACME}: valid"]
    assert [line for line in err.splitlines() if "warning" not in line] == [
        f'{wrong}:2: ingress_rules 10 ports: not a port (got "70000", expected 1-65535)',
        f'{wrong}:3: egress_policy: not one of the words (got "maybe", expected accept, drop)',
        f"{wrong.with_name('missing')}: No such file or directory",
    ]


def test_check_tells_programs_the_same(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", str(wrong)]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert report["valid"] is False
    assert report["problems"][0] == {
        "line": 2,
        "path": ["ingress_rules", "10", "ports"],
        "severity": "error",
        "message": "not a port",
        "got": '"70000"',
        "expected": "1-65535",
    }


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_convert_prints_what_is_the_same_configuration(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(ACME), "--to", form, "--secrets"]) == 0
    file = tmp_path / "converted"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert load_file(file).tree == load_file(ACME).tree


def test_convert_prints_commands_that_make_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(ACME), "--to", "set", "--secrets"]) == 0
    assert check_tree(parse_set_commands(capsys.readouterr().out)).tree == load_file(ACME).tree


@pytest.mark.parametrize("form", ["yaml", "json", "set"])
def test_convert_masks_secrets(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(ACME), "--to", form]) == 0
    out = capsys.readouterr().out
    assert out.count("********") == 2
    assert "marvelous agree" not in out
    assert "k#9" not in out


def test_convert_refuses_what_check_refuses(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(wrong)]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 2


def test_schema_prints_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["egress_policy"]["enum"] == ["accept", "drop"]
    assert main(["schema", "--format", "markdown"]) == 0
    assert "| `egress_policy` | accept, drop | `accept` |" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["check"], ["convert", "x", "--to", "xml"], ["nonsense"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: kawaii" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "/nowhere/x.yaml"]) == 1
    assert capsys.readouterr().err == "kawaii: /nowhere/x.yaml: No such file or directory\n"


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = [sys.executable, "-c", "from appliance.cli import main; raise SystemExit(main(['schema']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1
