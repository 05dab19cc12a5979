"""`leadline restore`: a backup into empty servers, and the proof that what came back is what it was.

The backup is read through before anything is written. Bodies come first, tables last. What is in a
database says of which unfinished restore it is, from the transaction on that put it there until the
restore is at its end: one that was cut off is simply begun again, and goes on, taking nothing away.
Afterwards every report is held against its sources as `leadline verify` does, and every journal is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from leadline.api import keeping
from leadline.errors import BackupUnusable, BlobMissing, CheckFailed
from leadline.ops.backup import AT_ONCE, checked_body, damages, write_note
from leadline.ops.backup_place import Body, Manifest, Place
from leadline.ports import Blobs, Clock, Cursor, Run, RunStore
from leadline.ports.backup import Inlet
from leadline.research.reporting.foreign import read_report
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.wiring.backup import Holdings, holdings, refuse_occupied
from leadline.wiring.store import run_store
from leadline.worker import journal

RESTORED: Final = "restored.json"
"""Written beside `last.json` after a restore that proved good: as that, and how much was restored."""

_PAGE: Final = 200
_MOST_PROBLEMS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What came back; `problems` is empty where every report and journal is as it was."""

    id: str
    made_at: str
    runs: int
    reports: int
    claims: int
    bodies: int
    secret_keys: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Proof:
    """What was looked at so far."""

    runs: int = 0
    steps: int = 0
    reports: int = 0
    claims: int = 0
    problems: list[str] = field(default_factory=list)


async def restore(
    settings: Settings,
    folder: Path,
    *,
    id: str | None = None,
    passphrase: str | None = None,
    clock: Clock | None = None,
) -> Restored:
    """Put a backup, the newest where none is named, into the empty servers that the settings name, and prove it.

    One that was cut off goes on when it is called again. Raises `BackupUnusable` for a backup that is
    not whole, `WrongState` where the servers hold anything else, `SettingsError` for a backup of another
    kind of store or of a newer version, `StoreError`.
    """
    clock = clock or SystemClock()
    place = await asyncio.to_thread(Place.open, folder, passphrase=passphrase)
    manifest = await asyncio.to_thread(place.manifest, id)
    found = await asyncio.to_thread(lambda: list(islice(damages(place, manifest), 1)))
    if found:
        raise BackupUnusable(f"nothing was restored: {found[0]}; `leadline backup verify {folder}` tells all")
    async with holdings(settings) as held:
        await refuse_occupied(held.tables, backup=manifest.id)
        await _bodies(place, manifest, held)
        await held.tables.load(manifest.dump, _inlet(place, manifest.id), backup=manifest.id)
        restored = await _proved(settings, manifest, held.bodies)
        note: dict[str, object] = {
            "at": datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="seconds"),
            "target": str(place.folder),
            "bytes": sum(one.size for one in manifest.sums.values()) + manifest.body_bytes,
            "verified": not restored.problems,
            "backup": manifest.id,
            "runs": restored.runs,
            "reports": restored.reports,
        }
        if not restored.problems:
            await asyncio.to_thread(write_note, held.notes / RESTORED, note)
        await held.tables.finish()
    return restored


def _inlet(place: Place, id: str) -> Inlet:
    async def pieces(name: str) -> AsyncIterator[bytes]:
        source = place.read_part(id, name)
        while (piece := await asyncio.to_thread(next, source, None)) is not None:
            yield piece

    return pieces


async def _bodies(place: Place, manifest: Manifest, held: Holdings) -> None:
    async def put(body: Body) -> None:
        data = await asyncio.to_thread(checked_body, place, body)
        await held.bodies.put(body.tenant, data)

    source = place.bodies(manifest.id)
    while page := await asyncio.to_thread(lambda: list(islice(source, AT_ONCE))):
        async with asyncio.TaskGroup() as group:
            for body in page:
                group.create_task(put(body))


async def _proved(settings: Settings, manifest: Manifest, blobs: Blobs) -> Restored:
    """Hold every report against its sources, and count every journal."""
    proof = _Proof()
    async with run_store(settings, settings.data_dir) as store:
        for tenant in manifest.dump.tenants:
            async for run in _runs(store, tenant):
                await _prove(store, blobs, run, proof=proof)
    problems = proof.problems
    # There may be more: workers that run already take up what waited.
    if proof.runs < manifest.dump.runs or proof.steps < manifest.dump.steps:
        problems.append(
            f"{manifest.dump.runs} runs with {manifest.dump.steps} events were backed up, "
            f"{proof.runs} with {proof.steps} came back"
        )
    return Restored(
        id=manifest.id,
        made_at=manifest.at,
        runs=proof.runs,
        reports=proof.reports,
        claims=proof.claims,
        bodies=manifest.bodies,
        secret_keys=manifest.dump.secret_keys,
        problems=tuple(problems[:_MOST_PROBLEMS]),
    )


async def _runs(store: RunStore, tenant: str) -> AsyncIterator[Run]:
    before: Cursor | None = None
    while page := await store.runs(tenant=tenant, before=before, limit=_PAGE):
        before = page[-1].cursor
        for run in page:
            yield run


async def _prove(store: RunStore, blobs: Blobs, run: Run, *, proof: _Proof) -> None:
    problems = proof.problems
    records = await journal(store, run.id)
    proof.runs += 1
    proof.steps += len(records)
    if [record.seq for record in records] != list(range(1, len(records) + 1)):
        problems.append(f"the journal of run {run.id} has gaps")
    if run.report is None:
        return
    try:
        report = read_report(await blobs.get(run.tenant, run.report))
        verification = await keeping.verify_stored(blobs, report, tenant=run.tenant)
    except (BlobMissing, CheckFailed) as error:
        problems.append(f"run {run.id}: {error}")
        return
    proof.reports += 1
    proof.claims += verification.claims
    problems += [f"run {run.id}: {problem}" for problem in verification.problems]
