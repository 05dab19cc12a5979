"""`Client`: a remote service from code without an event loop. The loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from leadline.client.aio import AsyncClient, Format
from leadline.client.asked import Ask
from leadline.client.corpora import AsyncCorpora
from leadline.client.held_sync import Schedules, Secrets, Shares, Webhooks
from leadline.client.http import PATIENCE
from leadline.client.shapes import (
    AuditPage,
    CorpusView,
    DayView,
    DocumentView,
    ExportLink,
    KeyView,
    MadeKey,
    RunsPage,
    RunView,
    SourceText,
    Synced,
)
from leadline.domain import Json, Report, RunState
from leadline.events import Progress, Record

T = TypeVar("T")

_GOODBYE: Final = 10.0


class Corpora:
    """The documents that a tenant keeps at a service. Every method is `AsyncCorpora`'s of the same name."""

    def __init__(self, corpora: AsyncCorpora, do: Callable[[Awaitable[Any]], Any]) -> None:
        self._corpora = corpora
        self._do = do

    def create(self, name: str) -> CorpusView:
        """See `AsyncCorpora.create`."""
        found: CorpusView = self._do(self._corpora.create(name))
        return found

    def list(self) -> Sequence[CorpusView]:
        """See `AsyncCorpora.list`."""
        found: Sequence[CorpusView] = self._do(self._corpora.list())
        return found

    def get(self, corpus_id: str) -> CorpusView:
        """See `AsyncCorpora.get`."""
        found: CorpusView = self._do(self._corpora.get(corpus_id))
        return found

    def delete(self, corpus_id: str) -> None:
        """See `AsyncCorpora.delete`."""
        self._do(self._corpora.delete(corpus_id))

    def documents(self, corpus_id: str) -> Sequence[DocumentView]:
        """See `AsyncCorpora.documents`."""
        found: Sequence[DocumentView] = self._do(self._corpora.documents(corpus_id))
        return found

    def document(self, corpus_id: str, name: str) -> DocumentView:
        """See `AsyncCorpora.document`."""
        found: DocumentView = self._do(self._corpora.document(corpus_id, name))
        return found

    def remove(self, corpus_id: str, name: str) -> None:
        """See `AsyncCorpora.remove`."""
        self._do(self._corpora.remove(corpus_id, name))

    def upload(self, corpus_id: str, source: Path | bytes, *, name: str | None = None) -> DocumentView:
        """See `AsyncCorpora.upload`."""
        found: DocumentView = self._do(self._corpora.upload(corpus_id, source, name=name))
        return found

    def sync(
        self,
        corpus_id: str,
        files: Mapping[str, Path],
        *,
        remove: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> Synced:
        """See `AsyncCorpora.sync`."""
        found: Synced = self._do(self._corpora.sync(corpus_id, files, remove=remove, progress=progress))
        return found

    def wait(self, corpus_id: str, *, progress: Callable[[CorpusView], None] | None = None) -> CorpusView:
        """See `AsyncCorpora.wait`."""
        found: CorpusView = self._do(self._corpora.wait(corpus_id, progress=progress))
        return found


class Client:
    """A client of the service at `url`; use inside `with`. Every method is `AsyncClient`'s of the same name.

    It may be used by several threads at once.
    """

    def __init__(self, url: str, *, key: str | None = None, patience: float = PATIENCE, ca: Path | None = None) -> None:
        self._client = AsyncClient(url, key=key, patience=patience, ca=ca)
        self.corpora = Corpora(self._client.corpora, self._do)
        self.schedules = Schedules(self._client.schedules, self._do)
        self.webhooks = Webhooks(self._client.webhooks, self._do)
        self.shares = Shares(self._client.shares, self._do)
        self.secrets = Secrets(self._client.secrets, self._do)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="leadline client", daemon=True)
        self._loop = loop
        self._thread.start()
        self._do(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._do(self._client.__aexit__(kind, error, trace))
        self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_GOODBYE)
        loop.close()

    # -- asking -------------------------------------------------------------------------------

    def research(self, question: str | Ask, **options: Any) -> Report:  # noqa: ANN401 as `AsyncClient`
        """See `AsyncClient.research`."""
        return self._do(self._client.research(question, **options))

    def start(self, question: str | Ask, *, idempotency_key: str | None = None, **options: Any) -> RunView:  # noqa: ANN401 as `AsyncClient`
        """See `AsyncClient.start`."""
        return self._do(self._client.start(question, idempotency_key=idempotency_key, **options))

    def run(self, run_id: str) -> RunView:
        """See `AsyncClient.run`."""
        return self._do(self._client.run(run_id))

    def runs(
        self, *, state: RunState | str | None = None, search: str = "", limit: int = 50, cursor: str | None = None
    ) -> RunsPage:
        """See `AsyncClient.runs`."""
        return self._do(self._client.runs(state=state, search=search, limit=limit, cursor=cursor))

    def events(self, run_id: str, *, after: int = 0) -> Iterator[Record | Progress]:
        """See `AsyncClient.events`."""
        items = self._client.events(run_id, after=after)
        try:
            while (item := self._do(anext(items, None))) is not None:
                yield item
        finally:
            self._do(items.aclose())

    def wait(self, run_id: str) -> RunView:
        """See `AsyncClient.wait`."""
        return self._do(self._client.wait(run_id))

    def result(self, run_id: str) -> Report:
        """See `AsyncClient.result`."""
        return self._do(self._client.result(run_id))

    def report(self, run_id: str) -> Report:
        """See `AsyncClient.report`."""
        return self._do(self._client.report(run_id))

    def rendered(self, run_id: str, format: Format) -> bytes:
        """See `AsyncClient.rendered`."""
        return self._do(self._client.rendered(run_id, format))

    # -- steering and evidence ----------------------------------------------------------------

    def finish(self, run_id: str) -> RunView:
        """See `AsyncClient.finish`."""
        return self._do(self._client.finish(run_id))

    def cancel(self, run_id: str) -> RunView:
        """See `AsyncClient.cancel`."""
        return self._do(self._client.cancel(run_id))

    def reply(self, run_id: str, reply: Mapping[str, Json]) -> RunView:
        """See `AsyncClient.reply`."""
        return self._do(self._client.reply(run_id, reply))

    def forget(self, run_id: str) -> None:
        """See `AsyncClient.forget`."""
        self._do(self._client.forget(run_id))

    def source(self, run_id: str, source_id: str) -> SourceText:
        """See `AsyncClient.source`."""
        return self._do(self._client.source(run_id, source_id))

    def journal(self, run_id: str) -> list[Record]:
        """Return a run's events as they are kept."""

        async def whole() -> list[Record]:
            return [record async for record in self._client.journal(run_id)]

        return self._do(whole())

    def export(self, run_id: str, path: Path) -> None:
        """See `AsyncClient.export`."""
        self._do(self._client.export(run_id, path))

    def export_link(self, run_id: str) -> ExportLink:
        """See `AsyncClient.export_link`."""
        return self._do(self._client.export_link(run_id))

    def keys(self) -> Sequence[KeyView]:
        """See `AsyncClient.keys`."""
        return self._do(self._client.keys())

    def make_key(
        self, *, name: str, role: str, scopes: Sequence[str] | None = None, expires_in_days: float | None = None
    ) -> MadeKey:
        """See `AsyncClient.make_key`."""
        return self._do(self._client.make_key(name=name, role=role, scopes=scopes, expires_in_days=expires_in_days))

    def rotate_key(self, key_id: str, *, grace_hours: float = 24.0) -> MadeKey:
        """See `AsyncClient.rotate_key`."""
        return self._do(self._client.rotate_key(key_id, grace_hours=grace_hours))

    def revoke_key(self, key_id: str) -> KeyView:
        """See `AsyncClient.revoke_key`."""
        return self._do(self._client.revoke_key(key_id))

    def usage(self, *, since: str | None = None, until: str | None = None) -> Sequence[DayView]:
        """See `AsyncClient.usage`."""
        return self._do(self._client.usage(since=since, until=until))

    def audit(self, *, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """See `AsyncClient.audit`."""
        return self._do(self._client.audit(limit=limit, cursor=cursor))

    # -- inside -------------------------------------------------------------------------------

    def _do(self, work: Awaitable[T]) -> T:
        """Do something on the loop's thread and wait for it; Ctrl-C here ends it there."""
        loop = self._loop
        if loop is None:
            if isinstance(work, Coroutine):
                work.close()
            raise RuntimeError("use the client inside `with`")
        future: Future[T] = asyncio.run_coroutine_threadsafe(_awaited(work), loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


async def _awaited(work: Awaitable[T]) -> T:
    return await work
