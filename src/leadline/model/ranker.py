"""`Ranker` over a server that reranks: one model of it, a deadline for each call, and a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Self

from leadline.errors import ModelError, ModelTimeout, ModelUnavailable
from leadline.model.embeddings import Reranker
from leadline.ports import Clock
from leadline.resilience import Backoff, Breaker, BreakerState

_FAILURES: Final = 3
_COOLDOWN: Final = 30.0


class ServerRanker:
    """One model of a server that speaks `/rerank`; an asynchronous context manager.

    `url` is the base URL, ending where `/rerank` begins. A call has at most `seconds`. After three
    failures in a row the server is left alone for half a minute, so that not every search waits for
    one that is away; `changed` hears of that. Raises `SettingsError` on entering with an address
    that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        api_key: str | None = None,
        seconds: float = 3.0,
        clock: Clock | None = None,
        changed: Callable[[BreakerState], None] | None = None,
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._breaker = Breaker(threshold=_FAILURES, cooldown=_COOLDOWN, changed=changed)
        self._model = Reranker(
            url.rstrip("/").removesuffix("/rerank"),
            model=name,
            api_key=api_key,
            seconds=seconds,
            backoff=Backoff(attempts=1),
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        await self._model.__aenter__()
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self._model.__aexit__(*_failure)

    async def scores(self, query: str, texts: Sequence[str], *, deadline: float) -> Sequence[float]:
        """Return how well each text fits; see `Ranker.scores`."""
        if not self._breaker.allow():
            raise ModelUnavailable(
                f"`{self._name}` failed again and again and is left alone", retry_after=self._breaker.retry_in()
            )
        seconds = min(self._seconds, deadline)
        try:
            async with asyncio.timeout(seconds):
                found = await self._model.scores(query, texts)
        except TimeoutError as error:
            self._breaker.failed()
            raise ModelTimeout(f"`{self._name}` gave no order within {seconds:.3g} s") from error
        except ModelError:
            self._breaker.failed()
            raise
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return found
