from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.support.rights import as_anybody

QUESTION = "When did the Orlova sink?"


def test_a_question_becomes_a_report_that_stands(installed: Any, documents: Path, tmp_path: Path) -> None:
    asked = installed("ask", QUESTION, "--docs", str(documents))
    assert (asked.returncode, asked.stdout.startswith(f"# {QUESTION}")) == (0, True), asked.stderr
    assert "sank in 2013" in asked.stdout
    assert "searching: " in asked.stderr
    for format_ in ("md", "html", "json"):
        shown = installed("show", "last", "--format", format_)
        again = installed("replay", "last", "--format", format_)
        assert (again.returncode, again.stdout) == (0, shown.stdout), again.stderr
    assert installed("show", "last").stdout == asked.stdout
    verified = installed("verify", "last")
    assert (verified.returncode, verified.stdout.startswith("every quote stands")) == (0, True)
    archive = tmp_path / "evidence.zip"
    assert installed("export", "last", "-o", str(archive)).stdout == f"{archive}\n"
    elsewhere = {"LEADLINE_DATA_DIR": str(tmp_path / "elsewhere")}
    assert installed("verify", str(archive), env=elsewhere).returncode == 0
    spoilt = tampered(archive, tmp_path / "spoilt.zip")
    refused = installed("verify", str(spoilt), env=elsewhere)
    assert refused.returncode == 8
    assert refused.stdout
    types = [json.loads(line)["type"] for line in installed("show", "last", "--raw").stdout.splitlines()]
    assert (types[0], types[-1]) == ("run_started", "run_finished")


def test_the_same_question_again_says_what_changed(leadline: Any, documents: Path) -> None:
    asked = ("ask", QUESTION, "--docs", str(documents))
    first = leadline(*asked, "--format", "json")
    earlier = json.loads(first.stdout)["run_id"]
    (documents / "orlova.txt").write_text("The cruise ship Orlova sank in 2014, as divers found.\n", encoding="utf-8")
    later = leadline(*asked, "--from", earlier)
    assert "## What changed since" in later.stdout, later.stderr
    assert leadline("replay", "last").stdout == later.stdout
    assert leadline("verify", "last").returncode == 0
    since = leadline("show", "last", "--since", earlier)
    assert since.stdout.startswith("## What changed since")
    assert since.stdout.strip() in later.stdout
    found = json.loads(leadline("show", "last", "--since", earlier, "--format", "json").stdout)
    assert found == json.loads(leadline("show", "last", "--format", "json").stdout)["changes"]
    assert (found["earlier"], bool(found["new_claims"])) == (earlier, True)
    for wrong, code in ((("last", "--since", "last"), 2), (("last", "--since", earlier, "--format", "html"), 2)):
        assert leadline("show", *wrong).returncode == code


