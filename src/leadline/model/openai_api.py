"""`Model` over the chat completions API of OpenAI, vLLM, SGLang, TGI, llama.cpp, Ollama and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import ClassVar, Final

import aiohttp
import orjson

from leadline.domain import Json, ModelAnswer, ModelRequest
from leadline.errors import ModelError, ModelUnavailable
from leadline.model.attempt import Clocks, Relay
from leadline.model.failures import Crashed, Refused, Silent
from leadline.model.openai_wire import Assembly, Quirks, body
from leadline.model.sse import ServerEvent
from leadline.model.streamed import MAX_ANSWER, ServedModel, StreamedModel
from leadline.model.tokens import TokenEstimator
from leadline.ports import Clock
from leadline.resilience import Backoff, Deadline

__all__ = ["OpenAIModel", "ServedModel"]

_DONE: Final = b"[DONE]"


class OpenAIModel(StreamedModel):
    """One server that speaks the OpenAI chat completions API; see `StreamedModel`.

    `url` ends where `/chat/completions` begins. What a server refuses of a request is left out of
    the next ones.
    """

    path: ClassVar[str] = "/chat/completions"

    def __init__(
        self,
        url: str,
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
        self._quirks: dict[str, Quirks] = {}

    async def attempt(self, request: ModelRequest, *, limit: Deadline, session: str, relay: Relay) -> ModelAnswer:
        """Return the answer to the fullest request that the server takes; see `StreamedModel.attempt`."""
        quirks = self._quirks.get(request.model, Quirks())
        stream = True
        while True:
            try:
                data = body(request, quirks=quirks, stream=stream, extra=self._extra)
                answer = await self._once(request, data, Assembly(), limit=limit, session=session, relay=relay)
            except Refused as error:
                plainer = quirks.after(status=error.status, text=error.text, request=request)
                if plainer is None:
                    raise ModelError(str(error)) from error
            except Silent:
                # llama-cpp-python ends a stream so where the prompt is too long, and says so only without one.
                if not stream:
                    raise
                stream, plainer = False, quirks
            except Crashed as error:
                # llama-cpp-python fails so over a schema that it cannot compile.
                if request.schema is None or not (quirks.schema or quirks.json_object):
                    raise ModelUnavailable(str(error), retry_after=error.retry_after) from error
                plainer = quirks.without_schema()
            else:
                self._quirks[request.model] = _learnt(quirks, request, answer)
                return answer
            quirks = plainer

    def _key_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}

    def _ends(self, event: ServerEvent) -> bool:
        return event.data == _DONE


def _learnt(quirks: Quirks, request: ModelRequest, answer: ModelAnswer) -> Quirks:
    """Return what an answer shows of its server: one that is no JSON, that the schema was not honoured.

    Then the next request describes the schema in words: a server that takes the field and ignores it
    is found out by its first answer, and costs no call of its own.
    """
    if request.schema is None or not quirks.schema or answer.finish != "stop" or answer.tool_calls:
        return quirks
    try:
        orjson.loads(answer.text)
    except orjson.JSONDecodeError:
        return replace(quirks, schema=False, json_object=False)
    return quirks
