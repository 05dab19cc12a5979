"""What a run works with, by its recorded options and the present addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from leadline.errors import SettingsError
from leadline.ports import Blobs, Clock, Cpu, Model, Reader, Run, RunStore, Search, Tool
from leadline.research.study import Means
from leadline.settings import Settings
from leadline.tools.gateway import Doors, Gateway
from leadline.tools.recall import RecallTool
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool
from leadline.wiring.corpora import Corpora
from leadline.wiring.models import Models
from leadline.wiring.web import WEB, Web


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """Gives a run its tools and models, by its recorded options and the present addresses."""

    settings: Settings
    store: RunStore
    blobs: Blobs
    cpu: Cpu
    clock: Clock
    corpora: Corpora
    models: Models
    web: Web
    doors: Doors = field(default_factory=Doors)

    @asynccontextmanager
    async def means(self, run: Run) -> AsyncIterator[Means]:
        """Return what a live run works with.

        Raises `MissingPath` where a corpus is gone, `SettingsError` where its model is not set here.
        """
        corpora = [await self.corpora.by_id(corpus) for corpus in run.options.corpora]
        model = await self.models.main() if run.options.model else None
        judge = await self.models.judge() if run.options.judge else None
        if (run.options.model and model is None) or (run.options.judge and judge is None):
            wanted = run.options.judge if model or not run.options.model else run.options.model
            raise SettingsError(
                f"run {run.id} works with `{wanted}`, whose servers are not set here: set LEADLINE_MODEL__URLS "
                "(a judge's: LEADLINE_JUDGE__URLS) and go on with `leadline resume`"
            )
        options = run.options
        searches: list[Search] = [*corpora, *([await self.web.search()] if options.web else [])]
        readers: list[Reader] = [*corpora, *([await self.web.reader()] if options.web or options.urls else [])]
        yield self._means(run, searches, readers, model=model, judge=judge)

    def past_means(self, run: Run, model: Model) -> Means:
        """Return what a replay works with: the same tools to render by, and nothing behind them."""
        return self._means(
            run, [], [], model=model if run.options.model else None, judge=model if run.options.judge else None
        )

    def _means(
        self,
        run: Run,
        searches: Sequence[Search],
        readers: Sequence[Reader],
        *,
        model: Model | None,
        judge: Model | None,
    ) -> Means:
        options = run.options
        tools: list[Tool] = []
        if options.corpora or options.web:
            tools.append(SearchTool(searches, outside=frozenset({WEB})))
        if options.corpora or options.web or options.urls:
            tools.append(VisitTool(readers, cpu=self.cpu, limit=visit_limit(self.settings, run)))
        gateway = Gateway(
            ToolSet(tools), options=options, question=run.question.text, doors=self.doors, clock=self.clock
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
