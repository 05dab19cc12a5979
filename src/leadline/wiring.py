"""Settings -> a running platform on one exit stack. The only importer of adapters.

Entered in order, left in reverse, also after a failed start. What the settings do not choose is
not imported.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from leadline.blobs.directory import DirectoryBlobs
from leadline.cpu import ProcessCpu
from leadline.domain import Price
from leadline.errors import ModelError, SettingsError
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import Blobs, Clock, Cpu, Embedder, Model, Reader, Run, RunStore, Search, Tool
from leadline.research.study import Means, Provides
from leadline.resilience import Backoff, SystemClock
from leadline.search.corpus import Corpus
from leadline.search.corpus_types import EmbedLimits, IndexProgress, IndexReport
from leadline.settings import EmbedSettings, ModelSettings, Settings, load_prices
from leadline.tasks.sqlite.store import SqliteStore
from leadline.tools.gateway import Doors, Gateway
from leadline.tools.recall import RecallTool
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool

if TYPE_CHECKING:
    from leadline.model.openai_api import OpenAIModel

__all__ = ["Corpora", "IndexProgress", "IndexReport", "Models", "Platform", "data_folder", "platform"]

MOST_CPU_WORKERS = 4

WEB = "web"
"""The name under which what searches the web stands beside the documents."""

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


class Web:
    """The open web: readers and searches, opened when a run may first reach it."""

    def __init__(self, settings: Settings, *, clock: Clock, parser: ExtractPool, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._clock = clock
        self._parser = parser
        self._stack = stack
        self._opening = asyncio.Lock()
        self._reader: Reader | None = None
        self._search: Search | None = None

    async def reader(self) -> Reader:
        """Return what reads pages. Raises `SettingsError`."""
        async with self._opening:
            self._reader = self._reader or await self._opened()
            return self._reader

    async def search(self) -> Search:
        """Return what searches the web. Raises `SettingsError`."""
        async with self._opening:
            self._search = self._search or await self._searching()
            return self._search

    async def _opened(self) -> Reader:
        from leadline.fetch.guard import Guard  # noqa: PLC0415 aiohttp only where a run may reach the web
        from leadline.fetch.http import Fetcher  # noqa: PLC0415 as above
        from leadline.fetch.reader import PageReader, WebReader  # noqa: PLC0415 as above
        from leadline.fetch.reader_api import FallbackReader, ReaderApi  # noqa: PLC0415 as above

        fetch, visit = self._settings.fetch, self._settings.visit
        guard = Guard(allow_private=fetch.allow_private)
        fetcher = Fetcher(
            guard,
            clock=self._clock,
            contact=fetch.contact or "",
            robots=fetch.robots,
            per_host={one.host: one.plain() for one in fetch.headers},
            proxy=self._settings.proxy,
        )
        direct: PageReader = WebReader(await self._stack.enter_async_context(fetcher), self._parser)
        if visit.reader_url is None:
            return direct
        key = visit.reader_key.reveal() if visit.reader_key else None
        service = ReaderApi(visit.reader_url, guard=guard, parser=self._parser, clock=self._clock, api_key=key)
        third: PageReader = await self._stack.enter_async_context(service)
        return FallbackReader(third, direct) if visit.reader_order == "first" else FallbackReader(direct, third)

    async def _searching(self) -> Search:
        from leadline.limits.memory import MemoryLedger  # noqa: PLC0415 only where a run may reach the web
        from leadline.limits.turns import ServiceTurns  # noqa: PLC0415 as above
        from leadline.limits.waiting import GcraLimiter  # noqa: PLC0415 as above
        from leadline.search.web.choose import provider_named  # noqa: PLC0415 as above
        from leadline.search.web.engine import WebSearch  # noqa: PLC0415 as above
        from leadline.search.web.failover import Failover  # noqa: PLC0415 as above
        from leadline.wire.http import AiohttpHttp  # noqa: PLC0415 as above
        from leadline.wire.keys import KeyRing  # noqa: PLC0415 as above

        settings = self._settings
        opened = AiohttpHttp.open(proxy=settings.proxy, contact=settings.fetch.contact)
        http = await self._stack.enter_async_context(opened)
        limiter = GcraLimiter(MemoryLedger(), clock=self._clock)
        engines: list[Search] = []
        for name in settings.search.providers:
            section, provider = settings.search.of(name), provider_named(name, settings.search.of(name).base_url)
            turns = ServiceTurns(limiter, name, rate=section.qps or provider.rate)
            keys = KeyRing(name, [key.reveal() for key in section.api_keys])
            engines.append(WebSearch(provider, http, now=self._clock.now, keys=keys, turns=turns))
        return Failover(engines, name=WEB)


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
        provider = _Provider(
            settings=settings,
            store=store,
            blobs=blobs,
            cpu=cpu,
            clock=clock,
            corpora=corpora,
            models=models,
            web=Web(settings, clock=clock, parser=parser, stack=stack),
        )
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
