"""A whole run with secrets everywhere: none of them comes out, by any way there is."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import zipfile
from pathlib import Path
from typing import cast

import pytest
from tests.support.service import Client, settings_for, small_service

from leadline.ports.access import Role
from leadline.service.app import create_app
from leadline.service.door import Door, csrf_of
from leadline.settings import Settings
from leadline.testing import Reply, Rule, ScriptedServer
from leadline.wiring.accounts import Gate

MODEL_KEY = "sk-model-4Zr0qPvtPPwZ"
SEARCH_KEY = "sk-search-9bX2kkd0aQ"
TOOLS_KEY = "sk-tools-7tq1nLr5xY"
PROVIDER_KEY = "sk-tenant-2mVd8Jc6hW"
SEAL = base64.b64encode(b"seal-key-of-exactly-32-bytes-ok!").decode()
GETS = [path for path, verbs in create_app(Settings()).openapi()["paths"].items() if "get" in verbs]


def settings(server: ScriptedServer) -> dict[str, str]:
    return {
        "model__urls": server.url,
        "model__name": "scripted",
        "model__context": "32768",
        "model__api_key": MODEL_KEY,
        "search__serper__api_keys": SEARCH_KEY,
        "tools__key": TOOLS_KEY,
        "secrets__key": SEAL,
    }


async def everything(client: Client, run_id: str, ids: dict[str, str]) -> list[str]:
    """Return what every readable path tells, packed files opened."""
    told = []
    for path in GETS:
        for name, value in ids.items():
            path = path.replace(f"{{{name}}}", value)  # noqa: PLW2901 filled in step by step
        answer = await client.get(path)
        told.append(f"{answer.headers}\n{answer.raw.decode('utf-8', 'replace')}")
        if answer.headers.get("Content-Type") == "application/zip":
            with zipfile.ZipFile(io.BytesIO(answer.raw)) as zipped:
                told += [zipped.read(name).decode("utf-8", "replace") for name in zipped.namelist()]
    for form in ("md", "html", "bibtex", "ris", "csl"):
        told.append((await client.get(f"/v1/research/{run_id}/report?format={form}")).raw.decode())
    return told


async def failures(client: Client, run_id: str) -> list[str]:
    """Return what wrong requests are told."""
    key = client._headers["Authorization"]
    answers = [
        await client.get("/v1/research/rnone"),
        await client.get("/v1/research", Authorization=f"{key}x"),
        await client.get(f"/{key.removeprefix('Bearer ')}"),
        await client.post("/v1/research", {"question": "q", "strategy": "react", "urls": ["ftp://x"]}),
        await client.post(f"/v1/research/{run_id}/cancel"),
        await client.post("/v1/tools/python", {"code": "print(1)"}),
        await client.post("/v1/tools/scholar", {"query": "q"}),
    ]
    assert {answer.status // 100 for answer in answers} <= {4, 5}
    return [answer.raw.decode() for answer in answers]


@pytest.mark.parametrize("fails", [False, True])
async def test_no_secret_of_the_machine_comes_out(
    fails: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = (
        Reply(status=401, body=f'{{"error": "key {MODEL_KEY} is wrong"}}')
        if fails
        else Reply(text="<answer>1844.</answer>")
    )
    async with ScriptedServer([Rule(reply=reply)]) as server, small_service(tmp_path, settings(server)) as service:
        key = await service.key("acme", Role.ADMIN)
        client = service.client(key)
        await service.services.accounts.vault.put("acme", "search.serper", PROVIDER_KEY)
        run_id = await client.research(strategy="react", budget={"steps": 3})
        async with client.stream(run_id) as stream:
            events = [str(event) for event in await stream.all()]
        report = await client.get(f"/v1/research/{run_id}/report")
        sources = report.body.get("sources", []) if report.status == 200 else []
        ids = {"run_id": run_id, "source_id": sources[0]["id"] if sources else "none", "token": "none"}
        told = [*events, *await everything(client, run_id, ids), *await failures(client, run_id)]
        secrets = [MODEL_KEY, SEARCH_KEY, TOOLS_KEY, PROVIDER_KEY, SEAL, key, key.split("_", 2)[2]]
        places = [str(tmp_path), server.url, service.services.worker.owner]
        logs = caplog.text + "".join(
            str(vars(record)) for record in caplog.records if record.name.startswith("leadline")
        )
        assert [secret for secret in secrets for text in told if secret in text] == []
        assert [place for place in places for text in told if place in text] == []
        assert [secret for secret in secrets if secret in logs] == []
        await asyncio.to_thread(not_stored_plainly, tmp_path, [PROVIDER_KEY, key.split("_", 2)[2], MODEL_KEY])


def not_stored_plainly(folder: Path, secrets: list[str]) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            body = path.read_bytes()
            assert [secret for secret in secrets if secret.encode() in body] == [], path.name


async def test_an_inner_failure_tells_nothing_but_the_requests_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_service(tmp_path, {}) as service:
        client = await service.caller("acme")

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError(f"the database at {tmp_path} says {MODEL_KEY}")

        monkeypatch.setattr(service.services.platform.store, "runs", broken)
        answer = await client.get("/v1/research", X_Request_Id="abc")
        assert (answer.status, answer.body["code"]) == (500, "internal")
        assert answer.body["instance"] == "urn:leadline:request:abc"
        assert MODEL_KEY not in answer.raw.decode()
        assert str(tmp_path) not in answer.raw.decode()
        assert any(getattr(record, "request", "") == "abc" for record in caplog.records)


async def test_runs_over_local_files_are_not_there(tmp_path: Path) -> None:
    from leadline import Leadline  # noqa: PLC0415 the library's front, as a user of this machine has it

    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "log.txt").write_text("The harbour is five fathoms deep.", encoding="utf-8")
    async with small_service(tmp_path / "data", {}) as service:
        async with Leadline(service.services.settings) as engine:
            secret = await engine.start("How deep is the harbour?", docs=[folder])
            await engine.result(secret)
            later = await engine.start("How deep?", options=engine.options(ledger_of=secret))
            await engine.result(later)
            plain = await engine.start("How deep is the sea?")
            await engine.result(plain)
        client = service.client()  # this machine's own user, before there is a key
        assert [run["id"] for run in (await client.get("/v1/research")).body["items"]] == [plain]
        for run_id in (secret, later):
            for path in ("", "/report", "/journal", "/events", "/export"):
                assert (await client.get(f"/v1/research/{run_id}{path}")).status == 404
        continued = await client.post("/v1/research", {"question": "q", "continues": secret})
        assert continued.status == 404


async def test_this_machine_needs_no_key_until_there_is_one(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as service:
        nobody = service.client()
        assert (await nobody.get("/v1/research")).status == 200
        forwarded = await nobody.get("/v1/research", X_Forwarded_For="203.0.113.9")
        assert forwarded.status == 401
        rebound = await nobody.get("/v1/research", Host="evil.test")
        assert rebound.status == 401
        across = await nobody.post("/v1/research", {"question": "q", "web": False}, Origin="https://evil.test")
        assert (across.status, across.body["code"]) == (403, "not_permitted")
        beside = await nobody.post("/v1/research", {"question": "q", "web": False}, Sec_Fetch_Site="same-site")
        assert beside.status == 403
        made = await nobody.post("/v1/keys", {"name": "first", "role": "admin"})
        assert made.status == 201
        assert (await nobody.get("/v1/research")).status == 401
        key_id = made.body["key"]["id"]
        owner = service.client(made.body["credential"])
        assert (await owner.ask("DELETE", f"/v1/keys/{key_id}")).status == 200
        assert (await nobody.get("/v1/research")).status == 401  # it does not open again


async def test_a_cookie_is_a_key_that_only_the_services_own_pages_may_write_with(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as service:
        key = await service.key("acme")
        nobody = service.client()
        cookie = f"__Host-leadline={key}"
        assert (await nobody.get("/v1/research", Cookie=cookie)).status == 200
        body = {"question": "q", "web": False}
        proof = {"Cookie": cookie, "X_Leadline_CSRF": csrf_of(key)}
        assert (await nobody.post("/v1/research", body, Origin=service.url, **proof)).status == 202
        assert (await nobody.post("/v1/research", body, Origin="https://evil.test", **proof)).status == 403
        assert (await nobody.post("/v1/research", body, Origin=service.url, Cookie=cookie)).status == 403


async def test_a_balancer_is_told_whether_a_request_may_pass(tmp_path: Path) -> None:
    flags = {"admission__key_rate": "0.001", "admission__key_burst": "2", "service__proxies": "127.0.0.0/8"}
    async with small_service(tmp_path, flags) as service:
        client = await service.caller("acme")
        nobody = service.client("ll_wrong")
        assert (await nobody.get("/internal/auth")).status == 401
        first = await client.get("/internal/auth")
        assert (first.status, first.headers["X-Leadline-Tenant"]) == (204, "acme")
        passed = {"X_Leadline_Pass": first.headers["X-Leadline-Pass"]}
        for _ in range(3):  # what was counted once is not counted again
            assert (await client.get("/v1/research", **passed)).status == 200
        assert (await client.get("/v1/research")).status == 200
        limited = await client.get("/v1/research", X_Leadline_Pass="9999999999.00")
        assert (limited.status, limited.body["code"]) == (429, "key_rate")
        assert int(limited.headers["Retry-After"]) > 0
        refused = await client.get("/internal/auth")
        assert (refused.status, refused.headers["X-Leadline-Status"]) == (403, "429")
        other = await service.caller("other")
        borrowed = await other.get("/v1/research", **passed)
        assert borrowed.status == 200  # by its own allowance


async def test_a_client_that_plays_the_balancer_gets_no_pass(tmp_path: Path) -> None:
    flags = {"admission__key_rate": "0.001", "admission__key_burst": "3", "secrets__key": SEAL}
    async with small_service(tmp_path, flags) as service:
        key = await service.key("acme")
        client = service.client(key)
        first = await client.get("/internal/auth")
        assert (first.status, "X-Leadline-Pass" in first.headers) == (204, False)
        trusting = await settings_for(tmp_path, service__proxies="127.0.0.0/8", secrets__key=SEAL)
        behind = Door(
            accounts=service.services.accounts,
            gate=cast("Gate", None),  # nobody is let in
            settings=trusting,
            local=False,
            now=service.services.platform.clock.now,
        )
        caller = await service.services.door.authenticate(key)
        leaked = behind.pass_for({"client": ("127.0.0.1", 1), "headers": []}, caller)
        assert leaked is not None
        statuses = [(await client.get("/v1/research", X_Leadline_Pass=leaked)).status for _ in range(3)]
        assert statuses == [200, 200, 429]
