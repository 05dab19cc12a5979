"""`leadline backup`, `backup verify` and `restore`, as an operator types them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.kept import PASSPHRASE, fill, settings_of

from leadline.cli.main import main


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill a data folder and work beside it."""
    asyncio.run(_fill(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEADLINE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


async def _fill(folder: Path) -> None:
    await fill(await settings_of(folder))


def test_there_and_back(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "copies"]) == 0
    told = capsys.readouterr()
    assert "4 runs of 2 tenants" in told.out
    assert "LEADLINE_SECRETS__KEY" in told.err  # whose id is named, since the backup does not hold it
    assert main(["backup", "to", "copies", "--incremental"]) == 0
    assert ", 0 stored objects copied" in capsys.readouterr().out
    assert main(["backup", "verify", "copies"]) == 0
    assert "whole" in capsys.readouterr().out
    assert main(["restore", "copies", "--data-dir", "new"]) == 0
    assert "2 reports" in capsys.readouterr().out
    assert main(["restore", "copies", "--data-dir", "new"]) == 2
    assert "empty servers only" in capsys.readouterr().err
    assert (filled / "new" / "backups" / "restored.json").exists()


def test_a_passphrase_comes_from_the_environment(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", "sealed", "--encrypt"]) == 2
    assert "LEADLINE_BACKUP__PASSPHRASE" in capsys.readouterr().err
    assert not (filled / "sealed").exists()
    monkeypatch.setenv("LEADLINE_BACKUP__PASSPHRASE", PASSPHRASE)
    assert main(["backup", "sealed", "--encrypt"]) == 0
    assert main(["backup", "sealed"]) == 0  # what is encrypted stays so
    assert main(["backup", "verify", "sealed"]) == 0
    assert "encrypted" in capsys.readouterr().out
    monkeypatch.setenv("LEADLINE_BACKUP__PASSPHRASE", "another passphrase")
    assert main(["restore", "sealed", "--data-dir", "new"]) == 6
    assert PASSPHRASE not in capsys.readouterr().err
    monkeypatch.delenv("LEADLINE_BACKUP__PASSPHRASE")
    assert main(["backup", "plain"]) == 0
    monkeypatch.setenv("LEADLINE_BACKUP__PASSPHRASE", PASSPHRASE)
    assert main(["backup", "unasked"]) == 0
    assert main(["backup", "verify", "unasked"]) == 0, "who sets a passphrase wants no backup in the clear"
    for words in (["backup", "plain"], ["backup", "verify", "plain"], ["restore", "plain", "--data-dir", "new"]):
        capsys.readouterr()
        assert main(words) == 2
        assert "not encrypted" in capsys.readouterr().err


def test_damage_has_an_exit_code_of_its_own(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "copies"]) == 0
    body = next(path for path in (filled / "copies" / "bodies").rglob("*") if path.is_file())
    body.write_bytes(b"other")
    capsys.readouterr()
    assert main(["backup", "verify", "copies"]) == 8
    told = capsys.readouterr()
    assert body.name in told.err
    assert "damaged" in told.out
    assert main(["restore", "copies", "--data-dir", "new"]) == 6
    stored = next(path for path in (filled / "data" / "blobs" / "acme").rglob("*") if path.is_file())
    stored.write_bytes(b"other")
    assert main(["backup", "again"]) == 8
    assert stored.name in capsys.readouterr().err


def test_a_folder_that_is_none_is_told(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (filled / "nothing").mkdir()
    for words in (["backup", "verify", "nothing"], ["restore", "nothing", "--data-dir", "new"]):
        assert main(words) == 2
        assert "no folder of backups" in capsys.readouterr().err
    assert main(["backup", "--help"]) == 0
    assert "verify" in capsys.readouterr().out
