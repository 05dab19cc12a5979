"""What came of a run: its report in each form, the sources under it, its journal, all of it in one file."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from leadline.api import keeping
from leadline.api.forms import Format, rendered
from leadline.domain import Failure, Report, RunState, Source
from leadline.errors import RunCancelled, RunFailed, UnknownObject, WrongState
from leadline.events import Record, SourceStored
from leadline.ports import Links, Run
from leadline.research.reporting.report import from_json
from leadline.service.shown import hidden, record_shown
from leadline.wiring import Platform
from leadline.worker import journal

_PAGE: Final = 1_000


class Form(NamedTuple):
    """How a report's form is sent: its media type, and how a file of it ends."""

    media_type: str
    suffix: str


FORMS: Final[Mapping[Format, Form]] = MappingProxyType(
    {
        "md": Form("text/markdown; charset=utf-8", "md"),
        "html": Form("text/html; charset=utf-8", "html"),
        "json": Form("application/json", "json"),
        "docx": Form("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
        "pdf": Form("application/pdf", "pdf"),
        "bibtex": Form("application/x-bibtex; charset=utf-8", "bib"),
        "ris": Form("application/x-research-info-systems; charset=utf-8", "ris"),
        "csl": Form("application/vnd.citationstyles.csl+json", "csl.json"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A piece of a source's stored text that a claim of the report rests on; offsets in code points."""

    claim_id: str
    claim: str
    verdict: str
    start: int
    end: int
    locator: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Where an export lies for whoever knows the address, and until when (Unix time)."""

    url: str
    until: float


class Evidence:
    """Shows what came of runs; `exports` are packed at a time, and lie for `link_seconds` where `links` puts them."""

    def __init__(
        self, *, platform: Platform, exports: int, links: Links | None = None, link_seconds: float = 0.0
    ) -> None:
        self._platform = platform
        self._packing = asyncio.Semaphore(exports)
        self._links = links
        self._link_seconds = link_seconds

    async def report_body(self, run: Run) -> bytes:
        """Return a report's JSON as it was stored. Raises `RunFailed`, `RunCancelled`, `WrongState`."""
        if run.state is RunState.CANCELLED:
            raise RunCancelled(f"run {run.id} was cancelled")
        if run.state is RunState.FAILED:
            why = hidden(run.failure or Failure(code="error", message=str(run.stop_reason)))
            raise RunFailed(f"run {run.id} failed: {why.message}", cause=why.code)
        if run.report is None:
            raise WrongState(f"run {run.id} has no report yet: it is {run.state}")
        return await self._platform.blobs.get(run.tenant, run.report)

    async def report(self, run: Run) -> Report:
        """Return a report. Raises as `report_body`."""
        return await asyncio.to_thread(from_json, await self.report_body(run))

    async def form(self, run: Run, form: Format) -> bytes:
        """Return a report in a form. Raises as `report_body`, and `MissingExtra`."""
        body = await self.report_body(run)
        if form == "json":
            return body
        report = await asyncio.to_thread(from_json, body)
        told = await rendered(self._platform, report, form, tenant=run.tenant)
        return told.encode("utf-8", "replace") if isinstance(told, str) else told

    async def source(self, run: Run, source_id: str) -> Source:
        """Return a source that a run stored. Raises `UnknownObject`."""
        after = 0
        while page := await self._platform.store.records(run.id, after=after, limit=_PAGE):
            after = page[-1].seq
            for record in page:
                if isinstance(record.event, SourceStored) and record.event.source.id == source_id:
                    return record.event.source
        raise UnknownObject(f"run {run.id} stored no such source: {source_id[:80]}")

    async def text(self, run: Run, source: Source) -> str:
        """Return a source's stored text. Raises `BlobMissing`."""
        return (await self._platform.blobs.get(run.tenant, source.sha256)).decode("utf-8", "replace")

    async def raw(self, run: Run, source: Source) -> bytes:
        """Return the bytes that a source's text was made from. Raises `BlobMissing`."""
        return await self._platform.blobs.get(run.tenant, source.raw_sha256)

    async def spans(self, run: Run, source: Source) -> Sequence[Span]:
        """Return where claims of the report rest on a source, in the text's order; none before there is a report."""
        if run.report is None:
            return ()
        report = await self.report(run)
        found = [
            Span(
                claim_id=claim.id,
                claim=claim.text,
                verdict=claim.verdict.value,
                start=citation.start,
                end=citation.end,
                locator=citation.locator,
            )
            for claim in report.claims
            for citation in claim.citations
            if citation.source_id == source.id
        ]
        return sorted(found, key=lambda span: (span.start, span.end))

    async def events(self, run: Run, *, after: int, limit: int) -> Sequence[Record]:
        """Return a page of a run's journal, as it is shown."""
        return [record_shown(record) for record in await self._platform.store.records(run.id, after=after, limit=limit)]

    @asynccontextmanager
    async def export(self, run: Run) -> AsyncIterator[Path]:
        """Pack all of a run into one file that is gone afterwards. Raises as `report_body`."""
        async with self._packing:
            report = await self.report(run)
            records = [record_shown(record) for record in await journal(self._platform.store, run.id)]
            folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="leadline-export-")
            try:
                path = Path(folder.name) / "export.zip"
                await keeping.export(self._platform, report, records=records, path=path, tenant=run.tenant)
                yield path
            finally:
                await asyncio.to_thread(folder.cleanup)

    async def link(self, run: Run) -> Link:
        """Put an export where it can be fetched without the service. Raises as `export`, and `WrongState`."""
        if self._links is None:
            raise WrongState("this service gives no links to exports: download it from the service itself")
        until = self._platform.clock.now() + self._link_seconds
        async with self.export(run) as path:
            with await asyncio.to_thread(path.open, "rb") as file:
                url = await self._links.link(run.tenant, file, name=f"{run.id}.zip", seconds=self._link_seconds)
        return Link(url=url, until=until)
