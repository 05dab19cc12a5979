"""A model's answer as a value: JSON that is repaired where it can be, and asked for once more where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from leadline.domain import Failure, Flag, Json, Message
from leadline.errors import ModelBroken
from leadline.research.recorder import INTERRUPTED
from leadline.research.study import Study
from leadline.text.repair import NotJson, parse_json
from leadline.text.think import split_thoughts

T = TypeVar("T")

ASKS: Final = 2
_SHOWN: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed(Generic[T]):
    """The value, or why there is none; `early` tells that a person wants the report now."""

    value: T | None = None
    failure: Failure | None = None
    early: bool = False


async def typed(
    study: Study,
    messages: Sequence[Message],
    *,
    purpose: str,
    schema: Mapping[str, Json],
    read: Callable[[Json], T],
    reserve: bool = True,
) -> Typed[T]:
    """Ask for JSON that `read` takes; what it refuses (`ValueError`, in words for the model) is asked for once more.

    Each time is a round. A call that failed is made once more where that may help. With `reserve`
    a person's wish for the report ends it.
    """
    asked = tuple(messages)
    failure = Failure(code=ModelBroken.code, message="the budget leaves nothing for it")
    for _ in range(ASKS):
        if not study.affordable(asked, max_tokens=study.options.max_tokens, price=study.options.price):
            break
        if study.next_round() is Flag.FINISH and reserve:
            return Typed(early=True)
        reply = await study.ask(asked, purpose=purpose, schema=schema, reserve=reserve)
        if reply.answer is None:
            failure = reply.failure or failure
            if failure.retryable or failure.code == INTERRUPTED:
                continue
            break
        text, _ = split_thoughts(reply.answer.text)
        try:
            return Typed(value=read(_parsed(text)))
        except ValueError as error:
            failure = Failure(code=ModelBroken.code, message=f"the model's answer could not be used: {error}")
            asked = (*messages, *_again(text, str(error)))
    if study.interrupted and study.next_round() is Flag.FINISH and reserve:  # a person's wish is heard here
        return Typed(early=True)
    return Typed(failure=failure)


def _parsed(text: str) -> Json:
    try:
        value: Json = parse_json(text)
    except NotJson:
        raise ValueError("it is no JSON") from None
    return value


def _again(text: str, wrong: str) -> tuple[Message, Message]:
    return (
        Message(role="assistant", content=text[:_SHOWN] or "(nothing)"),
        Message(role="user", content=f"This cannot be used: {wrong}. Answer again, with the JSON object alone."),
    )
