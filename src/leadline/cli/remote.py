"""A service elsewhere as the engine of the commands: `--server URL` gives what the same command gives here."""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn, Self, cast

from leadline.cli.engine import Estimated, Format, Indexed, Indexing, Swept, Verified
from leadline.cli.uploads import bring_docs
from leadline.client import Ask, AsyncClient, RunView
from leadline.client.aio import raise_for
from leadline.domain import Budget, Json, Options, Question, Report, RunState, StopReason, StrategyName, sha256
from leadline.errors import InputError, UnknownRun, WrongState
from leadline.events import ENGINE, Progress, Record
from leadline.ports import Run
from leadline.settings import Settings
from leadline.telling.artefacts import paths

NOT_THERE: Final = "a service does not take this; call it without `--server`, on the machine that is meant"
_TEXTS: Final = frozenset({"md", "html", "json", "bibtex", "ris", "csl"})
_NO_BUDGET: Final = Budget(steps=None, tokens=None, seconds=None, usd=None)
_SAME: Final = (
    *("web", "urls", "sites", "exclude", "since", "instructions", "corpora"),
    *("scholar", "python", "researchers", "approve", "clarify"),
)
_MOST_RUNS: Final = 200
_LARGEST: Final = 64 << 20


class RemoteEngine:
    """See `cli.engine.Engine`. What the service decides (models, budgets that are not given) is left to it."""

    def __init__(self, settings: Settings) -> None:
        server = settings.server
        if server.url is None:
            raise InputError("no service is named: set LEADLINE_SERVER__URL, or give `--server URL`")
        self._settings = settings
        self.client = AsyncClient(server.url, key=None if server.key is None else server.key.reveal())
        self._wished: list[tuple[Options, Mapping[str, Any]]] = []

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.__aexit__(kind, error, trace)

    def options(self, **overrides: Any) -> Options:  # noqa: ANN401 fields of `Options` have different types
        """See `Engine`: only what was given; the service has the rest."""
        options = Options(**{"budget": self._budget(), **overrides})
        self._wished.append((options, overrides))
        return options

    async def start(
        self,
        question: str,
        *,
        docs: Sequence[Path] = (),
        options: Options | None = None,
        language: str | None = None,
        servers: Sequence[str] = (),
        indexing: Callable[[Indexing], None] | None = None,
        indexed: Callable[[Indexed], None] | None = None,
    ) -> str:
        """See `Engine`. Documents are sent to a corpus of their own, but for those that are there already."""
        options = options or self.options()
        ask = self._ask(question, options, language=language, servers=servers)
        if docs:
            corpus, found = await bring_docs(self.client, docs, progress=indexing)
            ask = replace(ask, corpora=(*ask.corpora, corpus), web=bool(ask.web))
            if indexed is not None:
                indexed(found)
        return (await self.client.start(ask)).id

    async def stream(self, run_id: str, *, after: int = 0) -> AsyncIterator[Record | Progress]:
        """See `Engine`."""
        async with aclosing(self.client.events(run_id, after=after)) as items:
            async for item in items:
                yield item

    async def result(self, run_id: str) -> Report:
        """See `Engine`."""
        return await self.client.result(run_id)

    async def finish(self, run_id: str) -> None:
        """See `Engine`."""
        await self.client.finish(run_id)

    async def cancel(self, run_id: str) -> None:
        """See `Engine`."""
        await self.client.cancel(run_id)

    async def resume(self, run_id: str) -> None:
        """See `Engine`: a service goes on with its runs by itself, so there is nothing to do but to look."""
        run = await self.client.run(run_id)
        if run.state.ended:
            raise WrongState(f"run {run.id} has ended ({run.state}); see it with `leadline show {run.id}`")
        if run.state is RunState.WAITING:
            raise_for(run)

    async def reply(self, run_id: str, reply: Mapping[str, Json]) -> None:
        """See `Engine`."""
        await self.client.reply(run_id, reply)

    async def asks(self, run_id: str) -> Mapping[str, Json] | None:
        """Return what a run asks of a person, `None` where it does not wait."""
        return (await self.client.run(run_id)).asks

    async def run(self, run_id: str) -> Run:
        """See `Engine`: also by the beginning of an id, or `last`."""
        if run_id != "last":
            with suppress(UnknownRun):
                return row_of(await self.client.run(run_id))
        listed = (await self.client.runs(limit=1 if run_id == "last" else _MOST_RUNS)).items
        found = [run for run in listed if run_id == "last" or (len(run_id) > 1 and run.id.startswith(run_id))]
        if not found:
            raise UnknownRun(f"no such run: {run_id}")
        if len(found) > 1:
            raise UnknownRun(f"`{run_id}` begins {len(found)} runs' ids; give more of it")
        return row_of(await self.client.run(found[0].id))

    async def runs(self, *, state: RunState | None = None, limit: int = 50) -> Sequence[Run]:
        """See `Engine`."""
        found: list[RunView] = []
        cursor: str | None = None
        while len(found) < limit:
            page = await self.client.runs(state=state, limit=min(_MOST_RUNS, limit - len(found)), cursor=cursor)
            found += page.items
            cursor = page.next
            if cursor is None:
                break
        return [row_of(run) for run in found]

    async def report(self, run_id: str) -> Report:
        """See `Engine`."""
        return await self.client.report(run_id)

    def check_format(self, format: Format) -> None:
        """See `Engine`: the service makes it."""

    async def render(self, report: Report, format: Format) -> Any:  # noqa: ANN401 text or bytes, by the format
        """See `Engine`."""
        body = await self.client.rendered(report.run_id, format)
        return body.decode() if format in _TEXTS else body

    async def beside(self, report: Report) -> Mapping[str, bytes]:
        """See `Engine`: they are taken out of the run's export."""
        if not report.artefacts:
            return {}
        async with self._fetched(report.run_id) as path:
            return await asyncio.to_thread(_beside, path, report)

    async def records(self, run_id: str) -> Sequence[Record]:
        """See `Engine`."""
        return [record async for record in self.client.journal(run_id)]

    async def replay(self, run_id: str) -> Report:
        """See `Engine`; raises `InputError`: a replay needs the bodies of the run."""
        del run_id
        _refuse("replay")

    async def verify(self, target: str | Path) -> Verified:
        """See `Engine`: a run's export is fetched and checked here, not believed."""
        path = Path(target)
        if path.suffix == ".zip" and await asyncio.to_thread(path.is_file):
            return await asyncio.to_thread(_verified, path)
        if path.suffix == ".json":
            _refuse("verifying a report's JSON")
        async with self._fetched(str(target)) as fetched:
            return await asyncio.to_thread(_verified, fetched)

    async def export(self, run_id: str, path: Path) -> None:
        """See `Engine`."""
        await self.client.export(run_id, path)

    async def index(self, paths: Sequence[Path], progress: Callable[[Indexing], None] | None = None) -> Indexed:
        """See `Engine`; raises `InputError`."""
        del paths, progress
        _refuse("`index`")

    async def estimate(self, question: str, *, docs: Sequence[Path], options: Options) -> Estimated:
        """See `Engine`; raises `InputError`."""
        del question, docs, options
        _refuse("`--dry-run`")

    async def gc(self, *, older_than_days: float | None) -> Swept:
        """See `Engine`; raises `InputError`."""
        del older_than_days
        _refuse("`gc`")

    # -- inside -------------------------------------------------------------------------------

    @asynccontextmanager
    async def _fetched(self, run_id: str) -> AsyncIterator[Path]:
        """Yield a run's export, which is gone afterwards."""
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="leadline-")
        try:
            path = Path(folder.name) / "run.zip"
            await self.client.export(run_id, path)
            yield path
        finally:
            await asyncio.to_thread(folder.cleanup)

    def _budget(self) -> Budget:
        """Return the limits that flags of this call name."""
        given = {
            name: getattr(self._settings.budget, name)
            for name in ("steps", "tokens", "seconds", "usd")
            if self._settings.sources.get(f"budget.{name}") == "flag"
        }
        return Budget(**{"steps": None, "tokens": None, "seconds": None, "usd": None, **given})

    def _ask(self, question: str, options: Options, *, language: str | None, servers: Sequence[str]) -> Ask:
        settings = self._settings
        if settings.sources.get("model.name") == "flag":
            raise InputError("`--model` cannot be chosen for a service: it has its own")
        wished = next((wished for known, wished in self._wished if known is options), None)
        given = _given(options) if wished is None else {name: wished[name] for name in _SAME if name in wished}
        budget = options.budget
        flags = {name: getattr(settings, name) for name in ("policy", "length") if settings.sources.get(name) == "flag"}
        return Ask(
            question=question,
            language=cast("Any", language),
            strategy=options.strategy.value,
            steps=budget.steps,
            tokens=budget.tokens,
            seconds=budget.seconds,
            usd=budget.usd,
            continues=options.ledger_of,
            json_schema=options.schema,
            servers=tuple(servers),
            priority=settings.server.priority,
            **flags,
            **given,
        )


