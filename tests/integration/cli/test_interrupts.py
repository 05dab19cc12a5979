from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leadline.codec import encode
from leadline.testing.script import Reply, Rule

PROGRAM = Path(sys.executable).with_name("leadline")
SLOW = Rule(reply=Reply(text="hm", first_delay=60.0), times=1)
DOWN = Rule(reply=Reply(status=400, body='{"error": {"message": "no more"}}'))


@contextmanager
def model_server(folder: Path) -> Iterator[str]:
    """Yield the address of a server whose first answer takes a minute, and which then refuses."""
    script = folder / "script.json"
    script.write_bytes(encode({"rules": [SLOW, DOWN]}))
    with subprocess.Popen(
        [sys.executable, "-m", "leadline.testing.server", str(script)], stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def asking(documents: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield the program while it waits for its model's first answer."""
    with model_server(folder) as url:
        env = {
            **os.environ,
            "LEADLINE_DATA_DIR": str(folder / "data"),
            "LEADLINE_MODEL__URLS": url,
            "LEADLINE_MODEL__NAME": "scripted",
        }
        arguments = ["ask", "When did the Orlova sink?", "--docs", str(documents), "--json-events"]
        with subprocess.Popen(
            [PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=env,
        ) as process:
            await_event(process, "model_asked")
            try:
                yield process
            finally:
                process.kill()


def await_event(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    assert process.stderr is not None
    for line in process.stderr:
        event: dict[str, Any] = json.loads(line)
        if event["type"] == name:
            return event
    pytest.fail(f"the program ended before {name}")


def states(leadline: Any) -> list[tuple[str, str | None]]:
    rows = [json.loads(line) for line in leadline("runs", "--format", "json").stdout.splitlines()]
    return [(row["state"], row["stop_reason"]) for row in rows]


def test_ctrl_c_once_writes_what_there_is(leadline: Any, documents: Path, tmp_path: Path) -> None:
    with asking(documents, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out.startswith("# When did the Orlova sink?")
    assert states(leadline) == [("done", "finished_early")]


def test_ctrl_c_twice_cancels(leadline: Any, documents: Path, tmp_path: Path) -> None:
    with asking(documents, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        await_event(process, "message")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    # The report may have been written before the second one came.
    assert (process.returncode, out) == (130, ""), err
    assert states(leadline)[0][0] in {"cancelled", "done"}


def test_sigterm_hands_the_run_over(leadline: Any, documents: Path, tmp_path: Path) -> None:
    with asking(documents, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 143, err
    assert states(leadline) == [("queued", None)]
    assert json.loads(leadline("show", "last", "--raw").stdout.splitlines()[-1])["type"] == "run_handed_over"


def test_another_process_finishes_a_run(leadline: Any, documents: Path, tmp_path: Path) -> None:
    with asking(documents, tmp_path) as process:
        assert leadline("finish", "last").returncode == 0
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out.startswith("# When")) == (0, True), err


def test_another_process_cancels_a_run(leadline: Any, documents: Path, tmp_path: Path) -> None:
    with asking(documents, tmp_path) as process:
        assert leadline("cancel", "last").returncode == 0
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, ""), err
