"""Reports, sources, journals, exports."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import Query
from fastapi.responses import Response, StreamingResponse

from leadline import codec
from leadline.ports.access import Action
from leadline.research.reporting.archive import line
from leadline.service.deps import ObjectId, RunDep, ServicesDep
from leadline.service.evidence import FORMS
from leadline.service.routing import Answers, Routes
from leadline.service.shapes import JournalShown, SourceShown

SANDBOXED: Final = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a report's page may do: its own script runs, in an origin of its own that can reach nothing."""

_CHUNK: Final = 1 << 18
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]")
_BYTES: Final[Mapping[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_TEXT: Final[Mapping[str, Any]] = {"schema": {"type": "string"}}


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/research/{run_id}", tag="evidence")
    made.add("GET", "/report", report_of, action=Action.RUNS_READ, answers=report_answer(), errors=(409, 501))
    made.add("GET", "/sources/{source_id}", source_of, action=Action.RUNS_READ, model=SourceShown, errors=(409,))
    raw: Answers = {200: {"description": "The bytes.", "content": {"application/octet-stream": _BYTES}}}
    made.add("GET", "/sources/{source_id}/raw", raw_of, action=Action.RUNS_READ, answers=raw)
    made.add("GET", "/journal", journal_of, action=Action.RUNS_READ, model=JournalShown)
    zipped: Answers = {200: {"description": "A zip file.", "content": {"application/zip": _BYTES}}}
    made.add("GET", "/export", export_of, action=Action.RUNS_READ, answers=zipped, errors=(409,))
    return made


def report_answer() -> Answers:
    """Return what a report is sent as, for the OpenAPI document."""
    report = {"type": "object", "description": "`leadline.report/1`.", "required": ["schema", "run_id", "claims"]}
    content: dict[str, Any] = {
        form.media_type.partition(";")[0]: _BYTES if name in {"docx", "pdf"} else _TEXT for name, form in FORMS.items()
    }
    content["application/json"] = {"schema": report}
    content[FORMS["csl"].media_type] = {"schema": {"type": "array", "items": {"type": "object"}}}
    return {200: {"description": "The report.", "content": content}}


async def report_of(
    run: RunDep,
    services: ServicesDep,
    format: Annotated[
        Literal["md", "html", "json", "docx", "pdf", "bibtex", "ris", "csl"], Query(description="The form.")
    ] = "json",
) -> Response:
    """Get the report of a run that has ended.

    `json` is the report itself (`leadline.report/1`); all other forms are made of it. A run that
    failed or was cancelled has none.
    """
    form = FORMS[format]
    body = await services.evidence.form(run, format)
    headers = {"Content-Disposition": f'inline; filename="{_PLAIN.sub("_", run.id)}.{form.suffix}"'}
    if format == "html":
        headers["Content-Security-Policy"] = SANDBOXED
    return Response(body, media_type=form.media_type, headers=headers)


async def source_of(run: RunDep, source_id: ObjectId, services: ServicesDep) -> Response:
    """Look at a source: its stored text, and where claims of the report rest on it.

    Offsets count Unicode code points of the text.
    """
    source = await services.evidence.source(run, source_id)
    text = await services.evidence.text(run, source)
    spans = await services.evidence.spans(run, source)
    body = await asyncio.to_thread(codec.encode, {"source": source, "text": text, "spans": spans})
    return Response(body, media_type="application/json")


async def raw_of(run: RunDep, source_id: ObjectId, services: ServicesDep) -> Response:
    """Download the bytes that a source's text was made from.

    They are whatever a host sent: they come as a file to be kept, never to be shown.
    """
    source = await services.evidence.source(run, source_id)
    body = await services.evidence.raw(run, source)
    headers = {
        "Content-Disposition": f'attachment; filename="{source.raw_sha256[:16]}.bin"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(body, media_type="application/octet-stream", headers=headers)


async def journal_of(
    run: RunDep,
    services: ServicesDep,
    *,
    after: Annotated[int, Query(ge=0, lt=10**15, description="The last event of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many events at most.")] = 100,
) -> Response:
    """Read a run's journal, event by event, from the first on."""
    records = await services.evidence.events(run, after=after, limit=limit)
    following = records[-1].seq if len(records) == limit else None

    def packed() -> bytes:
        return orjson.dumps({"items": [orjson.Fragment(line(record)) for record in records], "next": following})

    return Response(await asyncio.to_thread(packed), media_type="application/json")


async def export_of(run: RunDep, services: ServicesDep) -> Response:
    """Download all of a run in one file: reports, stored texts, bytes, journal, hashes of all of them.

    `leadline verify` checks it anywhere.
    """
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(services.evidence.export(run))
        size = (await asyncio.to_thread(path.stat)).st_size
        file = stack.enter_context(await asyncio.to_thread(path.open, "rb"))
        kept = stack.pop_all()

    async def chunks() -> AsyncIterator[bytes]:
        async with kept:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk

    headers = {
        "Content-Disposition": f'attachment; filename="{_PLAIN.sub("_", run.id)}.zip"',
        "Content-Length": str(size),
    }
    return StreamingResponse(chunks(), media_type="application/zip", headers=headers)
