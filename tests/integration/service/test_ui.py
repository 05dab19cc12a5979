"""What stands behind the Web UI: the key's cookie, the token of writes, read-only links, files and their headers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.kept import SECRETS_KEY
from tests.support.service import Client, Running, small_service

from leadline.ports.access import Role
from leadline.service.door import COOKIE, csrf_of
from leadline.service.routes.shares import DAY

pytestmark = pytest.mark.xdist_group("service_ui")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with small_service(tmp_path, {"secrets__key": SECRETS_KEY}) as found:
        yield found


def kept(key: str, **more: str) -> Mapping[str, str]:
    """Return the headers of a browser that keeps a key."""
    return {"Cookie": f"{COOKIE}={key}", **more}


async def asked(client: Client, method: str, path: str, body: Any = None, *, headers: Mapping[str, str]) -> Any:
    return await client.ask(method, path, body, **{name.replace("-", "_"): value for name, value in headers.items()})


async def test_the_page_and_its_files_come_with_a_strict_policy(running: Running) -> None:
    client = running.client()
    page = await client.get("/")
    assert page.status == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "trusted-types 'none'" in policy
    assert page.headers["X-Frame-Options"] == "DENY"
    script = await client.get("/ui/files/main.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert script.headers["X-Content-Type-Options"] == "nosniff"
    again = await client.get("/ui/files/main.js", If_None_Match=script.headers["ETag"])
    assert (again.status, again.raw) == (304, b"")
    for name in ("index.html", "..%2Ffiles.py", "view.py", "x" * 90):
        assert (await client.get(f"/ui/files/{name}")).status == 404


async def test_a_key_is_kept_where_no_script_reads_it_and_forgotten_on_wish(running: Running) -> None:
    key, client = await running.key("acme", Role.ADMIN), running.client()
    assert (await client.get("/ui/session")).body["signed_in"] is False
    refused = await client.post("/ui/session", {"key": "ll_0000000000000000_wrong"})
    assert refused.status == 401
    assert "Set-Cookie" not in refused.headers
    entered = await client.post("/ui/session", {"key": key})
    assert entered.status == 200
    cookie = entered.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}={key};")
    for part in ("HttpOnly", "Path=/", "SameSite=strict", "Secure"):
        assert part in cookie
    assert "Domain" not in cookie
    assert key.encode() not in entered.raw
    found = (await asked(client, "GET", "/ui/session", headers=kept(key))).body
    assert (found["signed_in"], found["tenant"], found["role"]) == (True, "acme", "admin")
    assert found["csrf"] == entered.body["csrf"] == csrf_of(key)
    assert found["first"] is False  # an admin, but not of a tenant that runs the service
    assert "search.serper" in found["secrets"]
    gone = await client.ask("DELETE", "/ui/session")
    assert gone.status == 204
    assert "Max-Age=0" in gone.headers["Set-Cookie"]


async def test_a_key_is_not_taken_without_tls_from_elsewhere(running: Running) -> None:
    key, client = await running.key("acme"), running.client()
    refused = await asked(client, "POST", "/ui/session", {"key": key}, headers={"Host": "leadline.example"})
    assert refused.status == 400
    assert "Set-Cookie" not in refused.headers


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
async def test_no_page_of_another_origin_signs_anybody_in_or_out(running: Running, headers: dict[str, str]) -> None:
    key, client = await running.key("acme"), running.client()
    for method, body in (("POST", {"key": key}), ("DELETE", None)):
        refused = await asked(client, method, "/ui/session", body, headers=headers)
        assert refused.status == 403
        assert "Set-Cookie" not in refused.headers


async def test_a_browsers_key_writes_only_with_the_token(running: Running) -> None:
    key, other, client = await running.key("acme"), await running.key("acme"), running.client()
    question = {"question": "When was the Bell Rock lighthouse first lit?", "strategy": "extractive"}
    for headers in (kept(key), kept(key, **{"X-Leadline-CSRF": csrf_of(other)}), kept(key, **{"X-Leadline-CSRF": "é"})):
        assert (await asked(client, "POST", "/v1/research", question, headers=headers)).status == 403
    assert (await asked(client, "GET", "/v1/research", headers=kept(key))).body["items"] == []
    made = await asked(client, "POST", "/v1/research", question, headers=kept(key, **{"X-Leadline-CSRF": csrf_of(key)}))
    assert made.status == 202
    foreign = kept(key, **{"X-Leadline-CSRF": csrf_of(key), "Origin": "https://evil.example"})
    assert (await asked(client, "POST", "/v1/research", question, headers=foreign)).status == 403
    assert (await running.client(key).post("/v1/research", question)).status == 202  # a program needs no token


async def test_the_view_of_a_report_is_its_tenants_alone(running: Running) -> None:
    client, stranger = await running.caller("acme"), await running.caller("other")
    run = (await client.ended(await client.research(strategy="extractive")))["id"]
    report = (await client.get(f"/v1/research/{run}/report")).body
    view = (await client.get(f"/ui/runs/{run}/view?lang=zh")).body
    assert [claim["id"] for claim in view["claims"]] == [claim["id"] for claim in report["claims"]]
    cited = view["citations"][0]
    text = (await client.get(f"/v1/research/{run}/sources/{cited['source_id']}")).body["text"]
    assert text[cited["start"] : cited["end"]] == cited["quote"]
    assert (await stranger.get(f"/ui/runs/{run}/view")).status == 404
    assert (await running.client().get(f"/ui/runs/{run}/view")).status == 401


async def test_a_link_opens_one_report_and_nothing_else(running: Running) -> None:
    client, stranger, nobody = await running.caller("acme"), await running.caller("other"), running.client()
    run = (await client.ended(await client.research(strategy="extractive")))["id"]
    assert (await stranger.post(f"/ui/runs/{run}/shares", {"days": 1})).status == 404
    made = await client.post(f"/ui/runs/{run}/shares", {"days": 2})
    assert made.status == 201
    token = made.body["token"]
    link = {"X-Leadline-Share": token}
    view = await asked(nobody, "GET", "/ui/shared/view?lang=en", headers=link)
    assert view.body["run_id"] == run
    source = view.body["citations"][0]["source_id"]
    text = (await asked(nobody, "GET", f"/ui/shared/sources/{source}", headers=link)).body["text"]
    assert view.body["citations"][0]["quote"] in text
    assert (await asked(nobody, "GET", "/ui/shared/report?format=md", headers=link)).status == 200
    for path in (f"/v1/research/{run}", f"/v1/research/{run}/journal", "/v1/research", f"/ui/runs/{run}/view"):
        assert (await asked(nobody, "GET", path, headers=link)).status == 401
    assert (await asked(nobody, "GET", "/ui/shared/sources/s0000000000000000", headers=link)).status == 404
    assert (await asked(nobody, "GET", "/ui/shared/view", headers={"X-Leadline-Share": token + "x"})).status == 404


async def test_a_link_ends_when_it_is_closed_and_only_its_tenant_closes_it(running: Running) -> None:
    client, reader = await running.caller("acme"), await running.caller("acme", Role.READER)
    stranger = await running.caller("other")
    run = (await client.ended(await client.research(strategy="extractive")))["id"]
    made = (await client.post(f"/ui/runs/{run}/shares", {"days": 1})).body
    listed = (await client.get(f"/ui/runs/{run}/shares")).body
    assert [share["id"] for share in listed] == [made["id"]]
    assert "token" not in listed[0]
    now = running.services.platform.clock.now()
    share = await running.services.accounts.shares.find(made["token"])
    assert share.expires_at is not None
    assert now < share.expires_at <= now + DAY
    assert (await stranger.ask("DELETE", f"/ui/shares/{made['id']}")).status == 404
    assert (await reader.post(f"/ui/runs/{run}/shares", {"days": 1})).status == 403
    assert (await client.ask("DELETE", f"/ui/shares/{made['id']}")).status == 200
    gone = await asked(running.client(), "GET", "/ui/shared/view", headers={"X-Leadline-Share": made["token"]})
    assert gone.status == 404
    admin = await running.caller("acme", Role.ADMIN)
    deeds = (await admin.get("/v1/audit")).body["items"]
    assert {(deed["action"], deed["object"], deed["outcome"]) for deed in deeds} >= {
        ("runs:share", run, "done"),
        ("runs:share", run, "denied"),
    }


async def test_the_status_is_for_administrators_and_names_no_server(running: Running) -> None:
    admin, researcher = await running.caller("acme", Role.ADMIN), await running.caller("acme")
    assert (await researcher.get("/ui/status")).status == 403
    told = await admin.get("/ui/status")
    assert told.body["queue"]["own"]["queued"] == 0
    assert b"127.0.0.1" not in told.raw


async def test_none_of_it_is_in_the_openapi_document(running: Running) -> None:
    paths = (await running.client().get("/openapi.json")).body["paths"]
    assert "/v1/research" in paths
    assert not [path for path in paths if path == "/" or path.startswith("/ui")]
