"""Document indexes, opened when a run first names one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from leadline.domain import NotRead
from leadline.errors import MissingPath
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import Clock, Embedder
from leadline.ports.corpora import DocumentState, TenantCorpora
from leadline.search.corpus import Corpus
from leadline.search.corpus_types import EmbedLimits, FailedFile, IndexProgress, IndexReport
from leadline.settings import EmbedSettings
from leadline.wiring.hosted import SIGN

_MOST_NAMED: Final = 8
"""Documents that a run records by name where they gave no text; the rest are counted."""


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
        self._failed: dict[str, tuple[FailedFile, ...]] = {}
        self._empty: dict[str, bool] = {}

    async def of(self, paths: Sequence[Path]) -> Corpus:
        """Return the corpus of files and folders. Raises `MissingPath`, `MissingExtra`."""
        return await self._kept(await self._opened(paths, None))

    async def by_id(self, corpus: str) -> Corpus:
        """Return the corpus of this id. Raises `MissingPath` where there is none."""
        if corpus in self._open:
            return self._open[corpus]
        return await self._kept(await self._opened((), corpus))

    async def check(self, corpora: Sequence[str]) -> None:
        """Raise `MissingPath` where one of these is no index of this machine; tenants' own are not looked at."""
        for name in corpora:
            try:
                if SIGN not in name:
                    await self.by_id(name)
            except MissingPath as error:
                raise MissingPath(f"{error}; with a corpus of a service, name the service: `--server URL`") from error

    async def refresh(
        self, paths: Sequence[Path], progress: Callable[[IndexProgress], None] | None
    ) -> tuple[str, IndexReport]:
        """Bring the index of `paths` up to date; return its id and what changed."""
        corpus = await self.of(paths)
        report = await corpus.refresh(progress=progress)
        self._failed[corpus.id] = report.failed
        self._empty[corpus.id] = not report.documents
        return corpus.id, report

    def not_read(self, corpora: Sequence[str]) -> NotRead:
        """Return what the latest refresh of these here could not take, by name."""
        failed = [one for corpus in dict.fromkeys(corpora) for one in self._failed.get(corpus, ())]
        empty = bool(corpora) and all(self._empty.get(corpus, False) for corpus in corpora)
        return _named(failed, count=len(failed), empty=empty)

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


async def not_read_of(kept: TenantCorpora, tenant: str, corpora: Sequence[str]) -> NotRead:
    """Return what the newest versions of a tenant's corpora could not take; what waits to be read is not among it.

    Raises `StoreError`, `UnknownObject`.
    """
    tallies = await kept.tally(tenant, corpora)
    failed: list[FailedFile] = []
    for corpus in corpora:
        wanted, after = min(tallies[corpus].failed, _MOST_NAMED - len(failed)), ""
        while wanted > 0 and (page := await kept.documents(tenant, corpus, after=after)):
            found = [one for one in page if one.state is DocumentState.FAILED][:wanted]
            failed += [FailedFile(one.name, one.code or "", one.reason) for one in found]
            wanted, after = wanted - len(found), page[-1].name
    held = [tallies[corpus] for corpus in corpora]
    empty = bool(held) and all(one.documents == one.failed for one in held)
    return _named(failed, count=sum(one.failed for one in held), empty=empty)


def _named(failed: Sequence[FailedFile], *, count: int, empty: bool) -> NotRead:
    return NotRead(count=count, named={one.name: one.why for one in sorted(failed)[:_MOST_NAMED]}, all=empty)
