"""Where Chromium is looked for, and what is said where it cannot be had."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.sandbox import chromium
from leadline.sandbox.chromium import cage

MEMORY = 1 << 30


@pytest.fixture
def bwrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path="": f"/usr/bin/{name}")


def made(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_without_bubblewrap_there_is_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path="": None)
    with pytest.raises(SettingsError, match="bubblewrap"):
        cage(None, memory=MEMORY, doors=1)


@pytest.mark.usefixtures("bwrap")
def test_the_first_known_place_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = made(tmp_path / "chromium", b"\x7fELF")
    monkeypatch.setattr(chromium, "PLACES", (str(tmp_path / "missing"), str(program), "/bin/sh"))
    assert cage(None, memory=MEMORY, doors=2).chromium == program.resolve()


@pytest.mark.usefixtures("bwrap")
def test_a_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chromium, "PLACES", (str(tmp_path / "missing"),))
    with pytest.raises(SettingsError, match="apt-get install chromium"):
        cage(None, memory=MEMORY, doors=1)


@pytest.mark.usefixtures("bwrap")
@pytest.mark.parametrize(("content", "said"), [(b"#!/bin/sh\n", "is a script"), (None, "names no program")])
def test_what_is_no_program_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "chromium"
    if content is not None:
        made(path, content)
    with pytest.raises(SettingsError, match=said):
        cage(path, memory=MEMORY, doors=1)


@pytest.mark.usefixtures("bwrap")
def test_as_root_it_must_be_in_reach_of_a_plain_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = made(closed / "chromium", b"\x7fELF")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(SettingsError, match="cannot reach"):
        cage(program, memory=MEMORY, doors=1)
