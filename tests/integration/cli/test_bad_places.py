"""Documents and disks as they should not be."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 8 MB; only root can."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_what_was_there_stands(leadline: Any, documents: Path, small_disk: Path) -> None:
    env = {"LEADLINE_DATA_DIR": str(small_disk / "data")}
    first = leadline("ask", QUESTION, "--docs", str(documents), env=env)
    assert first.returncode == 0, first.stderr
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (free.f_bavail - 2) * free.f_frsize)
    full = leadline("ask", "Where was the Orlova built?", "--docs", str(documents), env=env)
    assert full.returncode == 6, full.stderr
    last = full.stderr.splitlines()[-1]
    assert last.startswith("leadline: ")
    assert "space" in last or "full" in last
    assert "Traceback" not in full.stderr
    filler.unlink()
    [row] = leadline("runs", "--state", "done", "--format", "json", env=env).stdout.splitlines()
    run_id = json.loads(row)["id"]
    assert leadline("show", run_id, env=env).stdout == first.stdout
    assert leadline("verify", run_id, env=env).returncode == 0
    again = leadline("ask", "Where was the Orlova built?", "--docs", str(documents), env=env)
    assert (again.returncode, "1976" in again.stdout) == (0, True), again.stderr
