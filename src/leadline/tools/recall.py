"""`recall`: the evidence of an earlier run, for a run that continues on it. Never offered to a model."""

from __future__ import annotations

from collections.abc import Mapping

from leadline import codec
from leadline.domain import Excerpt, Fetched, Json, Report, Source, ToolResult, ToolSpec
from leadline.errors import ToolStop
from leadline.events import Record, SourceStored, ToolAnswered
from leadline.ports import Blobs, CallContext, Run, RunStore
from leadline.telling.changes import gist

PAGE = 5_000


class RecallTool:
    """Reads another run's journal and hands over its sources, the passages that were shown, and what it told."""

    def __init__(self, store: RunStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    @property
    def spec(self) -> ToolSpec:
        """See `ports.Tool`."""
        return ToolSpec(
            name="recall",
            description="The sources of an earlier run.",
            parameters={
                "type": "object",
                "properties": {"run": {"type": "string"}},
                "required": ["run"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        """See `ports.Tool`. Raises `ToolStop` where the run is not the caller's."""
        run_id = str(arguments["run"])
        run = await self._store.get(run_id, tenant=context.tenant)
        if not run.state.ended:
            raise ToolStop(f"run {run_id} has not ended; a run continues only on one that has")
        sources: dict[str, Source] = {}
        shown: dict[str, Excerpt] = {}
        for record in await self._records(run_id):
            if isinstance(record.event, SourceStored):
                sources.setdefault(record.event.source.id, record.event.source)
            elif isinstance(record.event, ToolAnswered):
                shown.update({excerpt.id: excerpt for excerpt in record.event.shown})
        fetched = [
            Fetched(source=s, text=(await self._blobs.get(context.tenant, s.sha256)).decode()) for s in sources.values()
        ]
        return ToolResult(
            value={"run": run_id, "sources": list(sources), "told": await self._told(run)},
            sources=tuple(fetched),
            shown=tuple(shown.values()),
        )

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        """See `ports.Tool`."""
        del value
        return f"{len(texts)} sources of an earlier run are at hand."

    async def _told(self, run: Run) -> Json:
        """Return the gist of the run's report, with which the later one is compared; `None` without a report."""
        if run.report is None:
            return None
        body = await self._blobs.get(run.tenant, run.report)
        told: Json = codec.orjson_tree(gist(codec.decode(Report, body)))
        return told

    async def _records(self, run_id: str) -> list[Record]:
        records: list[Record] = []
        while True:
            page = await self._store.records(run_id, after=records[-1].seq if records else 0, limit=PAGE)
            records.extend(page)
            if len(page) < PAGE:
                return records
