"""Warming the cache: from a list of a person's, or from what runs asked lately."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from leadline.api.keeping import LOCAL, PAGE
from leadline.domain import Json, Question
from leadline.errors import InputError, MissingPath
from leadline.ports import Run
from leadline.settings import Settings
from leadline.text.language import detect
from leadline.wiring import Platform, platform
from leadline.wiring.accounts import are_kept
from leadline.wiring.own_keys import SECRETS
from leadline.wiring.warming import Wish, query_wish, wishes_of
from leadline.worker import journal

BEFORE: Final = 300.0
"""Seconds before its end at which an answer is loaded anew, unless told."""

MOST_LINES: Final = 100_000
_LONGEST_RUN: Final = 30 * 86_400.0  # seconds: who began before this is not asked how it went on
_WEB: Final = ("http://", "https://")


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """What a pass may use: `seconds`, US dollars by `search.<service>.usd`, and loads."""

    seconds: float = 300.0
    usd: float = math.inf
    loads: int = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmReport:
    """What a pass did. `led` is false where another process was at it; then nothing was done."""

    loaded: int
    fresh: int
    failed: int
    skipped: int
    usd: float
    led: bool


async def warm_cache(
    settings: Settings,
    *,
    file: Path | None = None,
    history: float | None = None,
    before: float = BEFORE,
    allowance: Allowance | None = None,
) -> WarmReport:
    """Load what `file` lists, and what runs of the last `history` seconds asked of the web and got.

    What is there and gets old within `before` seconds is loaded anew: with as many as lie between
    two passes, what is asked for often is never old.

    Raises `InputError` for a line that cannot be understood, `SettingsError` where the cache is off.
    """
    allowed = allowance or Allowance()
    async with platform(settings) as running:
        now = running.clock.now()
        listed = [] if file is None else await asyncio.to_thread(read_list, file)
        wishes = [(wish, now) for wish in listed]
        if history is not None:
            for tenant in await _tenants(running, settings):
                wishes += [pair async for pair in _history(running, tenant, since=now - history)]
        done = await running.warming.warm(
            wishes, seconds=allowed.seconds, usd=allowed.usd, most=allowed.loads, before=before
        )
    return WarmReport(
        loaded=done.loaded, fresh=done.fresh, failed=done.failed, skipped=done.skipped, usd=done.usd, led=done.led
    )


def read_list(file: Path) -> list[Wish]:
    """Return what a file lists, one a line: an address, words to search, or a JSON object.

    The object is `{"url": ...}`, or `{"query": ..., "num_results": ..., "filter_year": ...,
    "language": ...}`. Empty lines and those that begin with `#` are passed over. Raises
    `MissingPath`, `InputError`.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise MissingPath(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: byte {error.start}") from error
    if len(lines) > MOST_LINES:
        raise InputError(f"{file} has more than {MOST_LINES:,} lines")
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    return [_wish(line, where=f"{file}, line {number}") for number, line in numbered if line and line[0] != "#"]


def _wish(line: str, *, where: str) -> Wish:
    if line.lower().startswith(_WEB):
        return Wish(tenant=LOCAL, uri=line)
    if not line.startswith("{"):
        return _query({"query": line})
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{where} is no valid JSON: {error}") from error
    url, query = row.get("url"), row.get("query")
    if isinstance(url, str) and url.lower().startswith(_WEB):
        return Wish(tenant=LOCAL, uri=url)
    if not isinstance(query, str) or not query.strip():
        raise InputError(f"{where} has neither a `url` of the web nor a `query`")
    return _query(row)


def _query(row: Mapping[str, Json]) -> Wish:
    text = str(row["query"])
    language = row.get("language")
    question = Question(text=text, language=language if isinstance(language, str) else detect(text))
    return query_wish(question, row, tenant=LOCAL)


async def _tenants(running: Platform, settings: Settings) -> list[str]:
    """Return whose runs are looked through; each tenant's wishes stay its own.

    Not of others than this machine's own user who have keys of their own: what those pay for is
    for their runs to decide.
    """
    if not await asyncio.to_thread(are_kept, settings):
        return [LOCAL]
    accounts = await running.hosted.accounts()
    found = [LOCAL]
    for tenant in await accounts.tenants.list():
        if tenant.id == LOCAL or tenant.disabled_at is not None:
            continue
        if not any(secret.name in SECRETS for secret in await accounts.vault.list(tenant.id)):
            found.append(tenant.id)
    return found


async def _history(running: Platform, tenant: str, *, since: float) -> AsyncIterator[tuple[Wish, float]]:
    async for run in _runs(running, tenant, since=since):
        for wish, at in wishes_of(run, await journal(running.store, run.id)):
            if at >= since:
                yield wish, at


async def _runs(running: Platform, tenant: str, *, since: float) -> AsyncIterator[Run]:
    """Yield a tenant's runs that were worked on since."""
    before = None
    while page := await running.store.runs(tenant=tenant, before=before, limit=PAGE):
        before = page[-1].cursor
        for run in page:
            if run.updated_at >= since:
                yield run
        if before.created_at < since - _LONGEST_RUN:
            return
