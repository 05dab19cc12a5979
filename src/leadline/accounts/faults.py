"""Our errors for those of the database and of its driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from leadline.errors import InputError, LeadlineError, StoreError, StoreFull, StoreUnavailable

_FULL: Final = "53100"
"""PostgreSQL's code for a full disk."""

_NO_TEXT: Final = "22021"
"""PostgreSQL's code for a text with a character that it does not take, such as a zero."""


@contextmanager
def translated(where: str, foreign: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raise `StoreError` and its kinds for what SQLAlchemy, the system or a driver (`foreign`) raises.

    `InputError` for a text that no database takes: the store is not to blame.
    """
    expected: tuple[type[Exception], ...] = (exc.SQLAlchemyError, OSError, *foreign)
    try:
        yield
    except expected as error:
        raise _ours(error, where) from error


def _ours(error: Exception, where: str) -> LeadlineError:
    cause: object = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return StoreFull(f"no space is left for `{where}`; free some and try again")
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return StoreError(f"`{where}` is damaged ({cause}); restore it from a backup")
    if getattr(cause, "sqlstate", None) == _NO_TEXT:
        return InputError("a text has a character that cannot be stored")
    if getattr(cause, "sqlstate", None) == _FULL:
        return StoreFull(f"no space is left for `{where}`; free some and try again")
    return StoreUnavailable(f"`{where}` cannot be used: {type(cause).__name__}; try again")
