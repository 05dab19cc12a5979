"""A `Model` in the process itself: answers from a list or a function, for tests and demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from leadline.domain import ModelAnswer, ModelRequest, ToolCall, Usage
from leadline.errors import ModelBroken, ModelError
from leadline.model.tokens import guess_messages, guess_tokens

ScriptedReply: TypeAlias = str | ModelAnswer | ToolCall | ModelError
"""Text, a whole answer, one native tool call, or an error to be raised."""


class ScriptedModel:
    """Answers from `script` and remembers what it was asked.

    `script` is either a function of the request, or a sequence whose entries are given in order of
    the calls; a call beyond its end raises `ModelBroken`. An answer without usage gets an
    estimate. `requests` are all requests, in order.
    """

    def __init__(self, script: Sequence[ScriptedReply] | Callable[[ModelRequest], ScriptedReply]) -> None:
        self._script = script
        self.requests: list[ModelRequest] = []

    @property
    def calls(self) -> int:
        """How often the model was asked."""
        return len(self.requests)

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Return the next answer; its text goes to `progress` in one piece."""
        self.requests.append(request)
        reply = self._next(request)
        if isinstance(reply, ModelError):
            raise reply
        answer = _answer(reply, request)
        if progress is not None:
            for kind, text in (("reasoning", answer.reasoning), ("text", answer.text)):
                if text:
                    progress(kind, text)
        return answer

    def _next(self, request: ModelRequest) -> ScriptedReply:
        if callable(self._script):
            return self._script(request)
        if len(self.requests) > len(self._script):
            raise ModelBroken(f"the script has no answer number {len(self.requests)}")
        return self._script[len(self.requests) - 1]


def _answer(reply: str | ModelAnswer | ToolCall, request: ModelRequest) -> ModelAnswer:
    if isinstance(reply, str):
        answer = ModelAnswer(text=reply, finish="stop", model=request.model)
    elif isinstance(reply, ToolCall):
        answer = ModelAnswer(text="", finish="tool_calls", tool_calls=(reply,), model=request.model)
    else:
        answer = reply
    if answer.usage.tokens:
        return answer
    return replace(
        answer,
        usage=Usage(
            model_calls=1,
            prompt_tokens=round(guess_messages(request.messages)),
            completion_tokens=max(1, round(guess_tokens(answer.text + answer.reasoning))),
        ),
    )
