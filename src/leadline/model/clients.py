"""Makes the clients of a pool's servers, by the protocol that they speak."""

from __future__ import annotations

from typing import Literal, TypeAlias

import aiohttp

from leadline.model.anthropic_api import AnthropicModel
from leadline.model.attempt import Clocks
from leadline.model.openai_api import OpenAIModel
from leadline.model.pool.types import ServerSpec
from leadline.model.pooled import MakeClient
from leadline.model.streamed import StreamedModel
from leadline.model.tokens import TokenEstimator
from leadline.ports import Clock
from leadline.resilience import Backoff

Kind: TypeAlias = Literal["openai", "anthropic"]


def clients(
    kind: Kind = "openai",
    *,
    clocks: Clocks | None = None,
    estimator: TokenEstimator | None = None,
    thinking: int | None = None,
    clock: Clock | None = None,
) -> MakeClient:
    """Return what makes a client for each server: one try a call, since the pool's next server is the retry.

    All share `estimator`, for they serve the same model. `thinking` is Anthropic's.
    """
    shared = estimator or TokenEstimator()
    once = Backoff(attempts=1)

    def make(spec: ServerSpec, session: aiohttp.ClientSession) -> StreamedModel:
        if kind == "anthropic":
            return AnthropicModel(
                spec.url,
                api_key=spec.api_key,
                clocks=clocks,
                backoff=once,
                session=session,
                estimator=shared,
                clock=clock,
                thinking=thinking,
            )
        return OpenAIModel(
            spec.url,
            api_key=spec.api_key,
            clocks=clocks,
            backoff=once,
            session=session,
            estimator=shared,
            clock=clock,
        )

    return make
