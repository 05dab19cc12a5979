"""Settings -> a running platform on one exit stack. The only importer of adapters.

Entered in order, left in reverse, also after a failed start. What the settings do not choose is
not imported.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from leadline.blobs.directory import DirectoryBlobs
from leadline.cpu import ProcessCpu
from leadline.domain import Price
from leadline.errors import ModelError, SettingsError
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import Blobs, Clock, Cpu, Embedder, Model, Run, RunStore, Tool
from leadline.research.study import Means, Provides
from leadline.resilience import Backoff, SystemClock
from leadline.search.corpus import Corpus
from leadline.search.corpus_types import EmbedLimits, IndexProgress, IndexReport
from leadline.settings import EmbedSettings, ModelSettings, Settings, load_prices
from leadline.tasks.sqlite.store import SqliteStore
from leadline.tools.recall import RecallTool
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool

if TYPE_CHECKING:
    from leadline.model.openai_api import OpenAIModel

__all__ = ["Corpora", "IndexProgress", "IndexReport", "Models", "Platform", "data_folder", "platform"]

MOST_CPU_WORKERS = 4

WINDOW_SECONDS = 3.0
"""Seconds that a model server may take to tell its window."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What a process of Leadline stands on while it runs."""

    settings: Settings
    store: RunStore
    blobs: Blobs
    cpu: Cpu
    clock: Clock
    corpora: Corpora
    models: Models
    means: Provides
    past_means: Callable[[Run, Model], Means]


class Corpora:
    """Open document indexes by id, each opened once and closed with the platform."""

    def __init__(
        self,
        folder: Path,
        *,
        parser: ExtractPool,
        clock: Clock,
        limits: Limits,
        embed: EmbedSettings,
        stack: AsyncExitStack,
    ) -> None:
        self._folder = folder
        self._parser = parser
        self._clock = clock
        self._limits = limits
        self._embed = embed
        self._embedder: Embedder | None = None
        self._stack = stack
        self._open: dict[str, Corpus] = {}

    async def of(self, paths: Sequence[Path]) -> Corpus:
        """Return the corpus of files and folders. Raises `MissingPath`, `MissingExtra`."""
        return await self._kept(await self._opened(paths, None))

    async def by_id(self, corpus: str) -> Corpus:
        """Return the corpus of this id. Raises `MissingPath` where there is none."""
        if corpus in self._open:
            return self._open[corpus]
        return await self._kept(await self._opened((), corpus))

    async def refresh(
        self, paths: Sequence[Path], progress: Callable[[IndexProgress], None] | None
    ) -> tuple[str, IndexReport]:
        """Bring the index of `paths` up to date; return its id and what changed."""
        corpus = await self.of(paths)
        return corpus.id, await corpus.refresh(progress=progress)

    async def _opened(self, paths: Sequence[Path], corpus: str | None) -> Corpus:
        return await Corpus.open(
            self._folder,
            paths,
            parser=self._parser,
            clock=self._clock,
            id=corpus,
            limits=self._limits,
            embedder=await self._vectors(),
            embed_limits=EmbedLimits(batch=self._embed.batch, seconds=self._embed.seconds, tokens=self._embed.tokens),
        )

    async def _vectors(self) -> Embedder | None:
        """Return what makes vectors, where its server is set."""
        section = self._embed
        if self._embedder is None and section.url is not None and section.name is not None:
            from leadline.model.embedder import ServerEmbedder  # noqa: PLC0415 aiohttp only where a server is set

            key = section.api_key.reveal() if section.api_key else None
            embedder = ServerEmbedder(
                section.url, name=section.name, api_key=key, batch=section.batch, clock=self._clock
            )
            self._embedder = await self._stack.enter_async_context(embedder)
        return self._embedder

    async def _kept(self, corpus: Corpus) -> Corpus:
        known = self._open.get(corpus.id)
        if known is not None:
            await corpus.close()
            return known
        self._open[corpus.id] = await self._stack.enter_async_context(corpus)
        return corpus


