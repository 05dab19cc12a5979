from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import psutil
import pytest
from tests.support.quick import within
from tests.unit.extract.documents import archive, docx, paragraph, pdf

from leadline.errors import (
    BrokenDocument,
    EncryptedDocument,
    ExtractError,
    ExtractTimeout,
    TooLarge,
    UnknownFormat,
)
from leadline.extract.children import ExtractPool
from leadline.extract.registry import extract
from leadline.extract.types import MIB, Extracted, Limits

# Nesting so deep costs the HTML parser minutes: time grows with the square of the depth.
ENDLESS = b"<div>" * 900_000


Children: TypeAlias = Callable[[], list[psutil.Process]]


@pytest.fixture(autouse=True)
def children() -> Iterator[Children]:
    """The living children of this process that the test started; none may outlive it.

    Other tests leave some behind that end with the interpreter, as `multiprocessing`'s tracker does.
    """
    before = {child.pid for child in psutil.Process().children()}

    def started() -> list[psutil.Process]:
        now = [child for child in psutil.Process().children() if child.pid not in before]
        return [child for child in now if child.status() != psutil.STATUS_ZOMBIE]

    yield started
    assert started() == []


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 other processes set no event of ours
            await asyncio.sleep(0.01)


async def test_a_child_gives_what_the_parser_gives(tmp_path: Path) -> None:
    raw = docx(paragraph("Ünïcode 中文 𝒜") + paragraph("second"))
    path = tmp_path / "a.docx"
    path.write_bytes(raw)
    async with ExtractPool(workers=1) as pool:
        by_bytes = await pool.extract(raw, name="a.docx")
        by_path = await pool.extract(path)
    assert by_bytes == by_path == extract(raw, name="a.docx")


async def test_large_text_comes_back_whole() -> None:
    text = "длинный текст 中文 with words 𝒜\n" * 200_000
    async with ExtractPool(workers=1) as pool:
        result = await pool.extract(text.encode(), name="a.txt")
    assert result.text == text


async def test_fifty_megabytes_are_cut_at_the_cap() -> None:
    async with ExtractPool(workers=1) as pool:
        result = await pool.extract(b"word " * 10_000_000, name="a.txt")
    assert (len(result.text), result.truncated) == (Limits().chars, True)


@pytest.mark.parametrize(
    ("raw", "name", "kind"),
    [
        (bytes(range(256)), "a.bin", UnknownFormat),
        (b"%PDF-1.7 rubbish", "a.pdf", BrokenDocument),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            EncryptedDocument,
        ),
        (archive({"word/document.xml": b" " * 80_000_000}), "a.docx", TooLarge),
        (b"x" * 2_000_001, "a.txt", TooLarge),
    ],
)
async def test_failures_keep_their_class_and_name_the_file(raw: bytes, name: str, kind: type[ExtractError]) -> None:
    async with ExtractPool(workers=1, limits=Limits(bytes=2_000_000)) as pool:
        with pytest.raises(kind, match=name.replace(".", r"\.")) as caught:
            await pool.extract(raw, name=name)
        assert type(caught.value) is kind
        assert (await pool.extract(b"alive", name="b.txt")).text == "alive"


async def test_a_parser_that_takes_too_long_is_killed() -> None:
    async with ExtractPool(workers=1, limits=Limits(seconds=1)) as pool:
        with within(10), pytest.raises(ExtractTimeout, match=r"`a\.html` took longer than 1 s"):
            await pool.extract(ENDLESS, name="a.html")
        assert (await pool.extract(b"alive", name="b.txt")).text == "alive"


async def test_a_parser_that_needs_too_much_memory_is_stopped() -> None:
    async with ExtractPool(workers=1, limits=Limits(memory=192 * MIB)) as pool:
        with pytest.raises(TooLarge, match=r"`a\.txt` needs more than 192 MiB"):
            await pool.extract(b"word " * 12_000_000, name="a.txt")
        assert (await pool.extract(b"alive", name="b.txt")).text == "alive"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_crash_costs_only_its_document(number: signal.Signals, children: Children) -> None:
    async with ExtractPool(workers=1) as pool:
        task = asyncio.get_running_loop().create_task(pool.extract(ENDLESS, name="a.html"))
        await _until(lambda: bool(pool._busy))
        children()[0].send_signal(number)
        with pytest.raises(BrokenDocument, match=rf"`a\.html` made its parser crash \(signal {number.name}\)"):
            await task
        assert (await pool.extract(b"alive", name="b.txt")).text == "alive"