def row_of(run: RunView) -> Run:
    """Return a run as listings here have it; what a service does not tell is left as a new run's."""
    return Run(
        id=run.id,
        tenant="",
        question=Question(text=run.question, language=run.language),
        options=Options(
            strategy=StrategyName(run.strategy),
            web=run.web,
            corpora=run.corpora,
            ledger_of=run.continues,
            budget=_NO_BUDGET,
        ),
        seed=0,
        state=run.state,
        engine=ENGINE,
        priority=run.priority,
        created_at=_moment(run.created_at),
        updated_at=_moment(run.updated_at),
        attempts=0,
        fence=0,
        last_seq=run.last_event,
        stop_reason=None if run.stop_reason is None else StopReason(run.stop_reason),
        report="there" if run.has_report else None,
        failure=run.failure,
        usage=run.usage,
        waits_for=run.waits_for,
    )


def _given(options: Options) -> dict[str, Any]:
    """Return of options that were changed since they were made what differs from none at all."""
    plain = Options()
    return {name: getattr(options, name) for name in _SAME if getattr(options, name) != getattr(plain, name)}


def _verified(path: Path) -> Verified:
    from leadline.api.keeping import verify_archive  # noqa: PLC0415 the whole engine: only where one is needed

    return verify_archive(path)


def _beside(path: Path, report: Report) -> Mapping[str, bytes]:
    """Return what an export holds beside a report; a body that is not what its hash says is left out."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as file:
        held = set(file.namelist())
        for place, name in paths(report).items():
            body = file.read(place) if place in held and file.getinfo(place).file_size <= _LARGEST else b""
            if sha256(body) == name:
                found[place] = body
    return found


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _refuse(what: str) -> NoReturn:
    raise InputError(f"{what}: {NOT_THERE}")
