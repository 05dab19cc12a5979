"""What a run works with, by its recorded options and the present addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from leadline.domain import Dialect
from leadline.errors import SettingsError
from leadline.ports import Blobs, Clock, Cpu, Documents, Model, Reader, Run, RunStore, Sandbox, Search, Tool
from leadline.research.study import Means
from leadline.search.corpus import Corpus
from leadline.search.hosted import Hosted
from leadline.settings import Settings
from leadline.tools import parse_file, python, scholar
from leadline.tools.gateway import Doors, Gateway
from leadline.tools.ranked import Ranking as HitRanking
from leadline.tools.recall import RecallTool
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.summary import Summaries
from leadline.tools.visit import VisitTool
from leadline.wire.papers import Scholar
from leadline.wiring.corpora import Corpora
from leadline.wiring.external import External
from leadline.wiring.hosted import SIGN, HostedCorpora
from leadline.wiring.models import Models
from leadline.wiring.programs import NoPrograms, Programs
from leadline.wiring.ranking import Ranking
from leadline.wiring.remote import Reach
from leadline.wiring.scholarly import NoWorks
from leadline.wiring.summaries import Summing
from leadline.wiring.web import WEB

PYTHON_MARGIN = 10.0
"""Seconds beyond a program's own: to open the sandbox, end it, and take its files over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """Gives a run its tools and models, by its recorded options and the present addresses."""

    settings: Settings
    store: RunStore
    blobs: Blobs
    cpu: Cpu
    clock: Clock
    corpora: Corpora
    hosted: HostedCorpora
    models: Models
    ranking: Ranking
    reach: Reach
    summing: Summing
    programs: Programs
    external: External
    doors: Doors = field(default_factory=Doors)

    @asynccontextmanager
    async def means(self, run: Run) -> AsyncIterator[Means]:
        """Return what a live run works with.

        Raises `MissingPath` where a local index is gone, `SettingsError` where its model is not set here.
        """
        async with AsyncExitStack() as held:
            corpora = [await self._corpus(run, name, held) for name in run.options.corpora]
            async with self._with(run, corpora) as means:
                yield means

    async def _corpus(self, run: Run, name: str, held: AsyncExitStack) -> Corpus | Hosted:
        """Return a corpus that a run names: a tenant's version, or an index of this machine."""
        if SIGN not in name:
            return await self.corpora.by_id(name)

        async def stopped() -> bool:
            return (await self.store.get(run.id, tenant=run.tenant)).flag is not None

        return await held.enter_async_context(self.hosted.using(run.tenant, name, stopped=stopped))

    @asynccontextmanager
    async def _with(self, run: Run, corpora: Sequence[Corpus | Hosted]) -> AsyncIterator[Means]:
        model = await self.models.main(run) if run.options.model else None
        judge = await self.models.judge(run) if run.options.judge else None
        if (run.options.model and model is None) or (run.options.judge and judge is None):
            wanted = run.options.judge if model or not run.options.model else run.options.model
            raise SettingsError(
                f"run {run.id} works with `{wanted}`, whose servers are not set here: set LEADLINE_MODEL__URLS "
                "(a judge's: LEADLINE_JUDGE__URLS) and go on with `leadline resume`"
            )
        options = run.options
        searches: list[Search] = [*corpora, *([await self.reach.search(run.tenant)] if options.web else [])]
        readers: list[Reader] = [
            *corpora,
            *([await self.reach.reader(run.tenant)] if options.web or options.urls else []),
        ]
        library: Scholar = await self.reach.library(run.tenant) if options.scholar else NoWorks()
        extras = self._extras(run, self.programs, library, live=True)
        try:
            summaries = await self.summing.of(run)
            ranking = await self.ranking.of_hits() if searches else None
            yield self._means(
                run,
                searches,
                readers,
                documents=corpora,
                extras=extras,
                summaries=summaries,
                ranking=ranking,
                model=model,
                judge=judge,
            )
        finally:
            if options.python and options.keeps_state:
                await self.programs.end_session(python.session_of(run.tenant, run.id))

    def past_means(self, run: Run, model: Model) -> Means:
        """Return what a replay works with: the same tools to render by, and nothing behind them."""
        options = run.options
        return self._means(
            run,
            [],
            [],
            extras=self._extras(run, NoPrograms(), NoWorks(), live=False),
            model=model if options.model else None,
            judge=model if options.judge else None,
        )

    def _extras(self, run: Run, sandbox: Sandbox, library: Scholar, *, live: bool) -> list[Tool]:
        """Return the tools beside searching and visiting, by the names that the run's dialect has for them."""
        options = run.options
        trained = options.dialect is Dialect.TONGYI
        tools: list[Tool] = []
        if options.scholar:
            tools.append(scholar.ScholarTool(library, name=scholar.NAMES[1] if trained else scholar.NAMES[0]))
        if options.python:
            tools.append(
                python.PythonTool(
                    sandbox,
                    self.blobs,
                    seconds=self.settings.python.seconds,
                    keeps_state=options.keeps_state,
                    name=python.TONGYI_NAME if trained else python.NAME,
                )
            )
        return tools + self.external.tools(options, live=live, limit=visit_limit(self.settings, run))

    def _means(
        self,
        run: Run,
        searches: Sequence[Search],
        readers: Sequence[Reader],
        *,
        documents: Sequence[Documents] = (),
        extras: Sequence[Tool],
        summaries: Summaries | None = None,
        ranking: HitRanking | None = None,
        model: Model | None,
        judge: Model | None,
    ) -> Means:
        options = run.options
        tools: list[Tool] = []
        if options.corpora or options.web:
            tools.append(
                SearchTool(
                    searches, weights={WEB: self.settings.search.weight}, outside=frozenset({WEB}), ranking=ranking
                )
            )
        if options.corpora or options.web or options.urls:
            limit = visit_limit(self.settings, run)
            visit = VisitTool(readers, cpu=self.cpu, limit=limit, summaries=summaries)
            tools.append(visit)
            if options.dialect is Dialect.TONGYI and (options.corpora or options.urls):
                tools.append(parse_file.ParseFileTool(documents, visit))
        tools += extras
        seconds = dict.fromkeys((python.NAME, python.TONGYI_NAME), self.settings.python.seconds + PYTHON_MARGIN)
        seconds |= self.external.seconds(options)
        gateway = Gateway(
            ToolSet(tools, seconds=seconds),
            options=options,
            question=run.question.text,
            doors=self.doors,
            clock=self.clock,
            confined=frozenset({python.NAME, python.TONGYI_NAME, parse_file.NAME}),
        )
        return Means(
            tools=gateway,
            cpu=self.cpu,
            recall=ToolSet([RecallTool(self.store, self.blobs)]) if run.options.ledger_of else None,
            model=model,
            judge=judge,
        )


def visit_limit(settings: Settings, run: Run) -> int:
    """Return the characters of a page that a visit shows: an eighth of the window, as far as the settings allow."""
    return min(settings.visit.max_content, max(2_000, run.options.window * 4 // 8))
