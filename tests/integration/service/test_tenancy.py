"""Whose is what: every route and verb of the OpenAPI document, asked by the wrong ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounts import KEY
from tests.support.service import Client, Running, small_service

from leadline.ports.access import PERMITS, Action, Role
from leadline.service.app import create_app
from leadline.service.routes import access
from leadline.service.routing import ACTION
from leadline.settings import Settings

OBJECTS = {"run_id", "source_id", "key_id", "corpus_id", "schedule_id", "webhook_id", "share_id"}
"""What paths name that belongs to somebody."""

FREE = {"name", "model", "tool"}
"""What paths name that does not: a document's name stands behind its corpus, models are the service's own."""


@dataclass(frozen=True)
class Operation:
    """One verb of one path."""

    method: str
    path: str
    told: Any

    @property
    def action(self) -> Action | None:
        named = self.told.get(ACTION)
        return None if named is None else Action(named)

    @property
    def body(self) -> Any:
        content = self.told.get("requestBody", {}).get("content", {})
        return None if "application/json" not in content else example(content["application/json"]["schema"])

    def filled(self, ids: dict[str, str]) -> str:
        path = self.path
        for name, value in ids.items():
            path = path.replace(f"{{{name}}}", value)
        return path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


SHARED = {"/v1/shared/report", "/v1/shared/sources/{source_id}"}
"""What a link opens without a key: the token in its header is its own permission."""


@cache
def document() -> Any:
    return create_app(Settings()).openapi()


def operations() -> Iterator[Operation]:
    for path, verbs in document()["paths"].items():
        for method, told in verbs.items():
            yield Operation(method.upper(), path, told)


GUARDED = [operation for operation in operations() if operation.action is not None]
OPEN = [operation for operation in operations() if operation.action is None]


def example(schema: Any) -> Any:
    """Return the smallest body that fits; what a body must have is known by name."""
    known = {
        "question": "How deep is the harbour?",
        "name": "n",
        "role": "reader",
        "query": "harbour",
        "url": "http://192.0.2.1/hook",
        "code": "print(1)",
        "when": "every Monday 08:00",
        "run_id": "rnone",
        "events": ["run_finished"],
        "value": "sk-own",
        "paused": True,
        "model": "leadline",
        "messages": [{"role": "user", "content": "How deep?"}],
    }
    components = document()["components"]["schemas"]
    name = schema.get("$ref", "").rpartition("/")[2]
    whole = components[name] if name else schema
    return {field: known[field] for field in whole.get("required", [])}


def test_every_operation_names_an_action_or_is_open_on_purpose() -> None:
    assert {operation.path for operation in OPEN} <= {"/healthz", "/readyz", "/metrics", *SHARED}
    assert len(GUARDED) >= 23


def test_every_object_in_a_path_is_known_here() -> None:
    named = {name for operation in GUARDED for name in _named(operation.path)}
    assert named <= OBJECTS | FREE


def test_every_operation_documents_what_it_may_refuse_with() -> None:
    for operation in GUARDED:
        told = set(operation.told["responses"])
        assert {"401", "403", "422", "429", "500", "503"} <= told, str(operation)
        assert ("404" in told) or "{" not in operation.path, str(operation)
        assert operation.told["security"] == [{"key": []}]


def _named(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


@pytest.fixture
async def service(store: dict[str, str], tmp_path: Path) -> AsyncIterator[Running]:
    """A service that can keep secrets, so that webhooks can be made."""
    async with small_service(tmp_path, {**store, "secrets__key": KEY}) as running:
        yield running


@pytest.fixture
async def ids(service: Running, tenant: str) -> dict[str, str]:
    """Objects of a tenant, one of each kind, each there for its own."""
    client = await service.caller(tenant, Role.ADMIN)
    run_id = await client.research()
    await client.ended(run_id)
    report = (await client.get(f"/v1/research/{run_id}/report")).body
    accounts = service.services.accounts
    key = await accounts.keys.create(tenant, name="k", role=Role.READER, made_by="test")
    corpus = await accounts.corpora.create(tenant, name="c")
    schedule = await accounts.schedules.create(
        tenant, name="s", question="q", when="every Monday 08:00", zone="UTC", made_by="test"
    )
    webhook = await accounts.webhooks.create(
        tenant, url="https://hooks.example.org/", events=["run_finished"], made_by="test"
    )
    share = await accounts.shares.create(tenant, run_id, made_by="test")
    found = {
        "run_id": run_id,
        "source_id": report["sources"][0]["id"],
        "key_id": key.key.id,
        "corpus_id": corpus.id,
        "schedule_id": schedule.id,
        "share_id": share.share.id,
        "webhook_id": webhook.webhook.id,
        "name": "a.txt",
        "tool": "search",
        "model": "leadline",
    }
    assert (await client.get(f"/v1/research/{run_id}/sources/{found['source_id']}")).status == 200
    return found


async def test_nobody_gets_in_without_a_key(service: Running, tenant: str, ids: dict[str, str]) -> None:
    nobody, stale = service.client(), service.client("ll_0000000000000000_" + "A" * 43)
    for operation in GUARDED:
        for client in (nobody, stale):
            answer = await client.ask(operation.method, operation.filled(ids), operation.body)
            assert (answer.status, answer.body["code"]) == (401, "unauthenticated"), str(operation)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_what_belongs_to_another_tenant_is_not_there(
    service: Running, tenant: str, other: str, ids: dict[str, str]
) -> None:
    stranger = await service.caller(other, Role.ADMIN)
    for operation in GUARDED:
        if not OBJECTS & set(_named(operation.path)):
            continue
        answer = await stranger.ask(operation.method, operation.filled(ids), operation.body)
        assert answer.status == 404, f"{operation}: {answer.status} {answer.raw!r}"
        assert not any(value in answer.raw.decode() for value in (tenant, "Skerryvore", "harbour")), str(operation)
    own = await service.caller(tenant, Role.ADMIN)
    assert (await own.get(f"/v1/research/{ids['run_id']}")).body["state"] == "done"


async def test_listings_show_nothing_of_another_tenant(
    service: Running, tenant: str, other: str, ids: dict[str, str]
) -> None:
    stranger = await service.caller(other, Role.ADMIN)
    listings = [o for o in GUARDED if o.method == "GET" and not _named(o.path) and "diagnostics" not in o.path]
    for operation in listings:
        answer = await stranger.get(operation.path)
        assert answer.status == 200, f"{operation}: {answer.raw!r}"
        told = answer.raw.decode()
        assert tenant not in told, str(operation)
        assert not any(value in told for name, value in ids.items() if name in OBJECTS and value != "none"), operation


@pytest.mark.parametrize("role", [Role.READER, Role.RESEARCHER])
async def test_a_role_may_do_what_the_table_says_and_nothing_else(
    service: Running, tenant: str, role: Role, ids: dict[str, str]
) -> None:
    client = await service.caller(tenant, role)
    for operation in GUARDED:
        if operation.action in PERMITS[role]:
            continue
        answer = await client.ask(operation.method, operation.filled(ids), operation.body)
        assert (answer.status, answer.body["code"]) == (403, "not_permitted"), str(operation)
    writes = [o for o in GUARDED if o.method != "GET"]
    if role is Role.READER:
        assert [str(o) for o in writes if o.action in PERMITS[role]] == []


async def test_scopes_narrow_a_key(service: Running, tenant: str) -> None:
    key = await service.key(tenant, Role.ADMIN, scopes=frozenset({Action.RUNS_READ}))
    client = service.client(key)
    assert (await client.get("/v1/research")).status == 200
    assert (await client.get("/v1/keys")).status == 403
    assert (await client.post("/v1/research", {"question": "q"})).status == 403


async def test_no_scope_opens_another_one(service: Running, tenant: str) -> None:
    owner = await service.caller(tenant, Role.ADMIN)
    run = await service.held_elsewhere(tenant)
    corpus = (await owner.post("/v1/corpora", {"name": "papers"})).body["id"]
    asked: dict[str, Any] = {"question": "How deep is the harbour?", "web": False}
    named: dict[str, dict[str, Any]] = {"read": {"continues": run.id}, "corpora": {"corpora": [corpus]}}

    starts = service.client(await service.key(tenant, scopes=frozenset({Action.RUNS_START})))
    for more in named.values():
        assert (await starts.post("/v1/research", asked | more)).status == 403
        chat = {"model": "leadline", "messages": [{"role": "user", "content": "How deep?"}], "leadline": more}
        assert (await starts.post("/v1/chat/completions", chat)).status == 403
    every = asked | {"name": "n", "when": "every 6 hours"}
    plans = service.client(await service.key(tenant, scopes=frozenset({Action.SCHEDULES_WRITE})))
    assert (await plans.post("/v1/schedules", every)).status == 403
    both = frozenset({Action.SCHEDULES_WRITE, Action.RUNS_START})
    plans = service.client(await service.key(tenant, scopes=both))
    assert (await plans.post("/v1/schedules", every)).status == 201
    assert (await plans.post("/v1/schedules", every | {"corpora": [corpus]})).status == 403
    reads = frozenset({Action.RUNS_START, Action.RUNS_READ, Action.CORPORA_READ})
    whole = service.client(await service.key(tenant, scopes=reads))
    assert (await whole.post("/v1/research", asked | named["read"] | named["corpora"])).status == 202


async def test_nobody_makes_a_key_that_may_do_more_than_its_maker(service: Running, tenant: str) -> None:
    key = await service.key(tenant, Role.ADMIN, scopes=frozenset({Action.KEYS_MANAGE, Action.RUNS_READ}))
    client = service.client(key)
    assert (await client.post("/v1/keys", {"name": "k", "role": "reader"})).status == 403
    made = await client.post("/v1/keys", {"name": "k", "role": "reader", "scopes": ["runs:read"]})
    assert made.status == 201
    assert (await service.client(made.body["credential"]).get("/v1/research")).status == 200


async def test_a_tenant_has_only_so_many_keys(service: Running, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MOST_KEYS", 3)
    owner = await service.caller(tenant, Role.ADMIN)
    made = [await owner.post("/v1/keys", {"name": "more", "role": "reader"}) for _ in range(3)]
    assert [answer.status for answer in made] == [201, 201, 409]
    old = made[0].body["key"]["id"]
    assert (await owner.post(f"/v1/keys/{old}/rotate", {"grace_hours": 1})).status == 409
    await owner.ask("DELETE", f"/v1/keys/{old}")
    assert (await owner.post("/v1/keys", {"name": "more", "role": "reader"})).status == 201


async def test_nobody_renews_a_key_that_may_do_more_than_oneself(service: Running, tenant: str) -> None:
    full = await service.caller(tenant, Role.ADMIN)
    ids = {one["name"]: one["id"] for one in (await full.get("/v1/keys")).body}
    mine = await full.post("/v1/keys", {"name": "clerk", "role": "admin", "scopes": ["keys:manage", "runs:read"]})
    clerk = service.client(mine.body["credential"])
    refused = await clerk.post(f"/v1/keys/{ids['test']}/rotate", {"grace_hours": 0})
    assert (refused.status, refused.body["code"]) == (403, "not_permitted")
    assert (await full.get("/v1/keys")).status == 200, "and nothing was changed"
    own = await clerk.post(f"/v1/keys/{mine.body['key']['id']}/rotate", {"grace_hours": 0})
    assert own.status == 201
    assert (await full.post("/v1/keys/none/rotate", {"grace_hours": 0})).status == 404


async def test_what_no_database_takes_is_refused_and_still_written_down(service: Running, tenant: str) -> None:
    admin = await service.caller(tenant, Role.ADMIN)
    answer = await admin.ask("DELETE", "/v1/corpora/none%00x/documents/a%00b.txt")
    assert answer.status == 404
    assert (await admin.ask("DELETE", "/v1/keys/none%00x")).status in {400, 404}
    share = await admin.ask("DELETE", "/v1/shares/none%00x")
    assert share.status in {400, 404}, "never as if the store were away"
    entries = (await admin.get("/v1/audit")).body["items"]
    objects = [(entry["action"], entry["object"]) for entry in entries]
    assert ("corpora:write", "nonex/ab.txt") in objects
    assert ("keys:manage", "nonex") in objects


async def test_a_key_lives_as_long_as_it_is_told(service: Running, tenant: str) -> None:
    admin = await service.caller(tenant, Role.ADMIN)
    made = (await admin.post("/v1/keys", {"name": "laptop", "role": "researcher", "expires_in_days": 1})).body
    assert made["credential"].startswith("ll_")
    assert made["key"]["expires_at"] is not None
    second = (await admin.post(f"/v1/keys/{made['key']['id']}/rotate", {"grace_hours": 0})).body
    assert (await service.client(made["credential"]).get("/v1/research")).status == 401
    client = service.client(second["credential"])
    assert (await client.get("/v1/research")).status == 200
    assert (await admin.ask("DELETE", f"/v1/keys/{second['key']['id']}")).body["revoked_at"] is not None
    assert (await client.get("/v1/research")).status == 401
    listed = (await admin.get("/v1/keys")).raw.decode()
    assert made["credential"].split("_", 2)[2] not in listed


async def test_what_was_done_is_written_down_and_who_was_refused(service: Running, tenant: str, other: str) -> None:
    admin, reader = await service.caller(tenant, Role.ADMIN), await service.caller(tenant, Role.READER)
    run_id = await admin.research(web=False)
    await admin.ended(run_id)
    await admin.post(f"/v1/research/{run_id}/cancel")
    await reader.ask("DELETE", f"/v1/research/{run_id}")
    await admin.ask("DELETE", f"/v1/research/{run_id}")
    await admin.ask("DELETE", f"/v1/research/{run_id}")
    entries = (await admin.get("/v1/audit")).body["items"]
    assert [(e["action"], e["kind"], e["object"], e["outcome"]) for e in reversed(entries)] == [
        ("runs:start", "run", run_id, "done"),
        ("runs:steer", "run", run_id, "failed"),
        ("runs:delete", "run", run_id, "denied"),
        ("runs:delete", "run", run_id, "done"),
        ("runs:delete", "run", run_id, "denied"),
    ]
    assert {entry["source"] for entry in entries} == {"127.0.0.1"}
    assert all("Skerryvore" not in str(entry) for entry in entries)
    paged = (await admin.get("/v1/audit?limit=2")).body
    rest = (await admin.get(f"/v1/audit?limit=200&cursor={paged['next']}")).body
    assert [*paged["items"], *rest["items"]] == entries
    stranger = await service.caller(other, Role.ADMIN)
    assert (await stranger.get("/v1/audit")).body["items"] == []
    assert (await service.services.accounts.audit.verify()).broken is None


async def test_every_writing_operation_is_written_down(service: Running, tenant: str, ids: dict[str, str]) -> None:
    client = await service.caller(tenant, Role.ADMIN)
    for operation in GUARDED:
        if operation.method == "GET":
            continue
        before = await _entries(client)
        answer = await client.ask(operation.method, operation.filled(ids), operation.body)
        assert answer.status != 500, f"{operation}: {answer.raw!r}"
        assert len(await _entries(client)) == len(before) + 1, str(operation)


async def test_what_a_run_used_is_counted_on_its_day(service: Running, tenant: str) -> None:
    client = await service.caller(tenant)
    await client.ended(await client.research(web=False))
    await service.services.settling.settle()
    (day,) = (await client.get("/v1/usage")).body
    assert (day["runs"], day["held_tokens"]) == (1, 0)
    assert (await client.get("/v1/usage?since=2026-02-01&until=2026-01-01")).status == 400


async def _entries(client: Client) -> list[Any]:
    items: list[Any] = (await client.get("/v1/audit?limit=200")).body["items"]
    return items
