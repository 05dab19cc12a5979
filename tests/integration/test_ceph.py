"""Bodies in a Ceph: what rclone's server does not show. Conditions, links that end, quotas, parts, an outage of storage."""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from obstore.exceptions import AlreadyExistsError
from tests.support.ceph import Ceph, make_bucket, running_ceph, used_bytes

from leadline.blobs.s3 import PART, S3Blobs
from leadline.domain import sha256
from leadline.errors import BlobMissing, StoreFull, StoreUnavailable

pytestmark = [
    pytest.mark.server("ceph"),
    pytest.mark.soak,
    pytest.mark.xdist_group("ceph"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def ceph() -> Iterator[Ceph]:
    with running_ceph() as server:
        make_bucket(server, "tests")
        yield server


async def test_a_condition_is_kept(ceph: Ceph, tmp_path: Path) -> None:
    """Of many that store one body at once, one uploads it."""
    bucket = ceph.bucket(tmp_path.name)
    body = os.urandom(100_000)
    async with S3Blobs.open(bucket, copies=tmp_path / "copies") as blobs:
        async with asyncio.TaskGroup() as group:
            puts = [group.create_task(blobs.put("t", body)) for _ in range(8)]
        assert {put.result() for put in puts} == {sha256(body)}
        assert await blobs.get("t", sha256(body)) == body
    with pytest.raises(AlreadyExistsError):
        await bucket.open().put_async(bucket.key("t", sha256(body)), b"other", mode="create")


async def test_large_bodies_go_up_in_parts_and_are_counted_once(ceph: Ceph, tmp_path: Path) -> None:
    await asyncio.to_thread(make_bucket, ceph, "parts")
    async with S3Blobs.open(ceph.bucket(name="parts"), copies=tmp_path / "copies") as blobs:
        body = os.urandom(5 * PART + 1)
        name = await blobs.put("t", body)
        assert await blobs.get("t", name) == body
        assert await blobs.put("t", body) == name
    assert await asyncio.to_thread(used_bytes, ceph, "parts") == len(body)


async def test_a_link_ends(ceph: Ceph, tmp_path: Path) -> None:
    async with S3Blobs.open(ceph.bucket(tmp_path.name), copies=tmp_path / "copies") as blobs:
        address = await blobs.link("t", BytesIO(b"body" * 1000), name="Bericht ü.zip", seconds=2)

        def fetched() -> tuple[bytes, str | None]:
            with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 an address of our own server
                return answer.read(), answer.headers["Content-Disposition"]

        body, disposition = await asyncio.to_thread(fetched)
        assert body == b"body" * 1000
        assert disposition == "attachment; filename*=UTF-8''Bericht%20%C3%BC.zip"
        await asyncio.sleep(3)
        with pytest.raises(urllib.error.HTTPError) as refused:
            await asyncio.to_thread(fetched)
        assert refused.value.code == 403
        refused.value.close()


async def test_a_quota_that_is_reached_is_a_full_store(ceph: Ceph, tmp_path: Path) -> None:
    await asyncio.to_thread(make_bucket, ceph, "small")
    quota = ("quota", "--quota-scope=bucket", "--bucket=small")
    await asyncio.to_thread(ceph.admin, quota[0], "set", *quota[1:], "--max-size=1000000")
    await asyncio.to_thread(ceph.admin, quota[0], "enable", *quota[1:])
    async with S3Blobs.open(ceph.bucket(name="small"), copies=tmp_path / "copies") as blobs:
        first = await blobs.put("t", os.urandom(300_000))
        with pytest.raises(StoreFull, match="QuotaExceeded"):
            await blobs.put("t", os.urandom(2_000_000))
        assert await blobs.has("t", first)


async def test_another_ones_key_is_refused(ceph: Ceph, tmp_path: Path) -> None:
    await asyncio.to_thread(
        ceph.admin, "user", "create", "--uid=other", "--display-name=o", "--access-key=other", "--secret-key=theirs"
    )
    bucket = ceph.bucket()
    for key, secret in (("other", "theirs"), ("nobody", "x"), (bucket.access_key, "wrong")):
        wrong = type(bucket)(name="tests", endpoint=ceph.endpoint, access_key=key, secret_key=secret)
        with pytest.raises(StoreUnavailable):
            async with S3Blobs.open(wrong, copies=tmp_path):
                raise AssertionError("it cannot be open")


async def test_a_sweep_of_many(ceph: Ceph, tmp_path: Path) -> None:
    async with S3Blobs.open(ceph.bucket(tmp_path.name), copies=tmp_path / "copies") as blobs:
        async with asyncio.TaskGroup() as group:
            puts = [group.create_task(blobs.put("t", b"%d" % number)) for number in range(1_200)]
        names = [put.result() for put in puts]
        keep = frozenset(names[::2])
        assert await blobs.sweep("t", keep, older_than=4e9) > 0
        assert [name for name in names[:40] if await blobs.has("t", name)] == names[:40:2]
        with pytest.raises(BlobMissing):
            await blobs.get("t", names[1])
