"""What is the file's own about the event log: rotation, cut lines, full disks, other processes."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.disks import SmallDisk, small_disk

from leadline.errors import StoreFull, StoreUnavailable
from leadline.eventlog.jsonl import JsonLines
from leadline.ports import Message


def lines(*numbers: int, size: int = 0) -> list[Message]:
    return [Message(b"k", b'{"n":%d%s}' % (number, b" " * size)) for number in numbers]


def held(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.iterdir())}


def numbers(path: Path) -> list[int]:
    return [int(line.split(b":")[1].rstrip(b" }\n")) for line in path.read_bytes().splitlines()]


async def written(path: Path, batches: Sequence[Sequence[Message]], **options: int) -> None:
    async with JsonLines.open(path, **options) as log:
        for batch in batches:
            await log.deliver(batch)


async def test_a_full_file_gets_a_number_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    await written(path, [lines(n, size=40) for n in range(1, 12)], rotate_bytes=100, keep=3)
    found = {name: numbers(file) for name, file in held(tmp_path).items()}
    assert found == {
        "events-000003.jsonl": [5, 6],
        "events-000004.jsonl": [7, 8],
        "events-000005.jsonl": [9, 10],
        "events.jsonl": [11],
    }


async def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    for name in ("events-1.jsonl", "events-old.jsonl", "other-000001.jsonl"):
        (tmp_path / name).write_bytes(b"mine\n")
    await written(tmp_path / "events.jsonl", [lines(n, size=40) for n in range(1, 8)], rotate_bytes=50, keep=1)
    assert set(held(tmp_path)) == {
        *("events-1.jsonl", "events-old.jsonl", "other-000001.jsonl"),
        *("events-000006.jsonl", "events.jsonl"),
    }


async def test_a_delivery_larger_than_a_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    await written(path, [lines(1, 2, 3, size=100), lines(4)], rotate_bytes=100)
    assert (numbers(tmp_path / "events-000001.jsonl"), numbers(path)) == ([1, 2, 3], [4])


@pytest.mark.parametrize("cut", [b'{"n":2', b"x" * 200_000, b""])
async def test_a_line_that_was_cut_off_is_taken_back(tmp_path: Path, cut: bytes) -> None:
    path = tmp_path / "events.jsonl"
    await written(path, [lines(1)])
    with path.open("ab") as file:
        file.write(cut)
    await written(path, [lines(2)])
    assert numbers(path) == [1, 2]


async def test_a_file_that_is_one_cut_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"n"')
    await written(path, [lines(1)])
    assert numbers(path) == [1]


async def test_the_file_is_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "made" / "events.jsonl"
    await written(path, [lines(1)])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_another_processs_delivery_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    async with JsonLines.open(path, seconds=0.2) as log:
        await log.deliver(lines(1))
        with path.open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(StoreUnavailable, match="another process holds"):
                await log.deliver(lines(2))
        await log.deliver(lines(2))
    assert numbers(path) == [1, 2]


async def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    async with JsonLines.open(path) as log:
        await log.deliver(lines(1))
        path.rename(tmp_path / "taken")
        await log.deliver(lines(2))
    assert numbers(path) == [2]


async def test_two_that_write_at_once_tear_no_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    async with JsonLines.open(path) as one, JsonLines.open(path) as two, asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(one.deliver(lines(number, size=5000)))
            group.create_task(two.deliver(lines(100 + number, size=5000)))
    assert sorted(numbers(path)) == [*range(20), *range(100, 120)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", kilobytes=256) as disk:
        yield disk


async def test_a_full_disk_leaves_whole_lines_and_is_recovered_from(disk: SmallDisk) -> None:
    path = disk.folder / "events.jsonl"
    ballast = disk.folder / "ballast"
    await asyncio.to_thread(ballast.write_bytes, bytes(100_000))
    async with JsonLines.open(path) as log:
        await log.deliver(lines(1, size=1000))
        with pytest.raises(StoreFull, match="no space is left"):
            await log.deliver(lines(2, 3, 4, size=100_000))
        assert numbers(path) == [1]
        await asyncio.to_thread(ballast.unlink)
        await log.deliver(lines(2, 3, size=100_000))
    assert numbers(path) == [1, 2, 3]
