"""Where results go: a device is written into, a link is followed, a full disk is told."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

ASK = ("ask", "When did it sink?", "--docs", "ship.txt")


def test_a_device_or_a_pipe_is_written_into_and_stays(leadline: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert leadline(*ASK, "--format", "md", "-o", str(pipe)).code == 0
    reader.join(60)
    assert got[0].startswith(b"md report")
    assert pipe.is_fifo()


def test_the_name_of_a_descriptor_is_a_device(leadline: Any) -> None:
    read, written = os.pipe()
    assert leadline(*ASK, "--format", "md", "-o", f"/dev/fd/{written}").code == 0
    os.close(written)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read().startswith(b"md report")


def test_a_links_file_is_written_and_the_link_stays(leadline: Any, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "r.md"
    link.symlink_to("there/report.md")
    assert leadline(*ASK, "-o", str(link)).code == 0
    assert link.is_symlink()
    assert (tmp_path / "there" / "report.md").read_text(encoding="utf-8").startswith("md report")


def test_where_the_report_cannot_be_written_it_is_told_where_it_is(
    leadline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused = leadline(*ASK, "-o", str(tmp_path / "r.md"))
    assert refused.code == 2
    assert "No space left on device; the report is kept: `leadline show last` prints it" in refused.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here: no disk that is always full")
def test_a_full_disk_behind_standard_output_is_told_in_one_line() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "from leadline.cli.shell import write; write('x')"],
        stdout=os.open("/dev/full", os.O_WRONLY),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert made.stderr.splitlines()[-1].endswith(
        "MissingPath: cannot write the result to standard output: No space left on device"
    )
    assert "Exception ignored" not in made.stderr
