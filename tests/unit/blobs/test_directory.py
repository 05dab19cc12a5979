"""What is the folder's own about the blob store: places, damage, failures, crashes."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path

import pytest

from leadline.blobs import directory
from leadline.blobs.directory import DirectoryBlobs, folder_of, reader_of
from leadline.domain import sha256
from leadline.errors import BlobMissing, StoreFull, StoreUnavailable


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


async def test_a_body_lies_at_its_place_for_the_user_alone(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    async with DirectoryBlobs(root) as blobs:
        name = await blobs.put("acme", b"body" * 1000)
    path = root / "acme" / name[:2] / name[2:4] / name
    assert files(root) == [path]
    assert path.stat().st_size < 100
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) for p in root.rglob("*") if p.is_dir()} == {0o700}


@pytest.mark.parametrize("tenant", ["..", ".", "", "a/b", "A", "%" + "0" * 40, "x" * 300, "\ud800"])
def test_no_tenant_leaves_the_root_or_meets_another(tmp_path: Path, tenant: str) -> None:
    folder = folder_of(tmp_path, tenant)
    assert folder.parent == tmp_path
    assert folder.name.startswith("%")
    assert folder != folder_of(tmp_path, folder.name)


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 20])
async def test_damage_is_told_never_returned(tmp_path: Path, damage: bytes) -> None:
    async with DirectoryBlobs(tmp_path) as blobs:
        name = await blobs.put("t", b"body")
        (path,) = files(tmp_path)
        await asyncio.to_thread(path.write_bytes, damage)
        with pytest.raises(BlobMissing):
            await blobs.get("t", name)


async def test_another_body_under_this_name_is_damage(tmp_path: Path) -> None:
    async with DirectoryBlobs(tmp_path) as blobs:
        name, other = await blobs.put("t", b"body"), await blobs.put("t", b"other")
        by_name = {path.name: path for path in files(tmp_path)}
        await asyncio.to_thread(by_name[other].replace, by_name[name])
        with pytest.raises(BlobMissing, match="another hash"):
            await blobs.get("t", name)


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EIO, StoreUnavailable)])
async def test_a_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    async with DirectoryBlobs(tmp_path / "blobs") as blobs:
        await blobs.put("t", b"makes the folders")

        def fail(_handle: int) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(kind):
                await blobs.put("t", b"body")
        assert not [p for p in files(tmp_path) if p.name.startswith(".")]
        assert not await blobs.has("t", sha256(b"body"))
        await blobs.put("t", b"body")


async def test_storing_again_saves_from_the_sweep(tmp_path: Path) -> None:
    async with DirectoryBlobs(tmp_path) as blobs:
        name = await blobs.put("t", b"body")
        (path,) = files(tmp_path)
        os.utime(path, (1000, 1000))
        await blobs.put("t", b"body")
        assert await blobs.sweep("t", frozenset(), older_than=2000) == 0
        os.utime(path, (1000, 1000))
        assert await blobs.sweep("t", frozenset(), older_than=2000) > 0
        assert not await blobs.has("t", name)


async def test_what_a_crash_left_is_swept_and_foreign_files_are_not(tmp_path: Path) -> None:
    async with DirectoryBlobs(tmp_path) as blobs:
        await blobs.put("t", b"body")
        (path,) = files(tmp_path)
        left, foreign = path.with_name(".new-1-0"), path.with_name("notes.txt")
        for one in (left, foreign):
            await asyncio.to_thread(one.write_bytes, b"x")
            os.utime(one, (1000, 1000))
        assert await blobs.sweep("t", frozenset(), older_than=2000) == 1
        assert files(tmp_path) == sorted([path, foreign])


async def test_many_writers_of_one_body_agree(tmp_path: Path) -> None:
    async with DirectoryBlobs(tmp_path) as one, DirectoryBlobs(tmp_path) as other:
        async with asyncio.TaskGroup() as group:
            for blobs in [one, other] * 20:
                group.create_task(blobs.put("t", b"body" * 10_000))
        assert [path.name for path in files(tmp_path)] == [sha256(b"body" * 10_000)]


async def test_a_reader_keeps_a_bounded_number_of_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "READER_CHARS", 1000)
    async with DirectoryBlobs(tmp_path) as blobs:
        names = [await blobs.put("t", bytes([65 + n]) * 400) for n in range(3)]
        large = await blobs.put("t", b"z" * 2000)
        reader = blobs.reader("t")
        assert reader_of(str(folder_of(tmp_path, "t"))) is reader
        for name in [*names, large]:
            await asyncio.to_thread(reader.read, name)
        for path in files(tmp_path):
            await asyncio.to_thread(path.unlink)
        assert [reader.read(name)[0] for name in names[1:]] == ["B", "C"]
        for name in (names[0], large):
            with pytest.raises(BlobMissing):
                reader.read(name)
