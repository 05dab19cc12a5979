"""Who sums long pages up, by the settings; opened when a run first visits something."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from leadline.domain import ModelRequest, Price, Usage
from leadline.ports import Cpu, Run, Summarizer
from leadline.research.budget import priced, reservation
from leadline.research.context import prompt_tokens
from leadline.settings import Settings
from leadline.wiring.models import Models
from leadline.wiring.outgoing import Outgoing

if TYPE_CHECKING:
    from leadline.tools.summary import Summaries

log = logging.getLogger("leadline.wiring.summaries")

UNPRICED: Final = "summaries_left_out"
"""Name of the log line of a run that limits money, where nobody knows what a summary costs."""

SERVED: Final = "served"
"""Whose summaries are in the cache of a tool's own service: it does not know the tenants of its callers."""

_MOST_ANSWER: Final = 1 << 20


class Summing:
    """The summariser of the settings."""

    def __init__(self, settings: Settings, *, models: Models, outgoing: Outgoing, cpu: Cpu) -> None:
        self._settings = settings
        self._models = models
        self._outgoing = outgoing
        self._cpu = cpu
        self._opening = asyncio.Lock()
        self._service: Summarizer | None = None

    async def of(self, run: Run | None = None) -> Summaries | None:
        """Return what sums pages up for a run, `None` where the settings want none, or its money limit forbids it."""
        summarizer = await self.summarizer(run)
        if summarizer is None:
            return None
        from leadline.tools.summary import Summaries  # noqa: PLC0415 only where a summariser is set

        section = self._settings.summarizer
        return Summaries(
            await self._kept(summarizer, run),
            cpu=self._cpu,
            above=self._settings.visit.summarise_above,
            most=section.max_content,
            seconds=section.seconds,
        )

    async def _kept(self, summarizer: Summarizer, run: Run | None) -> Summarizer:
        """Return the summariser through the cache; what is made of a person's documents is not kept there."""
        cache = await self._outgoing.cache()
        if cache is None or (run is not None and run.options.corpora):
            return summarizer
        from leadline.cache.summaries import CachedSummarizer  # noqa: PLC0415 only where a summariser is set

        tenant = run.tenant if run is not None else SERVED
        return CachedSummarizer(summarizer, cache, tenant=tenant, told=self._outgoing.told)

    async def summarizer(self, run: Run | None = None) -> Summarizer | None:
        """Return the summariser itself."""
        section = self._settings.summarizer
        if section.use == "off":
            return None
        if section.use == "own" and section.kind == "service":
            return await self._served()
        from leadline.tools.summarizers import ModelSummarizer  # noqa: PLC0415 only where a summariser is set

        name = self._settings.model.name if section.use == "main" else section.name
        model = await self._models.summarizer(run)
        if model is None or name is None:
            return None
        price = self._models.price(name)
        free = section.free or (section.use == "main" and self._settings.model.free)
        if run is not None and run.options.budget.usd is not None and price is None and not free:
            log.warning(UNPRICED, extra={"run": run.id})
            return None
        session = f"summaries/{run.id}" if run is not None else "summaries"
        return ModelSummarizer(
            model,
            name=name,
            max_tokens=section.max_tokens,
            priced=partial(_priced, price=price),
            reserved=partial(_reserved, price=price),
            session=session,
        )

    async def _served(self) -> Summarizer:
        from leadline.tools.summarizers import RemoteSummarizer  # noqa: PLC0415 only where it is chosen
        from leadline.wire.http import AiohttpHttp  # noqa: PLC0415 as above
        from leadline.wire.tool_client import ToolClient  # noqa: PLC0415 as above

        section = self._settings.summarizer
        key = section.api_key.reveal() if section.api_key else ""
        async with self._opening:
            if self._service is None:
                http = await self._outgoing.enter(AiohttpHttp.open(most_bytes=_MOST_ANSWER))
                self._service = RemoteSummarizer(
                    [
                        # An address with a path is the whole of it, as other programs' services have one.
                        ToolClient(http, url, tool="summarize", key=key, path="" if urlsplit(url).path else None)
                        for url in section.urls
                    ]
                )
            return self._service


def _reserved(request: ModelRequest, *, price: Price | None) -> Usage:
    return reservation(price, prompt=prompt_tokens(request.messages), completion=request.max_tokens)


def _priced(usage: Usage, *, price: Price | None) -> Usage:
    return priced(usage, price)
