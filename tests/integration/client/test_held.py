"""Schedules, webhooks, links, secrets, usage and the audit log through the client and the commands, at a real service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.accounts import KEY
from tests.support.remote_cli import Program
from tests.support.service import QUESTION, Running, small_service

from leadline.client import AsyncClient, Client
from leadline.domain import RunState
from leadline.errors import InputError, NotPermitted, UnknownObject, UnknownRun
from leadline.ports.access import LOCAL, Role

pytestmark = pytest.mark.xdist_group("client")

HOOK = "https://hooks.example.org/told"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that can keep secrets."""
    async with small_service(tmp_path / "service", {"secrets__key": KEY}) as running:
        yield running


@pytest.fixture
async def client(running: Running) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(running.url, key=await running.key("acme", Role.ADMIN)) as client:
        yield client


async def test_schedules_are_made_rest_go_on_and_are_forgotten(client: AsyncClient) -> None:
    made = await client.schedules.add(
        QUESTION, when="every Monday 08:00", zone="Europe/Berlin", web=True, sites=("a.example",), priority=-2
    )
    assert (made.name, made.zone, made.next_at is not None) == (QUESTION[:100], "Europe/Berlin", True)
    assert made.options == {"web": True, "sites": ["a.example"], "priority": -2}
    assert await client.schedules.list() == [made]
    assert (await client.schedules.pause(made.id)).next_at is None
    assert await client.schedules.resume(made.id) == made == await client.schedules.get(made.id)
    await client.schedules.remove(made.id)
    assert await client.schedules.list() == []
    for refused in (client.schedules.get, client.schedules.pause, client.schedules.remove):
        with pytest.raises(UnknownObject):
            await refused(made.id)
    with pytest.raises(InputError):
        await client.schedules.add("q", when="now and then")
    with pytest.raises(NotPermitted):
        await client.schedules.add("q", when="every 6 hours", priority=1)


async def test_webhooks_are_made_and_forgotten_and_their_secret_is_told_once(client: AsyncClient) -> None:
    made = await client.webhooks.add(HOOK, events=["run_finished", "run_started"])
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    assert made.webhook.events == ("run_finished", "run_started")
    assert await client.webhooks.list() == [made.webhook]
    run = await client.start(QUESTION, strategy="extractive", web=False)
    await client.wait(run.id)
    async with asyncio.timeout(20):
        while len(told := await client.webhooks.deliveries(made.webhook.id)) < 2:  # noqa: ASYNC110 another part sends
            await asyncio.sleep(0.05)
    assert {(one.event, one.run_id) for one in told} == {("run_finished", run.id), ("run_started", run.id)}
    assert len(await client.webhooks.deliveries(made.webhook.id, limit=1)) == 1
    await client.webhooks.remove(made.webhook.id)
    with pytest.raises(UnknownObject):
        await client.webhooks.deliveries(made.webhook.id)
    with pytest.raises(InputError):
        await client.webhooks.add("http://169.254.169.254/latest")


async def test_links_are_made_and_closed(running: Running, client: AsyncClient) -> None:
    run = await client.start(QUESTION, strategy="extractive", web=True)
    assert (await client.wait(run.id)).state is RunState.DONE
    made = await client.shares.make(run.id, days=3)
    assert made.token not in repr(made)
    (listed,) = await client.shares.list(run.id)
    assert (listed.id, listed.run_id, listed.expires_at) == (made.id, run.id, made.expires_at)
    anybody = running.client()
    assert (await anybody.get("/v1/shared/report?format=json", X_Leadline_Share=made.token)).status == 200
    assert (await client.shares.close(made.id)).revoked_at is not None
    assert (await anybody.get("/v1/shared/report?format=json", X_Leadline_Share=made.token)).status == 404
    with pytest.raises(UnknownRun):
        await client.shares.make("rnobody")


async def test_secrets_are_set_and_never_shown(running: Running, client: AsyncClient) -> None:
    await client.secrets.set("search.serper", "sk-own")
    (listed,) = await client.secrets.list()
    assert (listed.name, listed.used, "sk-own" in repr(listed)) == ("search.serper", False, False)
    assert await running.services.accounts.vault.get("acme", "search.serper") == "sk-own"
    await client.secrets.remove("search.serper")
    with pytest.raises(UnknownObject):
        await client.secrets.remove("search.serper")
    with pytest.raises(InputError):
        await client.secrets.set("serper", "sk-own")


async def test_usage_and_the_audit_log_are_told(running: Running, client: AsyncClient) -> None:
    run = await client.start(QUESTION, strategy="extractive", web=False)
    await client.wait(run.id)
    await client.forget(run.id)
    (day,) = await client.usage()
    assert (day.runs, day.usd) == (1, 0.0)
    assert await client.usage(since="2020-01-01", until="2020-01-31") == []
    with pytest.raises(InputError):
        await client.usage(since="2020-01-02", until="2020-01-01")
    first = await client.audit(limit=1)
    rest = await client.audit(cursor=first.next)
    deeds = [(one.action, one.object, one.outcome) for one in (*first.items, *rest.items)]
    assert deeds == [("runs:delete", run.id, "done"), ("runs:start", run.id, "done")]
    assert rest.next is None