def tampered(archive: Path, target: Path) -> Path:
    """Return a copy in which every stored text says 2014 instead of 2013."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            data = source.read(name)
            copy.writestr(name, data.replace(b"2013", b"2014") if name.endswith(".txt") else data)
    return target


def test_a_chinese_question_and_a_file_as_output(leadline: Any, documents: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    asked = leadline("ask", "-", "--docs", str(documents), "-o", str(output), stdin="赵州桥由谁设计？\n")
    assert (asked.returncode, asked.stdout) == (0, ""), asked.stderr
    report = json.loads(output.read_text(encoding="utf-8"))
    assert (report["schema"], report["language"]) == ("leadline.report/1", "zh")
    assert any("李春" in claim["text"] for claim in report["claims"])


def test_events_are_json_lines_that_end_the_run(leadline: Any, documents: Path) -> None:
    asked = leadline("ask", QUESTION, "--docs", str(documents), "--json-events")
    events = [json.loads(line) for line in asked.stderr.splitlines()]
    journal = [event for event in events if "seq" in event]
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    assert journal[-1]["type"] == "run_finished"


def test_a_batch_writes_each_row_and_goes_on_where_it_was(leadline: Any, documents: Path, tmp_path: Path) -> None:
    questions, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": "a", "question": QUESTION}, {"id": "b", "question": "Where was it built?"}]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arguments = ("batch", str(questions), "--out", str(out), "--docs", str(documents))
    first = leadline(*arguments)
    assert first.returncode == 0, first.stderr
    lines = out.read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["id"] for line in lines} == {"a", "b"}
    out.write_text(f"{lines[0]}\n{lines[1][:40]}", encoding="utf-8")
    assert leadline(*arguments).returncode == 0
    again = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in again] == [json.loads(line)["id"] for line in lines]
    assert len(leadline("runs", "--format", "json").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        (("ask", "", "--docs", "{docs}"), "", 2, "the question is empty"),
        (("ask", " \n", "--docs", "{docs}"), "", 2, "the question is empty"),
        (("ask", "-", "--docs", "{docs}"), "why? " * 250_000, 2, "the question has"),
        (("ask", "q", "--docs", "{docs}/none"), "", 2, "none"),
        (("ask", "q"), "", 2, "--docs"),
        (("ask", "q", "--docs", "{docs}", "--from", "nope"), "", 2, "no such run: nope"),
        (("ask", "q", "--docs", "{docs}", "-o", "none/r.md"), "", 2, "none"),
        (("ask", "q", "--docs", "{docs}", "--model", "m"), "", 3, "`model.urls` is not set"),
        (("ask", "q", "--docs", "{docs}", "--data-dir", "{docs}/orlova.txt/x"), "", 3, "orlova.txt"),
        (("show", "nope"), "", 2, "no such run: nope"),
        (("show", "last"), "", 2, "no such run"),
        (("resume", "nope"), "", 2, "no such run"),
        (("cancel", "nope"), "", 2, "no such run"),
        (("replay", "nope"), "", 2, "no such run"),
        (("verify", "nope"), "", 2, "no such run"),
        (("verify", "{docs}/none.zip"), "", 2, "none.zip"),
        (("export", "nope"), "", 2, "no such run"),
        (("index", "{docs}/none"), "", 2, "none"),
        (("batch", "{docs}/none.jsonl", "--out", "o.jsonl", "--docs", "{docs}"), "", 2, "none.jsonl"),
        (("runs", "--config", "none.toml"), "", 3, "none.toml"),
        (("init",), "", 2, "--url"),
        (("init", "--url", "http://127.0.0.1:1/v1"), "", 4, "127.0.0.1:1"),
        (("init", "--url", "htp:/x"), "", 3, "http:// or https://"),
    ],
)
def test_bad_input_is_one_clear_line_and_its_code(
    leadline: Any, documents: Path, arguments: tuple[str, ...], stdin: str, code: int, says: str
) -> None:
    result = leadline(*(part.replace("{docs}", str(documents)) for part in arguments), stdin=stdin)
    last = result.stderr.splitlines()[-1]
    assert result.returncode == code, result.stderr
    assert last.startswith("leadline: ")
    assert says in last
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"LEADLINE_POLCY": "drop"}, "did you mean LEADLINE_POLICY?"),
        ({"LEADLINE_ENGINE": "postgres"}, "set LEADLINE_STORE=postgresql://"),
        ({"LEADLINE_BUDGET__USD": "-1"}, "above 0"),
    ],
)
def test_wrong_settings_end_every_command(leadline: Any, env: dict[str, str], says: str) -> None:
    result = leadline("runs", env=env)
    assert (result.returncode, says in result.stderr) == (3, True), result.stderr


def test_a_broken_document_is_named_and_skipped(leadline: Any, documents: Path) -> None:
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that follows is one")
    result = leadline("index", str(documents))
    assert (result.returncode, "2 documents" in result.stdout) == (0, True), result.stderr
    assert "not read: " in result.stderr
    assert "broken.pdf" in result.stderr
    assert leadline("ask", QUESTION, "--docs", str(documents)).returncode == 0


DIES = """
import asyncio, os, sys
from pathlib import Path
from leadline.api import Leadline

