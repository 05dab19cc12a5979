"""`leadline support-bundle`: secrets are planted wherever one could stand, and none comes out."""

from __future__ import annotations

import asyncio
import base64
import json
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.support.service import settings_for

from leadline.domain import Failure, Options, Question, RunState, StopReason, StrategyName
from leadline.errors import InputError, UnknownRun
from leadline.events import Entry, RunFinished
from leadline.ops import support
from leadline.ops.doctor import Look
from leadline.ops.support import Wanted, make_bundle
from leadline.ports import NewRun
from leadline.ports.access import LOCAL
from leadline.settings import Settings, items, load
from leadline.settings.environment import environment_secrets
from leadline.settings.kinds import Key, OrNone
from leadline.settings.registry import value_of
from leadline.settings.web import Keys
from leadline.wiring.probe_places import store_of

QUESTION = "Which of the patients of Dr Example has the rare disease?"


def planted() -> tuple[dict[str, str], list[str]]:
    """Return settings with a secret of its own wherever a setting holds one, and those secrets."""
    flags, secrets = {}, []
    for number, (name, item) in enumerate(items().items()):
        kind = item.kind.kind if isinstance(item.kind, OrNone) else item.kind
        if isinstance(kind, Key | Keys) and not name.startswith("secrets."):
            secret = f"Geheim%{number:03d}/kx+{'Q' * 12}="
            flags[name] = secret
            secrets.append(secret)
    flags["secrets.key"] = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    secrets.append(flags["secrets.key"])
    for name, place in {"cache": "redis", "limits": "redis", "engine": "celery+redis", "event_log": "redis"}.items():
        flags[name] = f"{place}://user:wort-{name}-99@127.0.0.1:9/{len(secrets) % 9}"
        secrets.append(f"wort-{name}-99")
    return flags, secrets


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, list[str]]:
    flags, secrets = planted()
    monkeypatch.setenv("OTHER_API_KEY", "fremd-geheim-77")
    monkeypatch.setenv("SOMEWHERE", "https://bot:huelle-88@example.org/")
    secrets += ["fremd-geheim-77", "huelle-88"]
    loaded = load(flags={"data_dir": str(tmp_path / "data"), "sandbox": "off", **flags}, environ={})
    assert all(value_of(loaded, name) for name in flags)
    return loaded, secrets


async def test_no_planted_secret_comes_out(tmp_path: Path, settings: tuple[Settings, list[str]]) -> None:
    loaded, secrets = settings
    await asyncio.to_thread(loaded.data_dir.mkdir)
    async with store_of(loaded, loaded.data_dir) as store:
        options = Options(strategy=StrategyName.EXTRACTIVE)
        question = Question(text=f"{QUESTION} {secrets[0]}", language="en")
        run = await store.create(
            NewRun(id="r1", tenant=LOCAL, question=question, options=options, seed=1), owner="me:1:a", lease=60.0
        )
        failure = Failure(code="model_denied", message=f"refused {secrets[1]}")
        finished = RunFinished(state=RunState.FAILED, stop_reason=StopReason.ERROR, failure=failure)
        await store.append("r1", run.fence, [Entry(at=1.0, branch="", event=finished)])
    log = tmp_path / f"worker {secrets[2][:6]}.log"
    await asyncio.to_thread(log.write_text, _log(secrets), encoding="utf-8")
    path = tmp_path / "bundle.zip"
    bundle = await make_bundle(Look(settings=loaded), path, Wanted(logs=[log], runs=["r1"]))
    texts = await asyncio.to_thread(_members, path)
    assert set(texts) == set(bundle.members)
    assert {"README.txt", "diagnosis.json", "settings.txt", "runs.json", "queue.json", "journal-r1.json"} <= set(texts)
    for name, text in texts.items():
        for secret in secrets:
            for form in (
                secret,
                quote(secret, safe=""),
                base64.b64encode(secret.encode()).decode(),
                secret.encode().hex(),
            ):
                assert form not in text, (name, form)
        assert QUESTION not in text, name
    (shown,) = json.loads(texts["runs.json"])
    assert (shown["id"], shown["failure"], shown["state"]) == ("r1", "model_denied", "failed")
    assert [event["type"] for event in json.loads(texts["journal-r1.json"])][-1] == "run_finished"
    (log_text,) = [text for name, text in texts.items() if name.startswith("logs/")]
    assert "an ordinary line" in log_text
    assert log_text.count("********") >= len(secrets)
    assert path.stat().st_mode & 0o077 == 0


