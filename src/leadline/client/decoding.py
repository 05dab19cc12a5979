"""Answers of a service as values."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson

from leadline import codec
from leadline.client.http import Reply
from leadline.errors import ServiceError

T = TypeVar("T")


def parsed(reply: Reply) -> Any:  # noqa: ANN401 JSON by nature
    """Return an answer's JSON. Raises `ServiceError`."""
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise ServiceError("the service answered with what is no JSON") from error


def decoded(cls: type[T], reply: Reply) -> T:
    """Return what an answer describes. Raises `ServiceError` where it is of another shape."""
    try:
        return codec.build(cls, parsed(reply))
    except (ValueError, TypeError) as error:
        raise ServiceError("the service answered in no form that this version knows") from error
