"""Model servers as they should not be: a clear message, the failure's exit code, a report all the same, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leadline.codec import encode
from leadline.domain import ToolCall
from leadline.testing.script import Fault, Reply, Rule, refusal

QUESTION = "When did the Orlova sink?"
MODEL_FAILED = 4


@contextmanager
def model_server(folder: Path, replies: Sequence[Reply | Rule]) -> Iterator[str]:
    """Yield the address of a server with this script; a single reply is given for ever."""
    rules = [reply if isinstance(reply, Rule) else Rule(reply=reply) for reply in replies]
    script = folder / "script.json"
    script.write_bytes(encode({"rules": rules}))
    with subprocess.Popen(
        [sys.executable, "-m", "leadline.testing.server", str(script)], stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def quick(url: str) -> dict[str, str]:
    return {
        "LEADLINE_MODEL__URLS": url,
        "LEADLINE_MODEL__NAME": "scripted",
        "LEADLINE_MODEL__API_KEY": "sk-secret-0123456789",
        "LEADLINE_MODEL__CONTEXT": "16000",
        "LEADLINE_MODEL__FIRST_TOKEN_SECONDS": "0.3",
        "LEADLINE_MODEL__GAP_SECONDS": "0.3",
    }


def stands(leadline: Any, printed: str, env: dict[str, str]) -> None:
    """What was printed is kept, verified and replayed, and the run has ended."""
    shown = leadline("show", "last", env=env)
    assert (shown.returncode, shown.stdout) == (0, printed), shown.stderr
    assert leadline("verify", "last", env=env).returncode == 0
    assert leadline("replay", "last", env=env).stdout == printed
    again = leadline("resume", "last", env=env)
    assert (again.returncode, "has ended (done)" in again.stderr) == (2, True), again.stderr
    [row] = [json.loads(line) for line in leadline("runs", "--format", "json", env=env).stdout.splitlines()]
    assert (row["state"], row["stop_reason"]) == ("done", "error")


UNKNOWN = refusal(404, "The model `scripted` does not exist.", code="model_not_found", type="invalid_request_error")
WRONG_KEY = refusal(401, "Incorrect API key provided: sk-secret-0123456789.", code="invalid_api_key")

CASES = {
    "slow": (Reply(fault=Fault.HANG_BEFORE_HEADERS), "no first token within 0.3 s"),
    "silent midway": (Reply(text="long " * 40, fault=Fault.HANG_MIDWAY), "nothing new within 0.3 s"),
    "no HTTP": (Reply(fault=Fault.GARBAGE), "does not speak HTTP"),
    "a web page": (Reply(fault=Fault.HTML), "answers with a web page"),
    "no JSON": (Reply(text="words " * 9, fault=Fault.WRONG_JSON), "no JSON"),
    "cut": (Reply(text="words " * 9, fault=Fault.CUT), "cut its answer short"),
    "ends midway": (Reply(text="words " * 9, fault=Fault.CLEAN_CUT), "without a finish reason"),
    "429": (refusal(429, "Slow down.", retry_after="0.2"), "Slow down."),
    "503": (refusal(503, "Loading the model."), "Loading the model."),
    "wrong key": (WRONG_KEY, "Incorrect API key"),
    "unknown model": (UNKNOWN, "does not exist"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_model_is_told_and_the_report_is_written_without_it(
    leadline: Any, documents: Path, tmp_path: Path, case: str
) -> None:
    reply, says = CASES[case]
    with model_server(tmp_path, [reply]) as url:
        env = quick(url)
        asked = leadline("ask", QUESTION, "--docs", str(documents), env=env)
    told(asked, says)
    stands(leadline, asked.stdout, env)


def test_a_server_that_is_down(leadline: Any, documents: Path) -> None:
    env = quick("http://127.0.0.1:1/v1")
    asked = leadline("ask", QUESTION, "--docs", str(documents), env=env)
    told(asked, "127.0.0.1:1 cannot be reached")
    stands(leadline, asked.stdout, env)


def told(asked: subprocess.CompletedProcess[str], says: str) -> None:
    last = asked.stderr.splitlines()[-1]
    assert asked.returncode == MODEL_FAILED, asked.stderr
    assert last.startswith("leadline: ")
    assert says in last
    assert "Traceback" not in asked.stderr
    assert "sk-secret" not in asked.stdout + asked.stderr
    assert asked.stdout.startswith(f"# {QUESTION}")
    assert "sank in 2013" in asked.stdout
    assert "The language model did not answer" in asked.stdout


def test_retry_after_is_waited_for(leadline: Any, documents: Path, tmp_path: Path) -> None:
    script = [
        Rule(reply=refusal(429, "Slow down.", retry_after="1"), times=1),
        Rule(turn=0, reply=Reply(tool_calls=(ToolCall(name="search", arguments={"query": "Orlova"}, id="s"),))),
        Rule(turn=1, reply=Reply(text="<answer>It sank.</answer>")),
    ]
    began = time.monotonic()
    with model_server(tmp_path, script) as url:
        asked = leadline("ask", QUESTION, "--docs", str(documents), env=quick(url))
    assert asked.returncode == 0, asked.stderr
    assert time.monotonic() - began > 1.0


def test_what_was_gathered_before_a_server_went_is_kept(leadline: Any, documents: Path, tmp_path: Path) -> None:
    uri = (documents / "orlova.txt").resolve().as_uri()
    script = [
        Rule(turn=0, reply=Reply(tool_calls=(ToolCall(name="visit", arguments={"url": uri}, id="v"),))),
        Rule(reply=refusal(503, "The server goes down.")),
    ]
    with model_server(tmp_path, script) as url:
        env = quick(url)
        asked = leadline("ask", QUESTION, "--docs", str(documents), "--format", "json", env=env)
    assert asked.returncode == MODEL_FAILED
    report = json.loads(asked.stdout)
    assert any("2013" in claim["text"] for claim in report["claims"])
    assert report["usage"]["tool_calls"]["visit"] >= 1


def test_events_tell_the_failure_and_its_code(leadline: Any, documents: Path, tmp_path: Path) -> None:
    with model_server(tmp_path, [WRONG_KEY]) as url:
        asked = leadline("ask", QUESTION, "--docs", str(documents), "--json-events", env=quick(url))
    last = json.loads(asked.stderr.splitlines()[-1])
    assert (asked.returncode, last["type"], last["code"], last["exit"]) == (4, "error", "model_denied", 4)
    assert asked.stdout.startswith("# ")


def test_a_batch_says_which_rows_did_without_the_model(leadline: Any, documents: Path, tmp_path: Path) -> None:
    questions, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    questions.write_text(json.dumps({"id": 1, "question": QUESTION}) + "\n", encoding="utf-8")
    with model_server(tmp_path, [WRONG_KEY]) as url:
        leadline("batch", str(questions), "--out", str(out), "--docs", str(documents), env=quick(url))
    [row] = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert row["stop_reason"] == "error"