def _log(secrets: list[str]) -> str:
    lines = [f'{{"event": "x", "url": "http://h/?k={quote(one, safe="")}", "header": "{one}"}}' for one in secrets]
    lines += [f"Authorization: Basic {base64.b64encode(one.encode()).decode()}" for one in secrets]
    return "\n".join([*lines, "Authorization: Bearer nobody-knows-this-one", "an ordinary line", ""])


def _members(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


async def test_an_operators_bundle_has_everybodys_runs_and_one_of_a_tenant_has_its_own(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path / "data")
    options = Options(strategy=StrategyName.EXTRACTIVE)
    async with store_of(settings, settings.data_dir) as store:
        for run_id, tenant in (("r1", "acme"), ("r2", "globex")):
            question = Question(text=QUESTION, language="en")
            await store.create(NewRun(id=run_id, tenant=tenant, question=question, options=options, seed=1))
    everybodys, acmes = {"r1": "acme", "r2": "globex"}, {"r1": "acme"}
    for wanted, runs in (
        (Wanted(runs=sorted(everybodys)), everybodys),
        (Wanted(runs=sorted(acmes), tenant="acme"), acmes),
    ):
        path = tmp_path / f"{len(runs)}.zip"
        bundle = await make_bundle(Look(settings=settings, web=False), path, wanted)
        texts = await asyncio.to_thread(_members, bundle.path)
        assert {one["id"]: one["tenant"] for one in json.loads(texts["runs.json"])} == runs
        assert set(json.loads(texts["queue.json"])) == set(runs.values())
        assert {f"journal-{run_id}.json" for run_id in runs} <= set(texts)
    with pytest.raises(UnknownRun):
        await make_bundle(Look(settings=settings), tmp_path / "c.zip", Wanted(tenant="acme", runs=["r2"]))


async def test_logs_with_content_stay_out(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    await asyncio.to_thread(log.write_text, f'{{"question": "{QUESTION}"}}\n')
    settings = await settings_for(tmp_path / "data", log__content="true", log__sink=f"file://{log}")
    bundle = await make_bundle(Look(settings=settings), tmp_path / "b.zip", Wanted())
    texts = await asyncio.to_thread(_members, bundle.path)
    assert "`log.content` is on" in texts["README.txt"]
    assert not [name for name in texts if name.startswith("logs/")]


async def test_the_end_of_a_long_log_begins_with_a_whole_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "MOST_LOG", 24)
    log = tmp_path / "service.log"
    await asyncio.to_thread(log.write_text, "first line\nsecond line\nthird line\n")
    settings = await settings_for(tmp_path / "data", log__sink=f"file://{log}")
    bundle = await make_bundle(Look(settings=settings), tmp_path / "b.zip", Wanted())
    assert (await asyncio.to_thread(_members, bundle.path))["logs/0-service.log"] == "second line\nthird line\n"


async def test_a_secret_that_was_left_keeps_the_bundle_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support, "redaction_of", lambda *_: str)
    settings = await settings_for(tmp_path / "data", cache="redis://:wort-cache-99@127.0.0.1:9/0")
    log = tmp_path / "x.log"
    await asyncio.to_thread(log.write_text, "wort-cache-99\n")
    with pytest.raises(Exception, match=r"a secret was left in logs/0-x\.log"):
        await make_bundle(Look(settings=settings), tmp_path / "b.zip", Wanted(logs=[log]))
    assert not (tmp_path / "b.zip").exists()


async def test_nothing_is_overwritten_and_unknown_runs_are_refused(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path / "data")
    taken = tmp_path / "b.zip"
    await asyncio.to_thread(taken.write_text, "mine")
    with pytest.raises(InputError, match="there is a file already"):
        await make_bundle(Look(settings=settings), taken, Wanted())
    with pytest.raises(UnknownRun):
        await make_bundle(Look(settings=settings), tmp_path / "c.zip", Wanted(runs=["r9"]))


def test_what_of_the_environment_is_a_secret() -> None:
    given = {
        "GH_TOKEN": "ghtoken",
        "DB": "postgres://u:pass-word@h/",
        "HOME": "/home/me",
        "SSH_AUTH_SOCK": "/tmp/x.sock",
    }
    assert environment_secrets(given) == {"ghtoken", "pass-word"}
