"""`Model` over Anthropic's messages API, and over gateways and servers that speak it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import ClassVar, Final

import aiohttp

from leadline.domain import Json, ModelAnswer, ModelRequest
from leadline.errors import ModelError
from leadline.model.anthropic_wire import Assembly, asks_by_tool, body
from leadline.model.attempt import Clocks, Relay
from leadline.model.failures import Refused
from leadline.model.sse import ServerEvent
from leadline.model.streamed import MAX_ANSWER, StreamedModel
from leadline.model.tokens import TokenEstimator
from leadline.ports import Clock
from leadline.resilience import Backoff, Deadline

VERSION: Final = "2023-06-01"


class AnthropicModel(StreamedModel):
    """One server that speaks the messages API; see `StreamedModel`.

    `thinking` is how many tokens a model may think before it answers, besides a request's
    `max_tokens`; `None` turns thinking off. `cache` uses the server's prompt cache. `betas` are
    names of features for the `anthropic-beta` header.
    """

    path: ClassVar[str] = "/messages"

    def __init__(
        self,
        url: str = "https://api.anthropic.com/v1",
        *,
        api_key: str | None = None,
        clocks: Clocks | None = None,
        backoff: Backoff | None = None,
        extra: Mapping[str, Json] | None = None,
        session: aiohttp.ClientSession | None = None,
        estimator: TokenEstimator | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        max_answer: int = MAX_ANSWER,
        thinking: int | None = None,
        cache: bool = True,
        betas: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            url,
            api_key=api_key,
            clocks=clocks,
            backoff=backoff,
            extra=extra,
            session=session,
            estimator=estimator,
            clock=clock,
            random=random,
            max_answer=max_answer,
        )
        self._thinking = thinking
        self._cache = cache
        self._betas = betas

    async def attempt(self, request: ModelRequest, *, limit: Deadline, session: str, relay: Relay) -> ModelAnswer:
        """Return the answer of one try; see `StreamedModel.attempt`."""
        data = body(request, thinking=self._thinking, cache=self._cache, extra=self._extra)
        answer = Assembly(by_tool=asks_by_tool(request, thinking=self._thinking))
        try:
            return await self._once(request, data, answer, limit=limit, session=session, relay=relay)
        except Refused as error:
            raise ModelError(str(error)) from error

    def _key_headers(self) -> dict[str, str]:
        headers = {"anthropic-version": VERSION}
        if self._api_key:
            headers["x-api-key"] = self._api_key
        if self._betas:
            headers["anthropic-beta"] = ",".join(self._betas)
        return headers

    def _ends(self, event: ServerEvent) -> bool:
        return event.name == b"message_stop"
