"""Listings page by page: `?limit=` and `?cursor=`, and `next` in the answer until nothing follows.

A cursor is a place, not a number: what is added meanwhile shifts nothing.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final, Generic, TypeAlias, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from leadline.errors import InputError
from leadline.ports import Cursor

T = TypeVar("T")

MOST: Final = 200
_MOST_CURSOR: Final = 400

Limit: TypeAlias = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Place: TypeAlias = Annotated[
    str | None,
    Query(max_length=_MOST_CURSOR, description="`next` of the page before; without it the newest come first."),
]


class Page(BaseModel, Generic[T]):
    """Some of a listing, and the cursor of what follows."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next: str | None = Field(description="The cursor of the next page; null where nothing follows.")


def run_cursor(cursor: Cursor) -> str:
    """Return a place in a listing of runs as text."""
    return pack([cursor.created_at, cursor.run_id])


def read_run_cursor(text: str) -> Cursor:
    """Return the place. Raises `InputError`."""
    match unpack(text):
        case [float() | int() as created_at, str() as run_id] if not isinstance(created_at, bool):
            return Cursor(float(created_at), run_id)
    raise _refused(text)


def number_cursor(number: int) -> str:
    """Return a number as a cursor."""
    return pack([number])


def read_number(text: str) -> int:
    """Return the number. Raises `InputError`."""
    match unpack(text):
        case [int() as number] if not isinstance(number, bool) and 0 <= number < 1 << 62:
            return number
    raise _refused(text)


def pack(place: list[object]) -> str:
    """Return a place as text that fits into an address."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def unpack(text: str) -> object:
    """Return what `pack` was given. Raises `InputError`."""
    try:
        return orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _refused(text) from error


def _refused(text: str) -> InputError:
    return InputError(f"no cursor of a page before: {text[:60]!r}")
