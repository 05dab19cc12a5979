"""What aiohttp and HTTP say when they fail, in Leadline's own words: translated here, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from leadline.errors import (
    FetchFailed,
    FetchRateLimited,
    FetchRefused,
    FetchTimeout,
    FetchUnavailable,
    NotFound,
    ToolFailed,
)
from leadline.fetch.urls import shortened
from leadline.wire.reasons import why

_GONE: Final = frozenset({404, 410})
_BUSY: Final = frozenset({408, 425})
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_MOST_WAIT: Final = 86_400.0


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn what aiohttp raises into a `FetchFailed`; our own errors pass as they are."""
    shown = shortened(url)
    try:
        yield
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
        raise FetchFailed(f"the certificate of {shown} is not valid: {_line(str(error))}") from error
    except aiohttp.ServerTimeoutError as error:
        raise FetchTimeout(f"{shown} did not answer in time") from error
    except aiohttp.ClientResponseError as error:
        raise FetchFailed(f"{shown} answered with no valid HTTP: {_line(error.message)}") from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
        raise FetchUnavailable(f"{shown} could not be reached or broke off: {why(error)}") from error
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise FetchFailed(f"{shown} could not be read: {why(error)}") from error


def _line(message: str) -> str:
    return shortened(" ".join(message.split()))


def of_status(url: str, status: int, *, retry_after: float | None = None) -> ToolFailed:
    """Return the error that an HTTP status other than success means: no such page is ever content."""
    shown = shortened(url)
    if status in _GONE:
        return NotFound(f"there is no page at {shown} (HTTP {status})")
    if status == _TOO_MANY or (status == _UNAVAILABLE and retry_after is not None):
        return FetchRateLimited(f"{shown} asked to wait (HTTP {status})", status=status, retry_after=retry_after)
    if status >= 500 or status in _BUSY:
        return FetchUnavailable(f"{shown} is out of order (HTTP {status})", status=status)
    if status >= 400:
        return FetchRefused(f"{shown} refused to show the page (HTTP {status})", status=status)
    return FetchFailed(f"{shown} answered without a page (HTTP {status})", status=status)


def retry_after(value: str | None, *, now: float) -> float | None:
    """Return a Retry-After header (RFC 9110 section 10.2.3) in seconds from `now`, at most a day."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _MOST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(0.0, moment.timestamp() - now), _MOST_WAIT)
