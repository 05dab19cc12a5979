"""Links over HTTP: the report and its sources without a key, and nothing else, for as long as the link is open."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import aiohttp
from tests.support.s3 import running_s3
from tests.support.service import Client, Running, small_service

from leadline.ports.access import Role
from leadline.service.routes.shares import DAY, HEADER


def holder(service: Running, token: str) -> Client:
    """Return who has a link and no key."""
    client = service.client()
    client._headers[HEADER] = token
    return client


async def test_a_link_opens_the_report_and_its_sources_and_nothing_else(
    service: Running, tenant: str, other: str
) -> None:
    client, stranger = await service.caller(tenant), await service.caller(other)
    run = await client.research()
    await client.ended(run)
    path = f"/v1/research/{run}/shares"
    assert (await stranger.post(path, {})).status == 404
    made = await client.post(path, {"days": 2})
    assert made.status == 201, made.raw
    (listed,) = (await client.get(path)).body
    assert listed == {name: value for name, value in made.body.items() if name != "token"}

    anybody = holder(service, made.body["token"])
    report = await anybody.get("/v1/shared/report")
    own = await client.get(f"/v1/research/{run}/report")
    assert (report.status, report.body) == (200, own.body)
    assert "noindex" in report.headers["X-Robots-Tag"]
    assert report.headers["Cache-Control"] == "no-store"
    source = own.body["sources"][0]["id"]
    shared = await anybody.get(f"/v1/shared/sources/{source}")
    assert (shared.status, shared.body) == (200, (await client.get(f"/v1/research/{run}/sources/{source}")).body)
    assert "noindex" in shared.headers["X-Robots-Tag"]
    assert (await anybody.get("/v1/shared/sources/none")).status == 404
    assert (await anybody.get("/v1/shared/report?format=md")).status == 200
    assert (await anybody.get(f"/v1/research/{run}")).status == 401
    assert (await anybody.post(path, {})).status == 401
    assert (await service.client().get("/v1/shared/report")).status == 422

    assert (await stranger.ask("DELETE", f"/v1/shares/{listed['id']}")).status == 404
    assert (await client.ask("DELETE", f"/v1/shares/{listed['id']}")).body["revoked_at"] is not None
    assert (await anybody.get("/v1/shared/report")).status == 404
    assert (await anybody.get(f"/v1/shared/sources/{source}")).status == 404


async def test_a_link_ends_with_its_time_and_with_its_run(service: Running, tenant: str) -> None:
    client = await service.caller(tenant)
    run = await client.research(web=False)
    await client.ended(run)
    shares = service.services.accounts.shares
    now = service.services.platform.clock.now()
    over = await shares.create(tenant, run, made_by="test", expires_at=now - 60)
    good = await shares.create(tenant, run, made_by="test", expires_at=now + DAY)
    assert (await holder(service, over.token).get("/v1/shared/report")).status == 404
    assert (await holder(service, good.token).get("/v1/shared/report")).status == 200
    assert (await client.ask("DELETE", f"/v1/research/{run}")).status == 204
    assert (await holder(service, good.token).get("/v1/shared/report")).status == 404


async def test_looks_are_counted_for_a_link_and_for_who_tries_tokens(tmp_path: Path) -> None:
    async with small_service(tmp_path, {"admission__key_rate": "0.01", "admission__key_burst": "2"}) as service:
        client = await service.caller("acme")
        run = await service.held_elsewhere("acme")
        share = await service.services.accounts.shares.create("acme", run.id, made_by="test")
        anybody, guesser = holder(service, share.token), holder(service, "x" * 43)
        assert [(await anybody.get("/v1/shared/report")).status for _ in range(3)] == [409, 409, 429]
        assert [(await guesser.get("/v1/shared/report")).status for _ in range(3)] == [404, 404, 429]
        assert (await client.get(f"/v1/research/{run.id}")).status == 200


async def test_no_link_to_an_export_is_given_from_a_folder(service: Running, tenant: str, other: str) -> None:
    client, stranger = await service.caller(tenant), await service.caller(other)
    run = await client.research()
    await client.ended(run)
    refused = await client.post(f"/v1/research/{run}/export/link", {})
    assert (refused.status, "no links" in refused.body["detail"]) == (409, True)
    assert (await stranger.post(f"/v1/research/{run}/export/link", {})).status == 404


async def test_an_export_lies_in_the_bucket_for_whoever_has_the_link(tmp_path: Path) -> None:
    with running_s3(tmp_path / "s3") as server:
        bucket = server.bucket()
        flags = {
            "blobs": f"s3://{bucket.name}",
            "s3__endpoint": server.endpoint,
            "s3__access_key": bucket.access_key or "",
            "s3__secret_key": bucket.secret_key or "",
            "s3__link_seconds": "60",
        }
        async with small_service(tmp_path / "data", flags) as running:
            client = await running.caller("tenant-s3")
            run = await client.research()
            await client.ended(run)
            made = await client.post(f"/v1/research/{run}/export/link", {})
            assert made.status == 201, made.raw
            admin = await running.caller("tenant-s3", Role.ADMIN)
            entries = (await admin.get("/v1/audit")).body["items"]
            assert any(entry["object"] == run for entry in entries), entries
            assert made.body["url"] not in str(entries)
            async with aiohttp.ClientSession() as anybody, anybody.get(made.body["url"]) as answer:
                assert answer.status == 200
                assert f"{run}.zip" in answer.headers["Content-Disposition"]
                fetched = await answer.read()
    with zipfile.ZipFile(BytesIO(fetched)) as packed:
        assert "manifest.json" in packed.namelist()
