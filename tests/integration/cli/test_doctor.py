"""`leadline doctor`, `preflight` and `support-bundle` as a person calls them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leadline.ops.preflight import ITEMS


def called(*words: str, home: Path, stdin: int | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program with an empty home."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "leadline", *words],
        env={**kept, "HOME": str(home), **environ},
        cwd=home,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home without anything in it."""
    return tmp_path


# What would reach the network is off: a fresh home has it on, and each is at most a warning there.
NO_WEB: Mapping[str, Any] = {
    "LEADLINE_SEARCH__WIKIPEDIA__BASE_URL": "http://127.0.0.1:9",
    "LEADLINE_SCHOLAR__OPENALEX__BASE_URL": "http://127.0.0.1:9",
    "LEADLINE_SCHOLAR__CROSSREF__BASE_URL": "http://127.0.0.1:9",
    "LEADLINE_SCHOLAR__ARXIV__BASE_URL": "http://127.0.0.1:9",
    "LEADLINE_SCHOLAR__EUROPEPMC__BASE_URL": "http://127.0.0.1:9",
    "LEADLINE_PROXY": "http://127.0.0.1:9",
}


def test_a_fresh_home_has_warnings_at_most(home: Path) -> None:
    done = called("doctor", home=home, **NO_WEB)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    blocks = done.stdout.split("\n\n")[1:-1]
    assert blocks
    for block in blocks:
        assert "next:" in block
        assert "runbook: docs/" in block
    assert done.stderr == ""


def test_a_failure_has_its_exit_code_and_json_is_one_object(home: Path) -> None:
    dead: Mapping[str, Any] = {"LEADLINE_MODEL__URLS": "http://127.0.0.1:9/v1", "LEADLINE_MODEL__NAME": "m"}
    done = called("doctor", "--json", "--only", "model_service", "--only", "store", home=home, **dead)
    assert done.returncode == 13
    body = json.loads(done.stdout)
    assert body["status"] == "unhealthy"
    assert {name: one["status"] for name, one in body["checks"].items()} == {
        "model_service": "unhealthy",
        "store": "healthy",
    }
    assert done.stderr == "leadline: 1 of 2 checks failed: model_service\n"


def test_settings_that_cannot_be_read_are_a_finding(home: Path) -> None:
    done = called("doctor", "--json", home=home, LEADLINE_MODEL__URLS="http://127.0.0.1:9/v1")
    assert done.returncode == 13
    (finding,) = json.loads(done.stdout)["checks"].values()
    assert "`model.name` is not" in finding["error"]


def test_a_check_that_is_none_is_refused(home: Path) -> None:
    done = called("doctor", "--only", "modell", home=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such check: modell; there are: settings, " in done.stderr


def test_preflight_tells_what_is_missing(home: Path) -> None:
    done = called("preflight", "--json", home=home, **NO_WEB)
    assert done.returncode == 13
    body = json.loads(done.stdout)
    assert body["ready"] is False
    assert {"id", "section", "text", "must", "asked", "state", "told", "next"} == set(body["items"][0])
    assert "musts are missing: " in done.stderr
    asked = called("preflight", "--ask", home=home)
    assert (asked.returncode, "needs a terminal" in asked.stderr) == (2, True)


def test_answers_are_asked_for_at_a_terminal_and_kept(home: Path) -> None:
    inner, outer = pty.openpty()
    questions = [item.id for item in ITEMS if item.look is None]
    os.write(inner, b"y\n" * (len(questions) - 1) + b"n\n")
    try:
        done = called("preflight", "--ask", "--json", "--data-dir", "data", home=home, stdin=outer, **NO_WEB)
    finally:
        os.close(inner)
        os.close(outer)
    kept = json.loads((home / "data" / "preflight.json").read_bytes())
    assert [name for name, answer in kept.items() if answer["yes"]] == questions[:-1]
    states = {item["id"]: item["state"] for item in json.loads(done.stdout)["items"]}
    assert {states[name] for name in questions[:-1]} == {"done"}
    assert states[questions[-1]] == "missing"


def test_a_bundle_is_written_once(home: Path) -> None:
    done = called("support-bundle", "-o", "b.zip", home=home, **NO_WEB)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(home / "b.zip") as bundle:
        assert set(bundle.namelist()) == {line.split()[1] for line in done.stdout.splitlines()}
    again = called("support-bundle", "-o", "b.zip", home=home, **NO_WEB)
    assert again.returncode == 2
    assert "there is a file already" in again.stderr