async def test_a_child_that_died_idle_costs_no_document(children: Children) -> None:
    async with ExtractPool(workers=1) as pool:
        await pool.extract(b"one", name="a.txt")
        child = children()[0]
        child.kill()
        await _until(lambda: pool._idle[0].has_ended)
        assert (await pool.extract(b"two", name="b.txt")).text == "two"
        assert children()[0].pid != child.pid


async def test_cancelling_kills_the_work(children: Children) -> None:
    async with ExtractPool(workers=1) as pool:
        task = asyncio.get_running_loop().create_task(pool.extract(ENDLESS, name="a.html"))
        await _until(lambda: bool(pool._busy))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() == []
        assert (await pool.extract(b"alive", name="b.txt")).text == "alive"


async def test_cancelling_at_the_start_leaves_no_process(children: Children) -> None:
    async with ExtractPool(workers=1) as pool:
        task = asyncio.get_running_loop().create_task(pool.extract(b"x", name="a.txt"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _until(lambda: not children())


async def test_a_child_that_breaks_the_protocol_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.extract.frames.MAX_HEADER", 20)
    async with ExtractPool(workers=1) as pool:
        with pytest.raises(BrokenDocument, match="misbehave"):
            await pool.extract(b"x", name="a.txt")


async def test_children_are_recycled(children: Children) -> None:
    async with ExtractPool(workers=1, recycle_after=2) as pool:
        seen = []
        for _ in range(4):
            await pool.extract(b"x", name="a.txt")
            seen.append([child.pid for child in children()])
    assert len(seen[0]) == len(seen[2]) == 1
    assert seen[1] == seen[3] == []
    assert seen[0] != seen[2]


async def test_a_child_inherits_nothing(monkeypatch: pytest.MonkeyPatch, children: Children) -> None:
    monkeypatch.setenv("LEADLINE_MODEL__API_KEY", "s3cret")
    async with ExtractPool(workers=1) as pool:
        await pool.extract(b"x", name="a.txt")
        child = children()[0]
        assert set(child.environ()) <= {"PATH", "LANG", "LC_CTYPE", "MALLOC_ARENA_MAX"}
        assert child.net_connections() == []
        assert {entry.fd for entry in child.open_files()} <= {0, 1, 2}
        assert child.num_fds() == 5
        assert resource.prlimit(child.pid, resource.RLIMIT_CORE) == (0, 0)
        assert resource.prlimit(child.pid, resource.RLIMIT_FSIZE) == (0, 0)
        assert resource.prlimit(child.pid, resource.RLIMIT_AS)[0] == Limits().memory
        assert os.getsid(child.pid) != os.getsid(0)


async def test_many_files_at_once_come_with_their_failures(tmp_path: Path) -> None:
    paths = []
    for number in range(60):
        path = tmp_path / f"{number}.txt"
        path.write_text(f"text {number}", "utf-8")
        paths.append(path)
    paths[7].write_bytes(bytes(range(256)))
    paths[9].unlink()
    paths[11].unlink()
    paths[11].symlink_to(paths[12])
    paths[13].unlink()
    os.mkfifo(paths[13])
    paths[15] = tmp_path / "15.pdf"
    paths[15].write_bytes(pdf("Page text"))
    async with ExtractPool(workers=2) as pool:
        results = await asyncio.gather(*map(pool.extract, paths), return_exceptions=True)
    found = list(zip(paths, results, strict=True))
    failed = {int(path.stem): type(result) for path, result in found if isinstance(result, BaseException)}
    assert failed == {7: UnknownFormat, 9: BrokenDocument, 11: BrokenDocument, 13: BrokenDocument}
    texts = {int(path.stem): result.text for path, result in found if isinstance(result, Extracted)}
    assert texts[0] == "text 0"
    assert texts[15] == "Page text"


async def test_a_closed_pool_refuses() -> None:
    pool = ExtractPool(workers=1)
    await pool.close()
    with pytest.raises(ExtractError, match="closed"):
        await pool.extract(b"x", name="a.txt")


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ExtractPool(workers=0)
