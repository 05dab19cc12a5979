"""A deployment with something of every kind in it, and its settings: what backups and upgrades are tried on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.support.reports import Made, chinese, english

from leadline.domain import Options, Question, RunState, StopReason
from leadline.events import ENGINE, Entry, RunFinished, SourceStored
from leadline.ports import Blobs, NewRun, RunStore
from leadline.ports.access import Role
from leadline.research.reporting.report import to_json
from leadline.settings import Settings, load
from leadline.wiring import data_folder
from leadline.wiring.accounts import open_accounts
from leadline.wiring.blobs import blob_store
from leadline.wiring.store import run_store

SECRETS_KEY: Final = "a2V5IGtleSBrZXkga2V5IGtleSBrZXkga2V5IGtleSE="
TENANT: Final = "acme"
PLAIN_SECRET: Final = "sk-secret-of-acme"
PASSPHRASE: Final = "correct horse battery staple"


@dataclass(frozen=True, kw_only=True)
class World:
    """What was put in: the runs, one of each tenant with a report and one that waits, and what opens acme's door."""

    runs: dict[str, tuple[str, ...]]
    credential: str


async def settings_of(folder: Path, **more: str) -> Settings:
    """Return settings over a folder; `__` stands for the dot in a name."""
    given = {"data_dir": str(folder), "sandbox": "off", "secrets__key": SECRETS_KEY, **more}
    flags = {name.replace("__", "."): value for name, value in given.items()}
    return await asyncio.to_thread(lambda: load(flags=flags, environ={}))


async def fill(settings: Settings) -> World:
    """Put in two tenants' reports with their sources, runs that wait, a key and a secret."""
    folder = await asyncio.to_thread(data_folder, settings)
    async with (
        open_accounts(settings) as accounts,
        run_store(settings, folder) as store,
        blob_store(settings, folder) as blobs,
    ):
        await accounts.tenants.ensure(TENANT, name="Acme")
        made = await accounts.keys.create(TENANT, name="laptop", role=Role.RESEARCHER, made_by="test")
        await accounts.vault.put(TENANT, "serper", PLAIN_SECRET)
        for tenant, report in ((TENANT, english()), ("local", chinese())):
            await with_report(store, blobs, made=report, tenant=tenant)
            await store.create(_new(f"{tenant}-waits", tenant))
    runs: dict[str, tuple[str, ...]] = {tenant: (f"{tenant}-done", f"{tenant}-waits") for tenant in (TENANT, "local")}
    return World(runs=runs, credential=made.credential)


async def with_report(store: RunStore, blobs: Blobs, *, made: Made, tenant: str, name: str = "done") -> str:
    """Put in a run that ended with a report, its bodies included; return its id."""
    run_id = f"{tenant}-{name}"
    report = replace(made.report, run_id=run_id)
    for text in made.texts.values():
        await blobs.put(tenant, text.encode())
    await store.create(_new(run_id, tenant))
    run = await store.claim("w", lease=30, engines=[ENGINE], run_id=run_id)
    assert run is not None
    stored = [Entry(at=1.0, branch="", event=SourceStored(call="c", source=source)) for source in report.sources]
    await store.append(run_id, run.fence, stored)
    body = await blobs.put(tenant, to_json(report))
    done = RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED, report=body)
    await store.append(run_id, run.fence, [Entry(at=2.0, branch="", event=done)])
    return run_id


def _new(run_id: str, tenant: str) -> NewRun:
    question = Question(text="Wie tief? 有多深？", language="en")
    return NewRun(id=run_id, tenant=tenant, question=question, options=Options(), seed=1)
