"""What is done with runs after their end: replayed, verified, exported, collected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from leadline.api.results import GcReport, Verification
from leadline.domain import Json, ModelAnswer, ModelRequest, Report, Source, sha256
from leadline.errors import BlobMissing, InputError, RecordIncomplete
from leadline.events import Record, SourceStored, ToolAnswered
from leadline.ports import Blobs, Cursor, Run, RunStore
from leadline.research.artefacts import bodies
from leadline.research.pipeline import conduct
from leadline.research.recorder import Recorder
from leadline.research.reporting import archive
from leadline.research.reporting.foreign import read_report
from leadline.research.reporting.report import to_json
from leadline.research.verification.recheck import recheck
from leadline.telling.artefacts import paths
from leadline.wiring import Platform
from leadline.worker import finished, journal

LOCAL = "local"
"""The tenant of runs that are asked for on this machine."""

PAGE = 500
FRESH = 3_600.0
"""Seconds for which a body that no run names yet is left alone: a run may be about to name it."""

DAY = 86_400.0


class NoModel:
    """Stands where a model was: a replay that asks it has left the record."""

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Raise `RecordIncomplete`."""
        del deadline, progress
        raise RecordIncomplete(f"the record of {session} holds no answer of `{request.model}` to this request")


async def replay(platform: Platform, run: Run, records: Sequence[Record]) -> Report:
    """Conduct a run again over its record and return the report, which has the recorded hash.

    Raises `Diverged`, `RecordIncomplete`.
    """
    if not run.state.ended:
        raise RecordIncomplete(f"run {run.id} has not ended: it is {run.state}")
    recorder = Recorder(run_id=run.id, tenant=run.tenant, records=records, blobs=platform.blobs, outside=None)
    conclusion = await conduct(recorder, platform.past_means(run, NoModel()))
    if conclusion.report is None:
        raise RecordIncomplete(f"run {run.id} came to no report: {conclusion.stop}")
    await recorder.finish(finished(conclusion, sha256(to_json(conclusion.report))))
    return conclusion.report


async def verify(platform: Platform, report: Report, *, tenant: str) -> Verification:
    """Hold a report against the sources of a tenant stored here."""
    return await verify_stored(platform.blobs, report, tenant=tenant)


async def verify_stored(blobs: Blobs, report: Report, *, tenant: str) -> Verification:
    """Hold a report against the sources of a tenant in a store of bodies."""
    reader = blobs.reader(tenant)
    return await asyncio.to_thread(_verified, report, reader.read, ())


async def verify_file(platform: Platform, path: Path) -> Verification:
    """Hold an export against itself, or a report's JSON against the sources stored here.

    Raises `InputError` where the file cannot be read, `CheckFailed` for one that is neither.
    """
    if path.suffix == ".zip":
        return await asyncio.to_thread(verify_archive, path)
    try:
        report = read_report(await asyncio.to_thread(path.read_bytes))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return await verify(platform, report, tenant=LOCAL)


def verify_archive(path: Path) -> Verification:
    """Hold an export against itself; nothing else is needed. Raises as `verify_file`."""
    opened = archive.open_archive(path)
    return _verified(opened.report, opened.read, opened.problems)


def _verified(report: Report, read: Callable[[str], str], problems: Sequence[str]) -> Verification:
    found = [*problems, *(problem.message for problem in recheck(report, read))]
    return Verification(
        ok=not found,
        problems=tuple(found),
        claims=len(report.claims),
        quotes=sum(len(claim.citations) for claim in report.claims),
    )


async def export(
    platform: Platform, report: Report, *, records: Sequence[Record], path: Path, tenant: str = LOCAL
) -> None:
    """Write a run's zip. Raises `InputError`, `StoreFull`."""
    sources = stored(records)
    blobs = platform.blobs
    texts = {s.id: (await blobs.get(tenant, s.sha256)).decode() for s in sources.values()}
    raws = {
        s.raw_sha256: await blobs.get(tenant, s.raw_sha256)
        for s in sources.values()
        if await blobs.has(tenant, s.raw_sha256)
    }
    bodies = await artefact_bodies(platform, report, tenant=tenant)
    await asyncio.to_thread(
        archive.write, path, report=report, records=records, sources=sources, texts=texts, raws=raws, bodies=bodies
    )


async def artefact_bodies(platform: Platform, report: Report, *, tenant: str = LOCAL) -> Mapping[str, bytes]:
    """Return what programs of the run made, and the programs' texts, by hash; what is gone is left out."""
    found: dict[str, bytes] = {}
    for name in dict.fromkeys(paths(report).values()):
        with suppress(BlobMissing):
            found[name] = await platform.blobs.get(tenant, name)
    return found


def stored(records: Sequence[Record]) -> dict[str, Source]:
    """Return the sources that a journal says are stored, by id."""
    return {r.event.source.id: r.event.source for r in records if isinstance(r.event, SourceStored)}


async def collect(platform: Platform, *, older_than_days: float | None, tenant: str | None) -> GcReport:
    """Delete runs that ended longer ago than that, and bodies that no run names: a tenant's, or everybody's."""
    store = platform.store
    now = platform.clock.now()
    deleted = 0 if older_than_days is None else await _expired(store, before=now - older_than_days * DAY, tenant=tenant)
    freed = 0
    for each in await platform.hosted.tenants() if tenant is None else (tenant,):
        keep = await named_by_runs(platform, each) | await platform.hosted.blobs(each)
        freed += await platform.blobs.sweep(each, frozenset(keep), older_than=now - FRESH)
    return GcReport(runs=deleted, bytes=freed)


async def named_by_runs(platform: Platform, tenant: str) -> set[str]:
    """Return the hashes of all bodies that runs of a tenant name."""
    before: Cursor | None = None
    keep: set[str] = set()
    while page := await platform.store.runs(tenant=tenant, before=before, limit=PAGE):
        before = page[-1].cursor
        for run in page:
            keep |= await _named(platform, run)
    return keep


async def _expired(store: RunStore, *, before: float, tenant: str | None) -> int:
    """Delete runs that ended before `before`; return how many that were."""
    deleted = 0
    while page := await store.ended(before=before, tenant=tenant, limit=PAGE):
        for run in page:
            await store.delete(run.id, tenant=run.tenant)
        deleted += len(page)
    return deleted


async def _named(platform: Platform, run: Run) -> set[str]:
    """Return the hashes of all bodies that a run names."""
    named = {run.report} if run.report else set()
    records = await journal(platform.store, run.id)
    for source in stored(records).values():
        named |= {source.sha256, source.raw_sha256}
    return named | {body for made in _given(records) for body in bodies(made)}


def _given(records: Sequence[Record]) -> Iterator[Json]:
    return (r.event.value for r in records if isinstance(r.event, ToolAnswered))
