"""What was asked and is kept: runs, their records and reports, in every form, held to their sources."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import overload

from leadline.api import keeping
from leadline.api.forms import BinaryFormat, Format, TextFormat, check_format, rendered
from leadline.api.keeping import LOCAL
from leadline.api.results import GcReport, Verification
from leadline.domain import Failure, Report, RunState
from leadline.errors import RunCancelled, RunFailed, UnknownRun, WrongState
from leadline.events import Record
from leadline.ports import Run
from leadline.research.reporting.report import from_json
from leadline.telling.artefacts import paths
from leadline.wiring import Platform
from leadline.worker import journal


class Archive:
    """What an engine keeps; `Leadline` is one, and asks as well."""

    _tenant: str | None = LOCAL
    """Whose runs are reached; `None`: everybody's."""

    @property
    def _running(self) -> Platform:
        """The parts that are open. Raises `RuntimeError` before they are."""
        raise RuntimeError("use Leadline inside `async with`")

    async def run(self, run_id: str) -> Run:
        """Return a run's row; `run_id` may be a unique beginning, or `last`. Raises `UnknownRun`."""
        store = self._running.store
        try:
            return await store.get(run_id, tenant=self._tenant)
        except UnknownRun:
            runs = await self.runs(limit=1 if run_id == "last" else 1_000)
            found = [r for r in runs if run_id == "last" or r.id.startswith(run_id)]
            if not found or len(run_id) < 2:
                raise
            if len(found) > 1:
                raise UnknownRun(f"`{run_id}` begins {len(found)} runs' ids; give more of it") from None
            return found[0]

    async def runs(self, *, state: RunState | None = None, limit: int = 50) -> Sequence[Run]:
        """Return runs, newest first."""
        return await self._running.store.runs(tenant=self._tenant, state=state, limit=limit)

    async def records(self, run_id: str) -> Sequence[Record]:
        """Return a run's whole journal. Raises `UnknownRun`."""
        return await journal(self._running.store, (await self.run(run_id)).id)

    async def report(self, run_id: str) -> Report:
        """Return an ended run's report. Raises `RunFailed`, `RunCancelled`, `WrongState`, `UnknownRun`."""
        return from_json(await self._report_bytes(await self.run(run_id)))

    def check_format(self, format: Format) -> None:
        """Raise `MissingExtra` where `render` could not make this form here for want of a library."""
        check_format(format)

    @overload
    async def render(self, report: Report, format: TextFormat) -> str: ...

    @overload
    async def render(self, report: Report, format: BinaryFormat) -> bytes: ...

    @overload
    async def render(self, report: Report, format: Format) -> str | bytes: ...

    async def render(self, report: Report, format: Format) -> str | bytes:
        """Return a report as Markdown, one-file HTML, JSON, DOCX, PDF, BibTeX, RIS or CSL-JSON.

        `docx` and `pdf` give bytes, the others text. Raises `MissingExtra` where a library or a
        font for the report's script is not installed; the message names the command.
        """
        return await rendered(self._running, report, format, tenant=await self._whose(report))

    async def beside(self, report: Report) -> Mapping[str, bytes]:
        """Return what a Markdown report names and does not hold, by its place beside the file.

        Pictures and files that programs of the run made, and the programs; what is gone is left out.
        """
        bodies = await keeping.artefact_bodies(self._running, report, tenant=await self._whose(report))
        return {place: bodies[name] for place, name in paths(report).items() if name in bodies}

    async def replay(self, run_id: str) -> Report:
        """Run the engine again over an ended run's record, with nothing outside, and return its report.

        Raises `Diverged` where it does not lead to the same bytes, `RecordIncomplete` for a run
        that has not ended.
        """
        run = await self.run(run_id)
        return await keeping.replay(self._running, run, await self.records(run.id))

    async def verify(self, target: str | Path) -> Verification:
        """Check a run, an exported zip or a report's JSON file against stored sources, offline.

        A report's JSON is held against the sources stored here.
        """
        path = Path(target)
        if path.suffix in {".zip", ".json"} and await asyncio.to_thread(path.is_file):
            return await keeping.verify_file(self._running, path)
        report = await self.report(str(target))
        return await keeping.verify(self._running, report, tenant=await self._whose(report))

    async def export(self, run_id: str, path: Path) -> None:
        """Write one zip: reports, stored texts, raw bytes, journal, and a manifest of hashes."""
        run = await self.run(run_id)
        report, records = await self.report(run.id), await self.records(run.id)
        await keeping.export(self._running, report, records=records, path=path, tenant=run.tenant)

    async def gc(self, *, older_than_days: float | None) -> GcReport:
        """Delete runs that ended longer ago than that, and bodies that no run names."""
        return await keeping.collect(self._running, older_than_days=older_than_days, tenant=self._tenant)

    async def _whose(self, report: Report) -> str:
        """Return the tenant of a report's run; of a report from elsewhere, who asks on this machine."""
        try:
            return (await self.run(report.run_id)).tenant
        except UnknownRun:
            return LOCAL

    async def _report_bytes(self, run: Run) -> bytes:
        if run.state is RunState.CANCELLED:
            raise RunCancelled(f"run {run.id} was cancelled")
        if run.state is RunState.FAILED:
            why = run.failure or Failure(code="error", message=str(run.stop_reason))
            raise RunFailed(f"run {run.id} failed: {why.message}", cause=why.code)
        if run.report is None:
            raise WrongState(f"run {run.id} has no report yet: it is {run.state}")
        return await self._running.blobs.get(run.tenant, run.report)
