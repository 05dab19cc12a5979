from __future__ import annotations

import io
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Index, NotRead

from leadline.cli.main import SECTIONS, cli, main
from leadline.domain import StrategyName
from leadline.errors import ModelDenied, ReplayError, StoreFull


def stdin(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")


ASK = ("ask", "When did it sink?", "--docs", "ship.txt")


def test_a_report_goes_to_stdout_and_progress_to_stderr(leadline: Any, script: Any) -> None:
    result = leadline("ask", ASK[1], "--docs", "a", "--docs", "b", "--lang", "zh")
    assert result.code == 0
    assert result.out.startswith("md report r1001")
    assert "searching: whales" in result.err
    assert "found: Whales" in result.err
    assert "answered: 1 step · 1 source" in result.err
    (question, docs, options, language) = script.called("start")[0]
    assert (question, docs, language) == (ASK[1], (Path("a"), Path("b")), "zh")
    assert options.strategy is StrategyName.AUTO


def test_a_form_that_cannot_be_made_here_is_refused_before_anything_is_spent(leadline: Any, script: Any) -> None:
    script.missing = "pdf"
    refused = leadline(*ASK, "--format", "pdf")
    assert refused.code != 0
    assert "needs an extra" in refused.err
    assert not script.called("start")
    assert leadline(*ASK).code == 0


def test_what_could_not_be_read_is_told_with_its_name_once(leadline: Any, script: Any) -> None:
    script.index = Index(
        documents=0,
        failed=(
            NotRead("/d/a.docx", "`/d/a.docx`: the archive is damaged"),
            NotRead("/d/b.png", "`/d/b.png` is image/png; no parser reads it"),
            NotRead("/d/c.txt", "Permission denied"),
        ),
    )
    told = leadline("index", "/d").err.splitlines()
    assert told[:3] == [
        "not read: /d/a.docx: the archive is damaged",
        "not read: /d/b.png is image/png; no parser reads it",
        "not read: /d/c.txt: Permission denied",
    ]
    assert "none of the documents can be searched" in told[3]


def test_a_question_over_nothing_that_can_be_read_is_refused_before_it_is_a_run(leadline: Any, script: Any) -> None:
    script.index = Index(documents=0, failed=(NotRead("/d/a.docx", "`/d/a.docx`: the archive is damaged"),))
    refused = leadline(*ASK)
    assert (refused.code, refused.out) == (2, "")
    assert "not read: /d/a.docx: the archive is damaged" in refused.err
    assert "none of the documents can be searched" in refused.err.splitlines()[-1]
    assert "--web" in refused.err
    assert leadline(*ASK, "--web").code == 0


def test_a_file_that_is_not_there_is_no_run_that_is_not_there(leadline: Any) -> None:
    refused = leadline("verify", "gone.zip")
    assert refused.code == 2
    assert "there is no file gone.zip" in refused.err


def test_what_could_steer_a_terminal_is_marked(leadline: Any) -> None:
    result = leadline(*ASK)
    assert "\x1b" not in result.err
    assert "\x07" not in result.err
    assert "\x1b[31m" in result.out  # a pipe gets the report as it is


def test_options_that_are_settings_go_before_the_environment(
    leadline: Any, script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEADLINE_BUDGET__STEPS", "40")
    leadline(
        *ASK,
        "--max-steps",
        "3",
        "--budget-usd",
        "0.5",
        "--policy",
        "drop",
        "--length",
        "long",
        "--budget-tokens",
        "99",
        "--budget-seconds",
        "2.5",
        "--data-dir",
        str(tmp_path),
    )
    settings = script.settings
    assert (settings.budget.steps, settings.budget.usd) == (3, 0.5)
    assert (settings.budget.tokens, settings.budget.seconds) == (99, 2.5)
    assert (settings.policy, settings.length, settings.data_dir) == ("drop", "long", tmp_path)


def test_the_format_follows_the_files_name(leadline: Any, tmp_path: Path) -> None:
    for name, begins in (("r.html", "html"), ("r.json", "{"), ("r.md", "md")):
        result = leadline(*ASK, "-o", str(tmp_path / name))
        assert (result.code, result.out) == (0, "")
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.json", "r.md"]
    unknown = leadline(*ASK, "-o", str(tmp_path / "r.pages"))
    assert unknown.code == 2
    assert "--format" in unknown.err


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_spent(
    leadline: Any, script: Any, tmp_path: Path
) -> None:
    result = leadline(*ASK, "-o", str(tmp_path / "none" / "r.md"))
    assert result.code == 2
    assert str(tmp_path / "none") in result.err
    assert script.calls == []


def test_a_question_is_read_from_stdin(leadline: Any, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stdin("何时沉没？\n".encode()))
    assert leadline("ask", "-", "--docs", "d").code == 0
    assert script.called("start")[0][0] == "何时沉没？"
    monkeypatch.setattr(sys, "stdin", stdin(b"\xff\xfe"))
    result = leadline("ask", "-", "--docs", "d")
    assert (result.code, "UTF-8" in result.err) == (2, True)


def test_a_dry_run_estimates_and_starts_nothing(leadline: Any, script: Any) -> None:
    result = leadline(*ASK, "--dry-run")
    assert "1,000 to 20,000" in result.out
    assert "unknown: no price" in result.out
    assert script.called("start") == []
    parsed = json.loads(leadline(*ASK, "--dry-run", "--format", "json").out)
    assert parsed["tokens_high"] == 20000


def test_from_names_an_earlier_run(leadline: Any, script: Any) -> None:
    leadline(*ASK)
    leadline("ask", "And then?", "--from", "last")
    assert script.called("start")[1][2].ledger_of == "r1001"


def test_events_are_json_lines(leadline: Any) -> None:
    result = leadline(*ASK, "--json-events")
    lines = [json.loads(line) for line in result.err.splitlines()]
    assert [line["type"] for line in lines] == [
        "indexing",
        "run_started",
        "tool_asked",
        "progress",
        "source_stored",
        "claim_checked",
        "run_finished",
    ]
    assert lines[1]["question"]["text"] == ASK[1]
    assert {line.get("run_id") for line in lines[1:]} == {"r1001"}


def test_quiet_says_nothing(leadline: Any) -> None:
    result = leadline(*ASK, "--quiet")
    assert (result.code, result.err) == (0, "")


def test_ctrl_c_once_finishes_and_prints_what_there_is(leadline: Any, script: Any) -> None:
    script.interrupts = 1
    result = leadline(*ASK)
    assert result.code == 0
    assert script.called("finish") == [("r1001",)]
    assert script.called("cancel") == []
    assert "Ctrl-C again stops" in result.err
    assert result.out.startswith("md report")


def test_ctrl_c_twice_cancels(leadline: Any, script: Any) -> None:
    script.interrupts = 2
    result = leadline(*ASK)
    assert result.code == 130
    assert script.called("cancel") == [("r1001",)]
    assert result.out == ""
    assert script.calls[-1] == ("closed",)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_failures_are_one_line_and_the_familys_exit_code(leadline: Any, script: Any) -> None:
    script.failures[ASK[1]] = ModelDenied("the key is wrong:\nsk")
    result = leadline(*ASK, "--quiet")
    assert (result.code, result.err) == (4, "leadline: the key is wrong: sk\n")
    events = leadline(*ASK, "--json-events").err.splitlines()
    assert json.loads(events[-1]) == {
        "type": "error",
        "code": "model_denied",
        "message": "the key is wrong: sk",
        "exit": 4,
    }


def test_debug_shows_where_a_failure_came_from(leadline: Any, script: Any) -> None:
    script.failures[ASK[1]] = StoreFull("no space")
    assert "Traceback" not in leadline(*ASK).err
    assert "Traceback" in leadline(*ASK, "--debug").err


def test_a_bug_is_told_as_one(leadline: Any, script: Any) -> None:
    script.failures[ASK[1]] = ZeroDivisionError("oops")
    result = leadline(*ASK)
    assert result.code == 1
    assert "internal error: ZeroDivisionError: oops; `--debug`" in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("aks",), "No such command 'aks'. Did you mean `ask`?"),
        (("zzz",), "No such command 'zzz'."),
        ((*ASK, "--web", "--since", "yesterday"), "'yesterday' is no day of the form YYYY-MM-DD"),
        (("ask",), "leadline ask --help"),
        (("ask", "q"), "--docs"),
        (("ask", "q", "--max-steps", "0"), "x>=1"),
        (("ask", "q", "--format", "odt"), "odt"),
        (("show", "nothing"), "no such run: nothing"),
        (("show", "last"), "leadline runs"),
    ],
)
def test_the_users_mistakes(leadline: Any, arguments: tuple[str, ...], says: str) -> None:
    result = leadline(*arguments)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1


