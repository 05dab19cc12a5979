"""`AsyncClient`: a remote service from asynchronous code."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, Self, TypeAlias
from urllib.parse import quote

from leadline.client.asked import Ask
from leadline.client.corpora import AsyncCorpora
from leadline.client.decoding import decoded, parsed
from leadline.client.held import AsyncSchedules, AsyncSecrets, AsyncShares, AsyncWebhooks, listed
from leadline.client.http import PATIENCE, Reply, Sent, ServiceHttp
from leadline.client.shapes import AuditPage, DayView, ExportLink, KeyView, MadeKey, RunsPage, RunView, SourceText
from leadline.client.stream import Following, record_of
from leadline.domain import Json, Report, RunState
from leadline.errors import MissingPath, RunCancelled, RunFailed, RunWaits, ServiceError
from leadline.events import Progress, Record, RunWaiting
from leadline.research.reporting.report import from_json

Format: TypeAlias = Literal["md", "html", "json", "docx", "pdf", "bibtex", "ris", "csl"]

STREAM_PATIENCE: Final = 300.0
"""Seconds for which a stream that broke is sought again before that counts as a failure."""

_PAGE: Final = 500


class AsyncClient:
    """A client of the service at `url`; use inside `async with`.

    `key` is sent as `Authorization: Bearer`. A request with all its tries may take `patience`
    seconds. `ca` is a file of the authorities that are trusted instead of the system's. Every method
    raises the errors of `leadline.errors`: `Unauthenticated`, `NotPermitted`, `UnknownRun`,
    `InputError`, `ServiceLimited`, `ServiceUnavailable` and others. What the tenant keeps there is in
    `corpora`, `schedules`, `webhooks`, `shares` and `secrets`.
    """

    def __init__(self, url: str, *, key: str | None = None, patience: float = PATIENCE, ca: Path | None = None) -> None:
        self.http = ServiceHttp(url, key=key, patience=patience, ca=ca)
        self.corpora = AsyncCorpora(self.http)
        self.schedules = AsyncSchedules(self.http)
        self.webhooks = AsyncWebhooks(self.http)
        self.shares = AsyncShares(self.http)
        self.secrets = AsyncSecrets(self.http)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    # -- asking -------------------------------------------------------------------------------

    async def research(self, question: str | Ask, **options: Any) -> Report:  # noqa: ANN401 fields of `Ask` have different types
        """Research a question and return the report. Raises as `start` and `result`."""
        return await self.result((await self.start(question, **options)).id)

    async def start(self, question: str | Ask, *, idempotency_key: str | None = None, **options: Any) -> RunView:  # noqa: ANN401 fields of `Ask` have different types
        """Start a run and return it at once; `options` are fields of `Ask`.

        Sent again with the same `idempotency_key` within a day it makes no second run; without one,
        one is drawn, so that a lost answer does no harm.
        """
        ask = replace(question, **options) if isinstance(question, Ask) else Ask(question=question, **options)
        headers = {"Idempotency-Key": idempotency_key or secrets.token_urlsafe(24)}
        reply = await self.http.ask(Sent(method="POST", path="/v1/research", json=ask.body(), headers=headers))
        return decoded(RunView, reply)

    async def run(self, run_id: str) -> RunView:
        """Look at a run. Raises `UnknownRun`."""
        return decoded(RunView, await self._get(run_path(run_id)))

    async def runs(
        self, *, state: RunState | str | None = None, search: str = "", limit: int = 50, cursor: str | None = None
    ) -> RunsPage:
        """Return some runs, newest first, from `cursor` (see `RunsPage.next`) on."""
        params = {"limit": str(limit), "search": search, "state": str(state or ""), "cursor": cursor or ""}
        given = {name: value for name, value in params.items() if value}
        return decoded(RunsPage, await self._get("/v1/research", given))

    async def events(self, run_id: str, *, after: int = 0) -> AsyncGenerator[Record | Progress]:
        """Yield a run's events from `after` + 1 on until it ended, each once and in order, and live text.

        A broken connection is made anew where it broke. Raises `ServiceUnavailable` where none has
        come about for some minutes, `UnknownRun`.
        """
        following = Following(self.http, quote(run_id, safe=""), after=after, patience=STREAM_PATIENCE)
        async with aclosing(following.items()) as items:
            async for item in items:
                yield item

    async def wait(self, run_id: str) -> RunView:
        """Return a run once it has ended or waits for a person."""
        run = await self.run(run_id)
        while not run.state.ended and run.state is not RunState.WAITING:
            await self._until_it_rests(run)
            run = await self.run(run_id)
        return run

    async def result(self, run_id: str) -> Report:
        """Wait for a run's end and return its report. Raises `RunFailed`, `RunCancelled`, `RunWaits`."""
        raise_for(await self.wait(run_id))
        return await self.report(run_id)

    async def report(self, run_id: str) -> Report:
        """Return an ended run's report. Raises `RunFailed`, `RunCancelled`, `WrongState`."""
        body = await self.rendered(run_id, "json")
        try:
            return from_json(body)
        except (ValueError, TypeError) as error:
            raise ServiceError("the service gave a report in no form that this version knows") from error

    async def rendered(self, run_id: str, format: Format) -> bytes:
        """Return an ended run's report in a form; text is UTF-8."""
        return (await self._get(f"{run_path(run_id)}/report", {"format": format})).body

    # -- steering -----------------------------------------------------------------------------

    async def finish(self, run_id: str) -> RunView:
        """Let a run stop gathering and write its report now. Raises `WrongState`, `RunWaits`."""
        return await self._steer(run_id, "finish")

    async def cancel(self, run_id: str) -> RunView:
        """Stop a run; it gets no report. Raises `WrongState`."""
        return await self._steer(run_id, "cancel")

    async def reply(self, run_id: str, reply: Mapping[str, Json]) -> RunView:
        """Answer a run that waits: `{"approve": True}`, `{"plan": [...]}`, `{"reject": True}` or `{"answer": text}`."""
        return await self._steer(run_id, "approve", json=dict(reply))

    async def forget(self, run_id: str) -> None:
        """Delete an ended run and its journal. Raises `WrongState`."""
        await self.http.ask(Sent(method="DELETE", path=run_path(run_id), again=False))

    # -- evidence -----------------------------------------------------------------------------

    async def source(self, run_id: str, source_id: str) -> SourceText:
        """Return a source's stored text, and where claims rest on it."""
        return decoded(SourceText, await self._get(f"{run_path(run_id)}/sources/{quote(source_id, safe='')}"))

    async def journal(self, run_id: str) -> AsyncIterator[Record]:
        """Yield a run's events as they are kept, from the first to the last there is now."""
        after: int | None = 0
        while after is not None:
            params = {"after": str(after), "limit": str(_PAGE)}
            page = parsed(await self._get(f"{run_path(run_id)}/journal", params))
            try:
                records = [record_of(item) for item in page["items"]]
                after = page["next"]
            except (ValueError, KeyError, TypeError) as error:
                raise ServiceError("the service gave a journal in no form that this version knows") from error
            for record in records:
                yield record

    async def export(self, run_id: str, path: Path) -> None:
        """Write one file with all of a run, whole or not at all. Raises `MissingPath` where it cannot be written."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with await asyncio.to_thread(temporary.open, "xb") as file:
                await self._download(f"{run_path(run_id)}/export", file)
            await asyncio.to_thread(temporary.replace, path)
        except OSError as error:
            raise MissingPath(f"cannot write {path}: {error.strerror}") from error
        finally:
            await asyncio.to_thread(temporary.unlink, missing_ok=True)

    async def export_link(self, run_id: str) -> ExportLink:
        """Have a run packed into one file that whoever has the link can fetch for a while, without a key.

        Raises `WrongState` where the service gives no such links.
        """
        sent = Sent(method="POST", path=f"{run_path(run_id)}/export/link", json={}, again=True)
        return decoded(ExportLink, await self.http.ask(sent))

    # -- tools and accounts -------------------------------------------------------------------

    async def tool(self, name: Literal["search", "visit", "scholar", "python"], arguments: Mapping[str, Json]) -> Any:  # noqa: ANN401 JSON by nature
        """Call one tool of the service and return its JSON."""
        path = f"/v1/tools/{name}"
        return parsed(await self.http.ask(Sent(method="POST", path=path, json=dict(arguments), again=name != "python")))

    async def keys(self) -> Sequence[KeyView]:
        """List the keys of one's own tenant, newest first, without their secrets."""
        return await listed(KeyView, self.http, "/v1/keys")

    async def make_key(
        self, *, name: str, role: str, scopes: Sequence[str] | None = None, expires_in_days: float | None = None
    ) -> MadeKey:
        """Make a key; what it is made of is told this once."""
        scoped = None if scopes is None else list(scopes)
        body = {"name": name, "role": role, "scopes": scoped, "expires_in_days": expires_in_days}
        return decoded(MadeKey, await self.http.ask(Sent(method="POST", path="/v1/keys", json=body, again=False)))

    async def rotate_key(self, key_id: str, *, grace_hours: float = 24.0) -> MadeKey:
        """Make a like key; the old one is accepted for `grace_hours` more."""
        path, body = f"/v1/keys/{quote(key_id, safe='')}/rotate", {"grace_hours": grace_hours}
        return decoded(MadeKey, await self.http.ask(Sent(method="POST", path=path, json=body, again=False)))

    async def revoke_key(self, key_id: str) -> KeyView:
        """Refuse a key from now on, for good."""
        path = f"/v1/keys/{quote(key_id, safe='')}"
        return decoded(KeyView, await self.http.ask(Sent(method="DELETE", path=path)))

    async def usage(self, *, since: str | None = None, until: str | None = None) -> Sequence[DayView]:
        """Return what the tenant used, day by day (`2026-11-23`, UTC), newest first; of 30 days unless told otherwise.

        Raises `InputError` for what is no span of days, or more than a year.
        """
        given = {name: day for name, day in (("since", since), ("until", until)) if day}
        return await listed(DayView, self.http, "/v1/usage", **given)

    async def audit(self, *, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """Return who did what in the tenant, newest first, from `cursor` (see `AuditPage.next`) on."""
        given = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        return decoded(AuditPage, await self._get("/v1/audit", given))

    # -- inside -------------------------------------------------------------------------------

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        return await self.http.ask(Sent(method="GET", path=path, params=params or {}))

    async def _until_it_rests(self, run: RunView) -> None:
        """Follow a run until it has ended or waits."""
        async with aclosing(self.events(run.id, after=run.last_event)) as items:
            async for item in items:
                if isinstance(item, Record) and isinstance(item.event, RunWaiting):
                    return

    async def _download(self, path: str, file: BinaryIO) -> None:
        async with self.http.open(Sent(method="GET", path=path)) as response:
            async for piece in response.content.iter_chunked(1 << 18):
                await asyncio.to_thread(file.write, piece)

    async def _steer(self, run_id: str, what: str, *, json: Mapping[str, Json] | None = None) -> RunView:
        sent = Sent(method="POST", path=f"{run_path(run_id)}/{what}", json=json, again=json is None)
        return decoded(RunView, await self.http.ask(sent))


def run_path(run_id: str) -> str:
    """Return a run's path, whatever stands in its id."""
    return f"/v1/research/{quote(run_id, safe='')}"


def raise_for(run: RunView) -> None:
    """Raise what a run without a report ended or stopped with: `RunFailed`, `RunCancelled`, `RunWaits`."""
    if run.state is RunState.CANCELLED:
        raise RunCancelled(f"run {run.id} was cancelled")
    if run.state is RunState.FAILED:
        failure = run.failure
        why = failure.message if failure else str(run.stop_reason)
        raise RunFailed(f"run {run.id} failed: {why}", cause=failure.code if failure else "error")
    if run.state is RunState.WAITING:
        told = f"run {run.id} waits for a person: {run.waits_for}; answer with `leadline approve {run.id}`"
        raise RunWaits(told, run_id=run.id, asks=run.asks or {})
