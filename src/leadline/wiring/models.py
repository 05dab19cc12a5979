"""The models that the settings name, opened when a run first needs one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from leadline.domain import Price
from leadline.errors import ModelError
from leadline.ports import Model
from leadline.resilience import Backoff
from leadline.settings import ModelSettings, Settings, load_prices

if TYPE_CHECKING:
    from leadline.model.openai_api import OpenAIModel

WINDOW_SECONDS = 3.0
"""Seconds that a model server may take to tell its window."""


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
