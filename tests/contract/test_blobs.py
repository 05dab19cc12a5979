"""What every blob store promises; runs over each of them."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.ceph import Ceph, make_bucket, running_ceph
from tests.support.s3 import S3Server, running_s3

from leadline.blobs.directory import DirectoryBlobs
from leadline.blobs.memory import MemoryBlobs
from leadline.blobs.s3 import S3Blobs
from leadline.domain import sha256
from leadline.errors import BlobMissing
from leadline.ports import Blobs, Bodies

BODIES = [b"", b"a", "有多深？\n".encode() * 5000, os.urandom(100_000), bytes(3_000_000)]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def ceph() -> Iterator[Ceph]:
    with running_ceph() as server:
        make_bucket(server, "tests")
        yield server


CEPH = [pytest.mark.server("ceph"), pytest.mark.soak, pytest.mark.xdist_group("ceph"), pytest.mark.timeout(300)]


@pytest.fixture(
    params=[
        "directory",
        "memory",
        pytest.param("s3", marks=pytest.mark.xdist_group("s3")),
        pytest.param("ceph", marks=CEPH),
    ]
)
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bodies]:
    if request.param == "memory":
        yield MemoryBlobs()
        return
    if request.param in {"s3", "ceph"}:
        bucket = request.getfixturevalue(request.param).bucket(f"pre/{tmp_path.name}")
        async with S3Blobs.open(bucket, copies=tmp_path / "copies") as opened_bucket:
            yield opened_bucket
        return
    async with DirectoryBlobs(tmp_path / "blobs") as opened:
        yield opened


@pytest.mark.parametrize("body", BODIES, ids=len)
async def test_a_body_comes_back_under_its_hash(blobs: Blobs, body: bytes) -> None:
    name = await blobs.put("t", body)
    assert name == sha256(body)
    assert await blobs.has("t", name)
    assert await blobs.get("t", name) == body
    assert await blobs.put("t", body) == name


@pytest.mark.parametrize("body", [*BODIES, b"light " * 1_600_000, os.urandom(9_000_000)], ids=len)
async def test_a_file_is_stored_as_its_bytes_are(blobs: Bodies, body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(body)
    with path.open("rb") as file:
        file.read(1)
        name = await blobs.put_file("t", file)
        assert name == sha256(body)
        assert await blobs.get("t", name) == body
        assert await blobs.put_file("t", file) == name
    assert await blobs.put("t", body) == name
    assert [found async for page in blobs.names("t") for found in page] == [name]


async def test_names_are_those_of_a_tenants_bodies(blobs: Bodies) -> None:
    stored = {await blobs.put("t", b"%d" % number) for number in range(20)}
    other = await blobs.put("other", b"else")
    assert [name async for page in blobs.names("nobody") for name in page] == []
    found = [name async for page in blobs.names("t") for name in page]
    assert sorted(found) == sorted(stored)
    assert other not in found


async def test_what_is_not_there_is_missing(blobs: Blobs) -> None:
    assert not await blobs.has("t", "0" * 64)
    with pytest.raises(BlobMissing):
        await blobs.get("t", "0" * 64)
    with pytest.raises(BlobMissing):
        await asyncio.to_thread(blobs.reader("t").read, "0" * 64)


@pytest.mark.parametrize("name", ["", "abc", "../../../../etc/passwd", "A" * 64, "0" * 65])
async def test_a_name_that_is_no_hash_names_nothing(blobs: Blobs, name: str) -> None:
    assert not await blobs.has("t", name)
    with pytest.raises(BlobMissing):
        await blobs.get("t", name)


@pytest.mark.parametrize(
    "pair",
    [("a", "b"), ("a", "A"), ("..", "."), ("", " "), ("a/b", "a"), ("x" * 300, "x" * 301)],
)
async def test_tenants_share_nothing(blobs: Blobs, pair: tuple[str, str]) -> None:
    mine, theirs = pair
    name = await blobs.put(mine, b"secret")
    assert await blobs.has(mine, name)
    assert not await blobs.has(theirs, name)
    with pytest.raises(BlobMissing):
        await asyncio.to_thread(blobs.reader(theirs).read, name)
    assert await blobs.sweep(theirs, frozenset(), older_than=time.time() + 60) == 0
    assert await blobs.get(mine, name) == b"secret"


async def test_sweep_deletes_what_is_old_and_not_kept(blobs: Blobs) -> None:
    kept = await blobs.put("t", b"kept")
    gone = await blobs.put("t", b"gone")
    assert await blobs.sweep("t", frozenset({kept}), older_than=time.time() - 60) == 0
    assert await blobs.has("t", gone)
    assert await blobs.sweep("t", frozenset({kept}), older_than=time.time() + 60) > 0
    assert await blobs.has("t", kept)
    assert not await blobs.has("t", gone)
    assert await blobs.put("t", b"gone") == gone
    assert await blobs.get("t", gone) == b"gone"


async def test_a_reader_reads_texts_and_travels(blobs: Blobs) -> None:
    name = await blobs.put("t", "有多深".encode())
    reader = blobs.reader("t")
    assert await asyncio.to_thread(reader.read, name) == "有多深"
    travelled = pickle.loads(pickle.dumps(reader))  # noqa: S301 our own object
    assert await asyncio.to_thread(travelled.read, name) == "有多深"


async def test_a_body_that_is_no_text_is_missing_as_one(blobs: Blobs) -> None:
    name = await blobs.put("t", b"\xff\xfe\xff")
    with pytest.raises(BlobMissing):
        await asyncio.to_thread(blobs.reader("t").read, name)