class Models:
    """The models that the settings name, opened when a run first needs one."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._open: dict[str, Model] = {}
        self._servers: dict[str, list[OpenAIModel]] = {}
        self._prices = load_prices(settings.prices) if settings.prices else None

    async def main(self) -> Model | None:
        """Return the model that researches and writes."""
        section = self._settings.model
        return await self._of("main", section) if section.urls and section.name else None

    async def window(self) -> int | None:
        """Return the main model's window in tokens, `None` where none of its servers tells it soon."""
        await self.main()
        for server in self._servers.get("main", ()):
            try:
                served = await server.models(deadline=WINDOW_SECONDS)
            except ModelError:
                continue
            told = [model.window for model in served if model.name == self._settings.model.name and model.window]
            if told:
                return told[0]
        return None

    async def judge(self) -> Model | None:
        """Return the model that judges claims."""
        section = self._settings.judge
        if section.use == "off":
            return None
        if section.use == "main":
            return await self.main()
        own = ModelSettings(urls=section.urls, name=section.name, api_key=section.api_key, kind=section.kind)
        return await self._of("judge", own)

    def price(self, model: str | None) -> Price | None:
        """Return what a model costs by the price file, `None` where it says nothing."""
        found = self._prices.of(model) if self._prices and model else None
        return None if found is None else Price(prompt=found.prompt, completion=found.completion, cached=found.cached)

    async def _of(self, role: str, section: ModelSettings) -> Model:
        if role not in self._open:
            from leadline.model.attempt import Clocks  # noqa: PLC0415 aiohttp only where a model is set
            from leadline.model.openai_api import OpenAIModel  # noqa: PLC0415 as above
            from leadline.model.several import SeveralModels  # noqa: PLC0415 as above

            clocks = Clocks(
                first_token=section.first_token_seconds, gap=section.gap_seconds, total=section.total_seconds
            )
            key = section.api_key.reveal() if section.api_key else None
            # One of several servers is tried once: the next one is the retry.
            backoff = Backoff(attempts=1) if len(section.urls) > 1 else None
            servers = {url: OpenAIModel(url, api_key=key, clocks=clocks, backoff=backoff) for url in section.urls}
            for server in servers.values():
                await self._stack.enter_async_context(server)
            self._servers[role] = list(servers.values())
            self._open[role] = SeveralModels(servers) if len(servers) > 1 else self._servers[role][0]
        return self._open[role]


@asynccontextmanager
async def platform(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Platform]:
    """Build everything that `settings` choose, and take it down on leaving.

    Raises `SettingsError` for what cannot work, `StoreError` where data cannot be kept.
    """
    clock = clock or SystemClock()
    folder = await asyncio.to_thread(data_folder, settings)
    limits = Limits(seconds=settings.extract.seconds, memory=settings.extract.memory, bytes=settings.extract.max_bytes)
    cores = os.cpu_count() or 1
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqliteStore.open(_place(settings.store, folder / "runs.db")))
        blobs = await stack.enter_async_context(DirectoryBlobs(_place(settings.blobs, folder / "blobs")))
        cpu = await stack.enter_async_context(ProcessCpu(settings.cpu.workers or min(cores, MOST_CPU_WORKERS)))
        parser = await stack.enter_async_context(ExtractPool(workers=min(cores, MOST_CPU_WORKERS), limits=limits))
        corpora = Corpora(
            folder / "corpora", parser=parser, clock=clock, limits=limits, embed=settings.embed, stack=stack
        )
        models = await asyncio.to_thread(Models, settings, stack)
        provider = _Provider(settings=settings, store=store, blobs=blobs, cpu=cpu, corpora=corpora, models=models)
        yield Platform(
            settings=settings,
            store=store,
            blobs=blobs,
            cpu=cpu,
            clock=clock,
            corpora=corpora,
            models=models,
            means=provider.means,
            past_means=provider.past_means,
        )


def data_folder(settings: Settings) -> Path:
    """Return the data folder, made for this user alone. Raises `SettingsError`."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"cannot make the data folder {folder}: {error.strerror}; set LEADLINE_DATA_DIR") from error
    return folder


def _place(url: str, default: Path) -> Path:
    path = urlsplit(url).path
    return Path(path) if path else default


@dataclass(frozen=True, kw_only=True, slots=True)
class _Provider:
    """Gives a run its tools and models, by its recorded options and the present addresses."""

    settings: Settings
    store: RunStore
    blobs: Blobs
    cpu: Cpu
    corpora: Corpora
    models: Models

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
        yield self._means(run, corpora, model=model, judge=judge)

    def past_means(self, run: Run, model: Model) -> Means:
        """Return what a replay works with: the same tools to render by, and nothing behind them."""
        return self._means(
            run, [], model=model if run.options.model else None, judge=model if run.options.judge else None
        )

    def _means(self, run: Run, corpora: Sequence[Corpus], *, model: Model | None, judge: Model | None) -> Means:
        documents: list[Tool] = [
            SearchTool(corpora),
            VisitTool(corpora, cpu=self.cpu, limit=visit_limit(self.settings, run)),
        ]
        return Means(
            tools=ToolSet(documents if run.options.corpora else []),
            cpu=self.cpu,
            recall=ToolSet([RecallTool(self.store, self.blobs)]) if run.options.ledger_of else None,
            model=model,
            judge=judge,
        )


def visit_limit(settings: Settings, run: Run) -> int:
    """Return the characters of a page that a visit shows: an eighth of the window, as far as the settings allow."""
    return min(settings.visit.max_content, max(2_000, run.options.window * 4 // 8))
