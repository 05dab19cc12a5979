"""Webhooks over HTTP: told once of each event, signed, again until it arrives, and never past the guard."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from tests.support.accounts import KEY
from tests.support.certificates import Certificates
from tests.support.service import Client, Running, small_service

from leadline.fetch.guard import Guard
from leadline.fetch.posting import GuardedPosts
from leadline.ports.access import Role
from leadline.resilience import SystemClock
from leadline.service.hooks import Sender
from leadline.service.routes import webhooks

HOOK = {"url": "http://127.0.0.1/hook", "events": ["run_finished"]}
METADATA = "http://169.254.169.254/latest/meta-data"


@dataclass
class Receiver:
    """An address that is told: what came, and what it answers, in turn; then always 204."""

    url: str
    answers: list[Callable[[], Coroutine[Any, Any, web.Response]]] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        self.news.set()
        return await self.answers.pop(0)() if self.answers else web.Response(status=204)

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def receiving(tls: Any = None) -> AsyncIterator[Receiver]:
    receiver = Receiver("")
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def answering(status: int, **headers: str) -> Callable[[], Coroutine[Any, Any, web.Response]]:
    async def answer() -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return answer


async def silence() -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


@pytest.fixture
async def hooked(store: dict[str, str], tmp_path: Path) -> AsyncIterator[Running]:
    """A service that can keep secrets and may reach receivers on loopback."""
    flags = {**store, "secrets__key": KEY, "fetch__allow_private": "127.0.0.0/8"}
    async with small_service(tmp_path, flags) as running:
        yield running


async def ended(client: Client, hook: str, *, attempts: int = 1, state: str = "delivered") -> Any:
    """Return the only delivery of a webhook, once it stands so."""
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(f"/v1/webhooks/{hook}/deliveries")).body
            if found and (found[0]["attempts"], found[0]["state"]) == (attempts, state):
                (only,) = found
                return only
            await asyncio.sleep(0.05)


async def test_a_webhook_is_told_once_what_it_wants_and_can_check_who_tells_it(hooked: Running, tenant: str) -> None:
    admin = await hooked.caller(tenant, Role.ADMIN)
    before = await admin.research(web=False)
    await admin.ended(before)
    async with receiving() as receiver:
        made = (await admin.post("/v1/webhooks", {**HOOK, "url": receiver.url})).body
        run = await admin.research(web=False, continues=before)
        await admin.ended(run)
        await receiver.wait(1)
        told = await ended(admin, made["webhook"]["id"])
        assert (told["run_id"], told["event"], told["status"]) == (run, "run_finished", 204)
    ((headers, body),) = receiver.got
    payload = json.loads(body)
    assert payload["type"] == "run_finished"
    assert (payload["data"]["run_id"], payload["data"]["state"]) == (run, "done")
    changes = payload["data"]["changes"]
    assert (changes.pop("earlier"), set(changes.values())) == (before, {0})
    assert b"Skerryvore" not in body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == told["id"]
    listed = await admin.get("/v1/webhooks")
    assert listed.body == [made["webhook"]]
    assert made["secret"] not in listed.raw.decode()
    assert (await admin.ask("DELETE", f"/v1/webhooks/{made['webhook']['id']}")).status == 204
    assert (await admin.get(f"/v1/webhooks/{made['webhook']['id']}/deliveries")).status == 404


async def test_what_fails_is_sent_again_with_the_same_id(tmp_path: Path) -> None:
    async with hooked_sender(tmp_path) as (running, admin, sender), receiving() as receiver:
        receiver.answers = [answering(500), answering(302, Location=METADATA), answering(429, Retry_After="0")]
        hook = (await admin.post("/v1/webhooks", {**HOOK, "url": receiver.url})).body["webhook"]["id"]
        for _ in range(4):
            await noted(running, "acme")
            (delivery,) = await running.services.accounts.deliveries.claim("test", lease=30)
            await sender.send(delivery)
        told = await ended(admin, hook, attempts=4)
    assert told["status"] == 204
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 4


@pytest.mark.parametrize("kind", ["metadata", "silent", "tls", "gone", "nobody"])
async def test_what_cannot_be_told_is_given_up_and_the_log_says_why(tmp_path: Path, kind: str) -> None:
    tls = Certificates.create(tmp_path).server("localhost") if kind == "tls" else None
    wanted = {
        "metadata": "forbidden: ",
        "silent": "fetch_timeout: ",
        "tls": "fetch_failed: the certificate",
        "gone": "it answered with status 410",
        "nobody": "fetch_unavailable: ",
    }
    async with hooked_sender(tmp_path, delays=()) as (running, admin, sender), receiving(tls) as receiver:
        receiver.answers = {"silent": [silence], "gone": [answering(410)]}.get(kind, [])
        url = {"metadata": METADATA, "nobody": "http://127.0.0.1:9/hook"}.get(kind, receiver.url)
        # The service refuses such an address when it is made; a name may lead there later.
        made = await running.services.accounts.webhooks.create("acme", url=url, events=["run_finished"], made_by="test")
        await noted(running, "acme")
        (delivery,) = await running.services.accounts.deliveries.claim("test", lease=30)
        await sender.send(delivery)
        told = await ended(admin, made.webhook.id, state="failed")
    assert told["problem"].startswith(wanted[kind])
    assert told["next_at"] is None


async def test_addresses_within_and_what_is_no_address_are_refused(hooked: Running, tenant: str, other: str) -> None:
    admin, stranger = await hooked.caller(tenant, Role.ADMIN), await hooked.caller(other, Role.ADMIN)
    for url in (METADATA, "http://10.0.0.1/hook", "ftp://a.example/", "http://u:p@a.example/", "http://[::1]/hook"):
        answer = await admin.post("/v1/webhooks", {**HOOK, "url": url})
        assert (answer.status, url) == (400, url)
    assert (await admin.post("/v1/webhooks", {**HOOK, "events": ["anything"]})).status == 422
    made = (await admin.post("/v1/webhooks", {**HOOK, "url": "https://a.example/hook"})).body["webhook"]["id"]
    assert (await stranger.get(f"/v1/webhooks/{made}/deliveries")).status == 404
    assert (await stranger.ask("DELETE", f"/v1/webhooks/{made}")).status == 404
    assert (await stranger.get("/v1/webhooks")).body == []


async def test_a_tenant_has_only_so_many(hooked: Running, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST", 1)
    admin = await hooked.caller(tenant, Role.ADMIN)
    assert (await admin.post("/v1/webhooks", HOOK)).status == 201
    assert (await admin.post("/v1/webhooks", HOOK)).status == 409


async def test_a_service_without_a_key_for_secrets_says_so(service: Running, tenant: str) -> None:
    answer = await (await service.caller(tenant, Role.ADMIN)).post("/v1/webhooks", {**HOOK, "url": "https://a.example"})
    assert answer.status == 400
    assert "not set up" in answer.body["detail"]


@asynccontextmanager
async def hooked_sender(
    folder: Path, *, delays: tuple[float, ...] = (0.0,) * 5
) -> AsyncIterator[tuple[Running, Client, Sender]]:
    """Yield a service whose own sender rests, its admin, and a sender without patience."""
    flags = {"secrets__key": KEY, "fetch__allow_private": "127.0.0.0/8"}
    guard = Guard(allow_private=["127.0.0.0/8"])
    async with (
        small_service(folder, flags) as running,
        GuardedPosts.open(guard, now=SystemClock().now, seconds=1.0) as posts,
    ):
        accounts = running.services.accounts
        admin = await running.caller("acme", Role.ADMIN)
        running.leaving.begin()
        sender = Sender(
            deliveries=accounts.deliveries,
            webhooks=accounts.webhooks,
            posts=posts,
            clock=SystemClock(),
            random=Random(1),
            owner="test",
            delays=delays,
        )
        yield running, admin, sender


async def noted(running: Running, tenant: str) -> None:
    """Note an event of a run."""
    await running.services.accounts.deliveries.enqueue(tenant, event="run_finished", run_id="r1", body=b"{}")