def test_wrong_settings_name_themselves(leadline: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEADLINE_POLICIE", "drop")
    result = leadline("runs")
    assert (result.code, "did you mean LEADLINE_POLICY?" in result.err) == (3, True)
    monkeypatch.delenv("LEADLINE_POLICIE")
    result = leadline("runs", "--config", str(tmp_path / "none.toml"))
    assert (result.code, "none.toml" in result.err) == (3, True)


def test_runs_are_listed(leadline: Any) -> None:
    assert leadline("runs").out == ""
    leadline(*ASK)
    leadline("ask", "Second\x1b question", "--docs", "d")
    table = leadline("runs").out.splitlines()
    assert [line.split()[0] for line in table] == ["r2002", "r1001"]
    row = json.loads(leadline("runs", "--limit", "1", "--format", "json").out)
    assert (row["id"], row["state"], row["cost_usd"]) == ("r2002", "done", 0.01)
    assert leadline("runs", "--state", "failed").err == "no runs are failed\n"


def test_a_run_is_shown_and_its_journal(leadline: Any) -> None:
    leadline(*ASK)
    assert leadline("show", "r10", "--format", "html").out.startswith("html report")
    raw = [json.loads(line) for line in leadline("show", "last", "--raw").out.splitlines()]
    assert [line["type"] for line in raw][:2] == ["run_started", "tool_asked"]


def test_flags_are_raised_by_other_processes(leadline: Any, script: Any) -> None:
    leadline(*ASK)
    result = leadline("cancel", "last")
    assert (result.code, "has ended" in result.err) == (2, True)
    assert leadline("finish", "last").code == 2
    assert [name for name, *_ in script.calls if name in {"cancel", "finish"}] == [
        "cancel",
        "finish",
    ]


def test_an_ended_run_is_not_resumed(leadline: Any) -> None:
    leadline(*ASK)
    result = leadline("resume", "last")
    assert (result.code, "has ended" in result.err) == (2, True)


def test_verify_takes_runs_and_files(leadline: Any, script: Any, tmp_path: Path) -> None:
    leadline(*ASK)
    assert leadline("verify", "last").out == "every quote stands: 2 claims, 3 quotes\n"
    (tmp_path / "x.zip").touch()
    leadline("verify", str(tmp_path / "x.zip"))
    assert script.called("verify") == [("r1001",), (tmp_path / "x.zip",)]


def test_verify_fails_when_a_quote_does_not_stand(leadline: Any, script: Any) -> None:
    leadline(*ASK)
    script.verdict = type(script.verdict)(ok=False, problems=("claim c1: the quote differs",))
    result = leadline("verify", "last")
    assert result.code == 8
    assert result.out == "claim c1: the quote differs\n"


def test_replay_prints_the_report_again(leadline: Any) -> None:
    shown = leadline(*ASK).out
    assert leadline("replay", "last").out == shown


def test_export_names_the_file(leadline: Any, script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    leadline(*ASK)
    assert leadline("export", "last").out == "leadline-r1001.zip\n"
    leadline("export", "last", "-o", str(tmp_path / "e.zip"))
    assert [path for _, path in script.called("export")] == [
        Path("leadline-r1001.zip"),
        tmp_path / "e.zip",
    ]


def test_index_says_what_changed(leadline: Any) -> None:
    result = leadline("index", "docs")
    assert "3 documents in 0.5 s: 2 added" in result.out
    assert "4 hidden" in result.out
    assert "embedded" not in result.out


def test_index_says_what_was_embedded_and_what_waits(leadline: Any, script: Any) -> None:
    script.index = replace(script.index, embedded=1_200, pending=30, warnings=("the server is gone",))
    result = leadline("index", "docs")
    assert "embedded: 1,200 passages, 30 wait for the next time" in result.out
    assert "warning: the server is gone" in result.err


def test_gc_takes_the_age_from_option_or_setting(leadline: Any, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    leadline("gc")
    monkeypatch.setenv("LEADLINE_RETENTION__DAYS", "30")
    leadline("gc")
    assert leadline("gc", "--older-than", "7").out == "2 runs deleted, 3.0 MB freed\n"
    assert script.called("gc") == [(None,), (30.0,), (7.0,)]


def test_settings_are_printed_redacted_with_their_origin(leadline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_MODEL__API_KEY", "sk-secret")
    result = leadline("settings")
    lines = {line.split()[0]: line.split()[1:] for line in result.out.splitlines()}
    assert lines["model.api_key"] == ["environment", "********"]
    assert lines["policy"] == ["default", "mark"]
    rows = [json.loads(line) for line in leadline("settings", "--format", "json").out.splitlines()]
    assert {"name", "variable", "value", "source", "description"} == set(rows[0])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(leadline: Any, shell: str) -> None:
    result = leadline("completion", shell)
    assert result.code == 0
    assert "_LEADLINE_COMPLETE" in result.out


def test_every_listed_command_exists_and_says_the_same() -> None:
    for section in SECTIONS.values():
        for name, entry in section.items():
            command = cli.get_command(None, name)  # type: ignore[arg-type]  # needs no context
            assert command is not None
            assert command.name == name
            assert command.help
            assert entry.help.endswith(".")
            assert "Example" in (command.epilog or ""), name


def test_a_closed_pipe_ends_quietly(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8", buffering=-1) as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        assert main(["settings", "--quiet"]) == 141
    assert capfd.readouterr().err == ""


def test_a_replay_that_leads_elsewhere_has_its_code(leadline: Any, script: Any) -> None:
    script.failures[ASK[1]] = ReplayError("differs")
    assert leadline(*ASK).code == 9