async def test_a_run_tells_its_priority(running: Running, client: AsyncClient) -> None:
    assert (await client.start(QUESTION, web=False, priority=-3)).priority == -3
    with pytest.raises(NotPermitted):
        await client.start(QUESTION, web=False, priority=3)
    async with AsyncClient(running.url, key=await running.key(LOCAL, Role.ADMIN)) as operator:
        assert (await operator.start(QUESTION, web=False, priority=3)).priority == 3


async def test_it_is_all_there_without_an_event_loop(running: Running) -> None:
    key = await running.key("acme", Role.ADMIN)

    def work() -> None:
        with Client(running.url, key=key) as client:
            made = client.schedules.add(QUESTION, when="every 6 hours", name="often", web=True)
            assert client.schedules.list() == [made] == [client.schedules.get(made.id)]
            assert client.schedules.pause(made.id).next_at is None
            assert client.schedules.resume(made.id).next_at is not None
            client.schedules.remove(made.id)
            hook = client.webhooks.add(HOOK)
            assert client.webhooks.list() == [hook.webhook]
            assert client.webhooks.deliveries(hook.webhook.id) == []
            client.webhooks.remove(hook.webhook.id)
            report = client.research(QUESTION, strategy="extractive", web=True)
            share = client.shares.make(report.run_id)
            assert [one.id for one in client.shares.list(report.run_id)] == [share.id]
            assert client.shares.close(share.id).revoked_at is not None
            client.secrets.set("scholar.openalex", "sk-own")
            assert [one.name for one in client.secrets.list()] == ["scholar.openalex"]
            client.secrets.remove("scholar.openalex")
            assert client.usage()[0].runs == 1
            assert client.audit(limit=200).items[0].action == "secrets:manage"

    await asyncio.to_thread(work)


async def test_schedules_by_command(running: Running, leadline: Program) -> None:
    added = await leadline("schedules", "add", QUESTION, "--every", "Monday 08:00", "--web", "--priority", "-1")
    assert added.code == 0, added.err
    schedule = added.out.strip()
    kept = await running.services.accounts.schedules.get("acme", schedule)
    assert (kept.question, kept.when, kept.options["web"], kept.options["priority"]) == (
        QUESTION,
        "every Monday 08:00",
        True,
        -1,
    )
    assert "paused" in (await leadline("schedules", "pause", schedule)).err
    (listed,) = (await leadline("schedules", "list", "--format", "json")).out.splitlines()
    assert (json.loads(listed)["id"], json.loads(listed)["next_at"]) == (schedule, None)
    assert "next at" in (await leadline("schedules", "resume", schedule)).err
    assert schedule in (await leadline("schedules", "list")).out
    assert (await leadline("schedules", "remove", schedule)).code == 0
    assert await running.services.accounts.schedules.list("acme") == []
    unknown, other = (
        await leadline("schedules", "remove", schedule),
        await leadline("schedules", "list", "--tenant", "b"),
    )
    assert (unknown.code, other.code) == (2, 2)


async def test_the_audit_log_and_secrets_by_command(running: Running, leadline: Program, tmp_path: Path) -> None:
    key = tmp_path / "key.txt"
    await asyncio.to_thread(key.write_text, "sk-own\n")
    assert (await leadline("secrets", "set", "search.serper", "--file", str(key))).code == 0
    assert await running.services.accounts.vault.get("acme", "search.serper") == "sk-own"
    (listed,) = (await leadline("secrets", "list", "--format", "json")).out.splitlines()
    assert json.loads(listed)["name"] == "search.serper"
    assert (await leadline("secrets", "remove", "search.serper")).code == 0
    wrong = await leadline("secrets", "set", "search.wikipedia", "--file", str(key))
    assert (wrong.code, "nothing asks for" in wrong.err) == (2, True)
    shown = await leadline("audit", "--limit", "1")
    assert "secrets:manage" in shown.out
    assert len(shown.out.splitlines()) == 1
    entries = [json.loads(line) for line in (await leadline("audit", "--format", "json")).out.splitlines()]
    assert [entry["deed"]["object"] for entry in entries] == ["search.serper", "search.serper"]
    assert (await leadline("audit", "--verify")).code == 2


async def test_a_question_by_command_says_when_it_is_taken_up(running: Running, leadline: Program) -> None:
    refused = await leadline("ask", QUESTION, "--web", "--priority", "5")
    assert (refused.code, "priority above 0" in refused.err) == (11, True)
    assert await running.services.platform.store.runs(tenant="acme") == []


async def test_a_batch_waits_behind_other_runs(running: Running, program: Program, tmp_path: Path) -> None:
    rows = json.dumps({"id": "q1", "question": QUESTION}) + "\n"
    await asyncio.to_thread((tmp_path / "q.jsonl").write_text, rows)
    done = await program(
        "batch", "q.jsonl", "--out", "a.jsonl", "--web", "--strategy", "extractive", "--priority", "-2"
    )
    assert done.code == 0, done.err
    (run,) = await running.services.platform.store.runs(tenant="acme")
    assert run.priority == -2
