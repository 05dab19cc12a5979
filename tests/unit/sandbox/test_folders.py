"""A stranger's folder goes, whatever was done to it."""

from __future__ import annotations

import os
from pathlib import Path

from leadline.sandbox import folders


def test_deep_closed_and_linked(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept", encoding="ascii")
    folder = folders.make(None, below=tmp_path)
    (folder / ".0").mkdir()
    (folder / ".1").write_text("x", encoding="ascii")
    (folder / "out").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(2_500):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    closed = folder / "closed"
    closed.mkdir()
    (closed / "f").write_text("x", encoding="ascii")
    closed.chmod(0)
    folders.remove(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "kept").exists()
