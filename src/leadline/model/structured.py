"""A `Model` whose JSON answers fit their schema, whatever the server behind it can do.

A server that compiles schemas is asked to; what it was found not to take is left out by the client,
which then describes the schema in words. Here an answer is repaired, held against the schema, and
asked for once more with what is wrong with it. Many servers accept a schema and ignore it, and one
that honours it may still be cut short: only the check tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import jsonschema

from leadline.codec import encode
from leadline.domain import Json, Message, ModelAnswer, ModelRequest
from leadline.errors import ModelBroken
from leadline.ports import Model
from leadline.resilience import Deadline
from leadline.text.repair import NotJson, parse_json

_MOST_TOLD: Final = 5
_SHOWN: Final = 4000


class StructuredModel:
    """Wraps a model; where a request has a schema, the answer's text is JSON that fits it.

    Raises `ModelBroken` where `asks` further answers did not fit either.
    """

    def __init__(self, model: Model, *, asks: int = 1) -> None:
        self._model = model
        self._asks = asks

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Return the answer; see `Model.complete`."""
        limit = Deadline(deadline)
        answer = await self._model.complete(request, deadline=deadline, session=session, progress=progress)
        if request.schema is None or answer.tool_calls:
            return answer
        usage = answer.usage
        for asked in range(self._asks + 1):
            found = fitted(answer.text, request.schema)
            if isinstance(found, bytes):
                return replace(answer, text=found.decode(), usage=usage)
            if asked == self._asks or limit.expired:
                raise ModelBroken(f"the model's answer does not fit its schema: {found}")
            again = _again(request, request.schema, answer.text, wrong=found)
            answer = await self._model.complete(again, deadline=limit.left(), session=session, progress=progress)
            usage += answer.usage
        return answer


def fitted(text: str, schema: Mapping[str, Json]) -> bytes | str:
    """Return the JSON in `text` where it fits the schema, else what is wrong with it."""
    try:
        value = parse_json(text)
    except NotJson:
        return "it is not JSON"
    validator = jsonschema.Draft202012Validator(dict(schema))
    wrong = [
        f"{error.json_path}: {error.message[:200]}"
        for error in sorted(validator.iter_errors(value), key=lambda e: e.json_path)
    ]
    return "; ".join(wrong[:_MOST_TOLD]) if wrong else encode(value)


def _again(request: ModelRequest, schema: Mapping[str, Json], text: str, *, wrong: str) -> ModelRequest:
    asked = (
        f"Your answer does not fit: {wrong}. Answer again with one JSON value of this JSON schema and nothing else:\n"
        f"{encode(schema).decode()}"
    )
    messages = (
        *request.messages,
        Message(role="assistant", content=text[:_SHOWN] or "(nothing)"),
        Message(role="user", content=asked),
    )
    return replace(request, messages=messages)
