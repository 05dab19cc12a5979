"""PostgreSQL's failures, translated once."""

from __future__ import annotations

from typing import Final

import asyncpg

from leadline.errors import LeadlineError, SettingsError, StoreError, StoreFull, StoreUnavailable

FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a database that is away, full or not as it should be raises."""

# What says nothing against the next try: connections that cannot be had or broke (classes 08, 57 and
# most of 53), a standby that a write came to, and transactions that gave way to others (class 40).
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_GAVE_WAY = (asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError, asyncpg.UniqueViolationError)
_NOT_OURS = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
_NOT_LET_IN = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


def is_away(error: Exception) -> bool:
    """Tell whether the database, rather than one statement, failed: its clock and our leases are in doubt."""
    return isinstance(error, _AWAY) and not isinstance(error, asyncpg.DiskFullError | asyncpg.QueryCanceledError)


def translated(error: Exception, name: str) -> LeadlineError:
    """Return our error for one of `FAILURES`; `name` is the database's, without a password."""
    if isinstance(error, asyncpg.DiskFullError):
        return StoreFull(f"no space is left for {name}; free some and try again")
    if isinstance(error, _NOT_LET_IN):
        return SettingsError(f"{name} does not let us in: {error}; check LEADLINE_STORE")
    if isinstance(error, _NOT_OURS):
        return SettingsError(f"{name} lacks a table of this version: {error}; make it with: leadline migrate up")
    if isinstance(error, _GAVE_WAY) or is_away(error):
        return StoreUnavailable(f"{name} cannot be used: {said(error)}")
    return StoreError(f"{name} refused a statement: {said(error)}")


def said(error: Exception) -> str:
    """Return a failure in one line; some of asyncpg's and the system's say nothing."""
    return " ".join(str(error).split()) or type(error).__name__
