"""A `Model` that goes on where an answer was cut at its limit of tokens.

The model is shown what it said and asked to go on; what it repeats of its last words is left out.
Not done for tool calls, whose halves do not add up, nor where nothing was said but thoughts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from leadline.domain import Message, ModelAnswer, ModelRequest
from leadline.errors import ContextOverflow
from leadline.ports import Model
from leadline.resilience import Deadline

_ASK: Final = (
    "Your answer was cut off by a limit of length. Go on exactly where it stopped, in the middle of the word if "
    "need be. Do not repeat anything and do not comment."
)
_LEAST_OVERLAP: Final = 12
_MOST_OVERLAP: Final = 400
_TOOL_TAG: Final = "<tool_call>"


class ContinuingModel:
    """Wraps a model; an answer with finish `length` is continued up to `rounds` times.

    The usage is that of all calls. A continuation that does not fit the window leaves the answer as
    it is, with its finish `length`.
    """

    def __init__(self, model: Model, *, rounds: int = 3) -> None:
        self._model = model
        self._rounds = rounds

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Return the whole answer; see `Model.complete`."""
        limit = Deadline(deadline)
        answer = await self._model.complete(request, deadline=deadline, session=session, progress=progress)
        for _ in range(self._rounds):
            if not _goes_on(answer) or limit.expired:
                break
            more = replace(
                request,
                messages=(
                    *request.messages,
                    Message(role="assistant", content=answer.text),
                    Message(role="user", content=_ASK),
                ),
                schema=None,  # the rest of a JSON text is none
                tools=(),
            )
            try:
                rest = await self._model.complete(more, deadline=limit.left(), session=session, progress=progress)
            except ContextOverflow:
                break
            answer = joined(answer, rest)
        return answer


def _goes_on(answer: ModelAnswer) -> bool:
    return (
        answer.finish == "length"
        and bool(answer.text.strip())
        and not answer.tool_calls
        and _TOOL_TAG not in answer.text
    )


def joined(first: ModelAnswer, rest: ModelAnswer) -> ModelAnswer:
    """Return one answer of two parts; its finish is the second's."""
    return replace(
        rest,
        text=first.text + rest.text[overlap(first.text, rest.text) :],
        reasoning=first.reasoning,
        usage=first.usage + rest.usage,
        opaque=first.opaque,
    )


def overlap(first: str, rest: str) -> int:
    """Return how many characters at the start of `rest` only repeat the end of `first`."""
    most = min(len(first), len(rest), _MOST_OVERLAP)
    for size in range(most, _LEAST_OVERLAP - 1, -1):
        if first.endswith(rest[:size]):
            return size
    return 0
