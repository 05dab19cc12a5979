"""What keeps runs and bodies failed."""

from __future__ import annotations

from leadline.errors.base import LeadlineError


class StoreError(LeadlineError):
    """The run store or the blob store failed."""

    exit_code = 6


class StoreUnavailable(StoreError):
    """The store is locked, away or disconnected."""

    retryable = True


class StoreFull(StoreError):
    """No space is left where the data is kept; what was committed before stands."""


class LeaseLost(StoreError):
    """Another worker owns the run now; this one's writes are refused."""


class SecretUnreadable(StoreError):
    """A stored secret does not open with any of the keys that are set, or was moved or changed."""


class BlobMissing(StoreError):
    """A stored body is gone, or its bytes do not have the hash that names them."""


class BackupUnusable(StoreError):
    """A backup is unfinished or damaged, or the passphrase does not open it."""