async def main():
    async with Leadline() as engine:
        print(await engine.start(sys.argv[1], docs=[Path(sys.argv[2])]), flush=True)
        os._exit(9)

asyncio.run(main())
"""


def begun_and_killed(documents: Path, env: dict[str, str]) -> str:
    """Return the id of a run whose process died as soon as the run was stored."""
    died = subprocess.run(
        [sys.executable, "-c", DIES, QUESTION, str(documents)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **env},
        check=False,
    )
    assert died.returncode == 9, died.stderr
    return died.stdout.strip()


def test_what_a_dead_process_left_has_no_report_yet(leadline: Any, documents: Path, tmp_path: Path) -> None:
    env = {"LEADLINE_DATA_DIR": str(tmp_path / "data")}
    unfinished = leadline("show", begun_and_killed(documents, env), env=env)
    assert (unfinished.returncode, "leadline resume" in unfinished.stderr) == (2, True)


def test_a_run_of_a_dead_process_is_taken_up_again(leadline: Any, documents: Path, tmp_path: Path) -> None:
    env = {"LEADLINE_DATA_DIR": str(tmp_path / "data"), "LEADLINE_TASKS__LEASE_SECONDS": "4"}
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that follows is one")
    run_id = begun_and_killed(documents, env)
    resumed = leadline("resume", run_id[:8], env=env)
    assert resumed.returncode == 0, resumed.stderr
    assert "waiting for the lease" in resumed.stderr
    assert "sank in 2013" in resumed.stdout
    assert re.search(r"- Could not be read: .*broken\.pdf", resumed.stdout)
    assert leadline("verify", run_id, env=env).returncode == 0


def test_a_batch_takes_up_the_run_of_a_dead_one(leadline: Any, documents: Path, tmp_path: Path) -> None:
    env = {"LEADLINE_DATA_DIR": str(tmp_path / "data"), "LEADLINE_TASKS__LEASE_SECONDS": "2"}
    run_id = begun_and_killed(documents, env)
    questions, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    questions.write_text(json.dumps({"id": 1, "question": QUESTION}), encoding="utf-8")
    begun = {"id": 1, "run_id": run_id, "question": QUESTION}
    (tmp_path / "out.jsonl.runs").write_text(json.dumps(begun) + "\n", encoding="utf-8")
    done = leadline("batch", str(questions), "--out", str(out), "--docs", str(documents), env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text(encoding="utf-8"))["run_id"] == run_id
    assert not (tmp_path / "out.jsonl.runs").exists()


def test_an_unreadable_file_is_named_and_skipped(installed: Any, documents: Path) -> None:
    secret = documents / "secret.txt"
    secret.write_text("nothing to see", encoding="utf-8")
    secret.chmod(0)
    result = as_anybody(lambda: installed("index", str(documents)))
    assert result.returncode == 0
    assert "secret.txt" in result.stderr


def test_help_imports_little() -> None:
    code = (
        "import sys; from leadline.cli.main import main; assert main(['--help']) == 0; "
        "print('LOADED', *sorted(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    loaded = set(shown.stdout.rpartition("LOADED")[2].split())
    heavy = {
        "pydantic",
        "aiohttp",
        "rich",
        "asyncio",
        "sqlite3",
        "leadline.domain",
        "leadline.settings",
        "leadline.api",
    }
    assert loaded & heavy == set()
    assert "click" in loaded


def test_names_are_completed(installed: Any) -> None:
    env = {"_LEADLINE_COMPLETE": "bash_complete", "COMP_WORDS": "leadline re", "COMP_CWORD": "1"}
    assert installed(env=env).stdout.split() == ["plain,resume", "plain,replay", "plain,restore"]


def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("leadline")
    with subprocess.Popen([program, "settings", "--quiet"], stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(20) == 141


def test_an_output_file_has_the_users_own_mode(leadline: Any, documents: Path, tmp_path: Path) -> None:
    leadline("ask", QUESTION, "--docs", str(documents), "-o", str(tmp_path / "r.md"))
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "r.md").stat().st_mode) == 0o666 & ~umask
