"""What is a bucket's own about the blob store: large bodies, races, links, copies on the machine, failures."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.support.s3 import S3Server, running_s3

from leadline.blobs import s3, s3_reader
from leadline.blobs.s3 import PART, S3Blobs
from leadline.blobs.s3_place import Bucket
from leadline.blobs.s3_reader import Copies
from leadline.domain import sha256
from leadline.errors import BlobMissing, StoreFull, StoreUnavailable

pytestmark = pytest.mark.xdist_group("s3")

FAR = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def bucket(server: S3Server, tmp_path: Path) -> Bucket:
    return server.bucket(f"here/{tmp_path.name}")


@pytest.fixture
async def blobs(bucket: Bucket, tmp_path: Path) -> AsyncIterator[S3Blobs]:
    async with S3Blobs.open(bucket, copies=tmp_path / "copies") as opened:
        yield opened


async def objects(bucket: Bucket) -> dict[str, int]:
    """Return the size of each object of a test, by its key."""
    pages = [page async for page in bucket.open().list(f"{bucket.prefix}/")]
    return {found["path"].removeprefix(f"{bucket.prefix}/"): found["size"] for page in pages for found in page}


async def overwrite(bucket: Bucket, tenant: str, name: str, stored: bytes) -> None:
    await bucket.open().put_async(bucket.key(tenant, name), stored)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_the_tenant_stands_first_behind_the_prefix(blobs: S3Blobs, bucket: Bucket) -> None:
    name = await blobs.put("acme", b"body" * 1000)
    other = await blobs.put("../acme", b"body" * 1000)
    assert name == other
    places = await objects(bucket)
    assert f"acme/{name}" in places
    assert len(places) == 2
    assert {place[0] for place in places} == {"a", "="}
    assert places[f"acme/{name}"] < 100


async def test_a_large_body_goes_up_in_parts(blobs: S3Blobs) -> None:
    body = os.urandom(2 * PART + 5)
    name = await blobs.put("t", body)
    assert await blobs.get("t", name) == body


async def test_writers_of_one_body_do_not_harm_each_other(blobs: S3Blobs, bucket: Bucket) -> None:
    body = os.urandom(50_000)
    async with asyncio.TaskGroup() as group:
        puts = [group.create_task(blobs.put("t", body)) for _ in range(8)]
    assert {put.result() for put in puts} == {sha256(body)}
    assert list(await objects(bucket)) == [f"t/{sha256(body)}"]
    assert await blobs.get("t", sha256(body)) == body


async def test_storing_an_old_body_again_makes_it_new(
    blobs: S3Blobs, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await blobs.put("t", b"again")
    await overwrite(bucket, "t", name, b"other bytes, to tell whether it is written")
    await blobs.put("t", b"again")
    with pytest.raises(BlobMissing):
        await blobs.get("t", name)
    monkeypatch.setattr(s3, "RENEW_SECONDS", -FAR)
    await blobs.put("t", b"again")
    assert await blobs.get("t", name) == b"again"


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"\x28\xb5\x2f\xfd\x00", b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 20])
async def test_damage_is_told_never_returned(blobs: S3Blobs, bucket: Bucket, damage: bytes) -> None:
    name = await blobs.put("t", b"body" * 500)
    await overwrite(bucket, "t", name, damage)
    with pytest.raises(BlobMissing, match="damaged"):
        await blobs.get("t", name)


# --- links


async def test_a_link_gives_the_body_as_a_file_to_who_knows_it(blobs: S3Blobs) -> None:
    body = b"zip" * 10_000
    address = await blobs.link("t", BytesIO(body), name="Bericht ü.zip", seconds=30)
    async with aiohttp.ClientSession() as session:
        async with session.get(address) as answer:
            assert answer.status == 200
            assert await answer.read() == body
        async with session.get(address.partition("?")[0]) as unsigned:
            assert unsigned.status in {400, 401, 403}
        async with session.get(address[:-1] + ("0" if address[-1] != "0" else "1")) as forged:
            assert forged.status in {400, 401, 403}


async def test_a_large_file_goes_up_in_parts(blobs: S3Blobs) -> None:
    body = bytes(range(256)) * (PART // 256) + b"end"
    address = await blobs.link("t", BytesIO(body), name="x.zip", seconds=30)
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert await answer.read() == body


async def test_a_link_lasts_an_hour_at_most(blobs: S3Blobs) -> None:
    assert "X-Amz-Expires=3600&" in await blobs.link("t", BytesIO(b"x"), name="x", seconds=86_400)


async def test_a_sweep_takes_what_links_left(blobs: S3Blobs, bucket: Bucket) -> None:
    name = await blobs.put("t", b"x" * 2000)
    await blobs.link("t", BytesIO(b"a file"), name="x", seconds=30)
    assert len(await objects(bucket)) == 2
    await blobs.sweep("t", frozenset({name}), older_than=time.time() - FAR)
    assert len(await objects(bucket)) == 2
    await blobs.sweep("t", frozenset({name}), older_than=time.time() + FAR)
    assert list(await objects(bucket)) == [f"t/{name}"]


# --- copies


async def test_texts_that_were_used_are_read_from_this_machine(blobs: S3Blobs, bucket: Bucket, tmp_path: Path) -> None:
    name = await blobs.put("t", "有多深".encode() * 300)
    async with S3Blobs.open(bucket, copies=tmp_path / "elsewhere") as other:
        reader = other.reader("t")
        assert await asyncio.to_thread(reader.read, name) == "有多深" * 300
        assert len(files(tmp_path / "elsewhere")) == 1
    await bucket.open().delete_async(bucket.key("t", name))
    fresh = s3_reader.S3Reader(bucket, tmp_path / "elsewhere", s3.COPY_BYTES, "t")
    assert await asyncio.to_thread(fresh.read, name) == "有多深" * 300
    assert await asyncio.to_thread(pickle.loads(pickle.dumps(fresh)).read, name) == "有多深" * 300  # noqa: S301 our own object
    with pytest.raises(BlobMissing):
        await asyncio.to_thread(s3_reader.S3Reader(bucket, tmp_path / "third", s3.COPY_BYTES, "t").read, name)


async def test_a_damaged_copy_is_read_anew(blobs: S3Blobs, tmp_path: Path) -> None:
    name = await blobs.put("t", b"text" * 300)
    (copy,) = files(tmp_path / "copies")
    await asyncio.to_thread(copy.write_bytes, b"rubbish")
    assert await asyncio.to_thread(blobs.reader("t").read, name) == "text" * 300


async def test_what_a_sweep_deletes_has_no_copy_here(blobs: S3Blobs, tmp_path: Path) -> None:
    await blobs.put("t", b"text" * 300)
    assert len(files(tmp_path / "copies")) == 1
    await blobs.sweep("t", frozenset(), older_than=time.time() + FAR)
    assert files(tmp_path / "copies") == []


def test_copies_stay_within_their_bytes_and_go_by_use(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 100_000)
    bodies = {sha256(body): body for body in (os.urandom(10_000) for _ in range(30))}
    first = next(iter(bodies))
    for at, (name, body) in enumerate(bodies.items()):
        copies.keep("t", name, body)
        for path in files(tmp_path):
            used = time.time() if path.name == first else path.stat().st_mtime - FAR + at / 100
            os.utime(path, (used, path.stat().st_mtime))
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 110_000
    assert copies.read("t", first) == bodies[first]
    assert copies.read("t", list(bodies)[1]) is None
    copies.keep("t", sha256(b"large"), bytes(50_000))
    assert copies.read("t", sha256(b"large")) is None


def test_an_old_copy_is_none(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 100_000)
    copies.keep("t", sha256(b"x"), b"x")
    (path,) = files(tmp_path)
    old = time.time() - s3_reader.COPY_SECONDS - 1
    os.utime(path, (time.time(), old))
    assert copies.read("t", sha256(b"x")) is None


def test_a_folder_that_cannot_be_written_costs_only_the_copy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    copies = Copies(tmp_path / "file", 100_000)
    copies.keep("t", sha256(b"x"), b"x")
    assert copies.read("t", sha256(b"x")) is None


# --- failures


async def test_a_bucket_that_is_not_there_or_not_ours_is_told_at_the_start(server: S3Server, tmp_path: Path) -> None:
    bucket = server.bucket("there")
    for wrong, told in [(replace(bucket, name="missing"), "NoSuchBucket"), (replace(bucket, secret_key="no"), "Match")]:
        with pytest.raises(StoreUnavailable, match=told):
            async with S3Blobs.open(wrong, copies=tmp_path):
                raise AssertionError("it cannot be open")


async def test_a_server_that_goes_and_comes_back(tmp_path: Path) -> None:
    with running_s3(tmp_path) as own:
        async with S3Blobs.open(own.bucket(), copies=tmp_path / "copies") as blobs:
            name = await blobs.put("t", b"before")
            own.stop()
            await told_away(blobs, name)
            own.start()
            assert await blobs.get("t", name) == b"before"
            assert await blobs.put("t", b"while") == sha256(b"while")


async def told_away(blobs: S3Blobs, name: str) -> None:
    for attempt in (blobs.get("t", name), blobs.put("t", b"while"), blobs.has("t", name)):
        with pytest.raises(StoreUnavailable):
            await attempt


@asynccontextmanager
async def refusing(status: int, code: str) -> AsyncIterator[str]:
    """Run a server that lists nothing and refuses everything else with one code."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET" and "list-type" in request.query:
            listing = "<ListBucketResult><Name>b1b</Name><KeyCount>0</KeyCount></ListBucketResult>"
            return web.Response(text=listing, content_type="application/xml")
        if request.method == "HEAD":
            return web.Response(status=404)
        return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "QuotaExceeded", StoreFull),
        (403, "AccessDenied", StoreUnavailable),
        (400, "XMinioStorageFull", StoreFull),
        (400, "MalformedXML", StoreUnavailable),
    ],
)
async def test_a_refusal_says_by_its_code_what_it_means(
    status: int, code: str, kind: type[Exception], tmp_path: Path
) -> None:
    async with refusing(status, code) as endpoint:
        bucket = Bucket(name="b1b", endpoint=endpoint, access_key="k", secret_key="s")
        async with S3Blobs.open(bucket, copies=tmp_path) as blobs:
            with pytest.raises(kind, match=code):
                await blobs.put("t", b"x")


def test_the_bucket_is_named_without_its_secret() -> None:
    bucket = Bucket(name="b1b", prefix="p", endpoint="http://h", access_key="AKID", secret_key="s3cret")
    assert str(bucket) == "s3://b1b/p"
    assert "s3cret" not in repr(bucket)
