"""Documents and disks as they should not be."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.disks import SmallDisk, small_disk

QUESTION = "When did the Orlova sink?"


def bomb(path: Path) -> Path:
    """Write a docx of some kilobytes whose text unpacks to 300 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("[Content_Types].xml", "<Types/>")
        with zipped.open("word/document.xml", "w", force_zip64=True) as file:
            for _ in range(300):
                file.write(b" " * 1_000_000)
    return path


def test_a_zip_bomb_is_named_and_skipped(leadline: Any, documents: Path) -> None:
    bomb(documents / "bomb.docx")
    indexed = leadline("index", str(documents))
    assert (indexed.returncode, "2 documents" in indexed.stdout) == (0, True), indexed.stderr
    [line] = [line for line in indexed.stderr.splitlines() if "bomb.docx" in line]
    assert "not read" in line
    asked = leadline("ask", QUESTION, "--docs", str(documents))
    assert (asked.returncode, "sank in 2013" in asked.stdout) == (0, True), asked.stderr


def test_only_what_cannot_be_read_is_refused_and_named(leadline: Any, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that follows is one")
    asked = leadline("ask", QUESTION, "--docs", str(folder))
    assert (asked.returncode, "Traceback" in asked.stderr, asked.stdout) == (2, False, ""), asked.stderr
    assert "broken.pdf" in asked.stderr
    assert "none of the documents can be searched" in asked.stderr.splitlines()[-1]
    assert leadline("runs").stdout == ""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", kilobytes=8_192) as disk:
        yield disk


def test_a_full_disk_is_told_and_what_was_there_stands(leadline: Any, documents: Path, disk: SmallDisk) -> None:
    env = {"LEADLINE_DATA_DIR": str(disk.folder / "data")}
    first = leadline("ask", QUESTION, "--docs", str(documents), env=env)
    assert first.returncode == 0, first.stderr
    disk.fill()
    full = leadline("ask", "Where was the Orlova built?", "--docs", str(documents), env=env)
    assert full.returncode == 6, full.stderr
    last = full.stderr.splitlines()[-1]
    assert last.startswith("leadline: ")
    assert "space" in last or "full" in last
    assert "Traceback" not in full.stderr
    disk.free()
    [row] = leadline("runs", "--state", "done", "--format", "json", env=env).stdout.splitlines()
    run_id = json.loads(row)["id"]
    assert leadline("show", run_id, env=env).stdout == first.stdout
    assert leadline("verify", run_id, env=env).returncode == 0
    again = leadline("ask", "Where was the Orlova built?", "--docs", str(documents), env=env)
    assert (again.returncode, "1976" in again.stdout) == (0, True), again.stderr
