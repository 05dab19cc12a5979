"""What befell a Redis, as errors of ours: in plain words, with what to do about it, and without any password."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from leadline.errors import StoreError, StoreFull, StoreUnavailable

_DEPTH: Final = 8

# What OpenSSL and redis-py say; the first that is found tells.
_TLS: Final = (
    ("certificate has expired", "shows a certificate that has expired: renew it there"),
    ("certificate is not yet valid", "shows a certificate that is not yet valid: look at the clocks of both machines"),
    (
        "certificate is not valid for",
        "shows a certificate for another name: its address must name the host as the certificate does",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "shows a certificate of an authority not believed here: name its file in the address, `?ssl_ca_certs=FILE`",
    ),
    (
        "CERTIFICATE_REQUIRED",
        "asks for a certificate of ours: name it in its address, `?ssl_certfile=FILE&ssl_keyfile=FILE`",
    ),
    ("UNKNOWN_CA", "does not believe our certificate: `ssl_certfile` in its address must be of an authority it knows"),
    ("WRONG_VERSION_NUMBER", "does not speak TLS: without it its address begins with `redis://`"),
)
_WITHOUT: Final = ("NOAUTH", "Authentication required", "already authenticated", "unauthenticated")
_REFUSED: Final = "refuses the user or password in its address; marks as @ and / in them are written as %40 and %2F"
_UNSIGNED: Final = "asks for a password, and its address has none; it stands before the host, behind a colon"
_SENTINELS: Final = "has sentinels that refuse us; `sentinel_user` and `sentinel_password` in its address are for them"
# Of TLS 1.3 a refused client may see the closed connection before it sees the alert that says why.
_CLOSED: Final = (
    "closed the connection; where it speaks TLS alone, its address begins with `rediss://`; where it asks for a "
    "certificate of ours, that is named there: `?ssl_certfile=FILE&ssl_keyfile=FILE`"
)
_SILENT: Final = "does not take a connection in time; over TLS, one that does not speak it stays silent"


def failure(error: BaseException, *, of: str) -> StoreError:
    """Return what befell `of`, such as "the cache's Redis": what a person must mend is no `StoreUnavailable`.

    `error` is redis-py's, Celery's, or one of a socket.
    """
    from redis import exceptions  # noqa: PLC0415 an extra: who has such an error has it
    from redis.sentinel import MasterNotFoundError  # noqa: PLC0415 as above

    errors = list(_chain(error))
    if any(isinstance(each, MasterNotFoundError) for each in errors):
        return _no_master(" ".join(map(str, errors)), of=of)
    said = " ".join(f"{type(each).__name__}: {each}" for each in errors)
    wrong = _misfit(said)
    if wrong is not None:
        return StoreError(f"{of} {wrong}")
    if any(isinstance(each, exceptions.OutOfMemoryError) for each in errors):
        return StoreFull(f"{of} finds no memory left")
    passing = (
        exceptions.BusyLoadingError,
        exceptions.MasterDownError,
        exceptions.ReadOnlyError,
        exceptions.ClusterError,
        exceptions.TryAgainError,
    )
    if isinstance(error, exceptions.NoPermissionError):
        return StoreError(f"{of} does not let its user do that: {error}; widen the user's rules there")
    if isinstance(error, exceptions.ResponseError) and not isinstance(error, passing):
        return StoreError(f"{of} refuses: {error}")
    if "Connection closed by server" in said or "Connection reset by peer" in said:
        return StoreUnavailable(f"{of} {_CLOSED}")
    if "Timeout connecting" in said:
        return StoreUnavailable(f"{of} {_SILENT}")
    return StoreUnavailable(f"{of} does not answer: {str(error) or type(error).__name__}")


def _no_master(said: str, *, of: str) -> StoreError:
    """Return what is told where no sentinel names a master; of why redis-py keeps the kind of error alone."""
    if "AuthenticationError" in said:
        return StoreError(f"{of} {_SENTINELS}")
    return StoreUnavailable(f"{of} has no sentinel that can be asked, or none that knows a master of this name")


def _misfit(said: str) -> str | None:
    """Return what is wrong with how we come: password, certificate, TLS or not; `None` where it is none of these."""
    for words, told in _TLS:
        if words in said:
            return told
    if any(words in said for words in _WITHOUT):
        return _UNSIGNED
    return _REFUSED if "AuthenticationError" in said or "WRONGPASS" in said else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came of: what TLS said is below what redis-py made of it."""
    found: BaseException | None = error
    for _ in range(_DEPTH):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


class Outage:
    """Tells the log once that a Redis fails, why, and that it answers again. `of` is as for `failure`."""

    def __init__(self, log: logging.Logger, *, of: str) -> None:
        self._log = log
        self._of = of
        self._failing: str | None = None

    def failed(self, error: BaseException) -> StoreError:
        """Return the error as ours; of the same kind it is told once."""
        found = failure(error, of=self._of)
        if self._failing != found.code:
            self._log.warning("redis_failed", extra={"code": found.code, "reason": str(found)})
        self._failing = found.code
        return found

    def answered(self) -> None:
        """Tell that it is over."""
        if self._failing is not None:
            self._failing = None
            self._log.info("redis_answers", extra={"place": self._of})
