"""What a service answered where it did not do what was asked, as the errors of this program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from leadline.errors import (
    FetchFailed,
    InputError,
    LeadlineError,
    LimitReached,
    NotPermitted,
    ProviderLimited,
    RunFailed,
    RunWaits,
    ServiceError,
    ServiceLimited,
    ServiceUnavailable,
    Unauthenticated,
    UnknownObject,
    WrongState,
    family_of,
)
from leadline.text.clean import squeeze

_MOST_DETAIL: Final = 500
_LONGEST_WAIT: Final = 3_600.0
_BY_STATUS: Final[Mapping[int, type[LeadlineError]]] = {
    400: InputError,
    401: Unauthenticated,
    403: NotPermitted,
    404: UnknownObject,
    405: InputError,
    409: WrongState,
    413: InputError,
    415: InputError,
    422: InputError,
}


def failure_of(status: int, body: bytes, *, retry_after: str | None) -> LeadlineError:
    """Return the error that an answer tells of: by its problem's `code`, else by its status."""
    problem = _problem(body)
    after = _seconds(problem.get("retry_after"), retry_after)
    told = squeeze(str(problem.get("detail") or problem.get("title") or ""), limit=_MOST_DETAIL)
    message = told or f"the service answered {status}"
    family = family_of(str(problem.get("code", "")))
    if status in {429, 502, 503, 504} and not issubclass(family, InputError):
        return _passing(status, message, after)
    if family is LeadlineError:
        family = _BY_STATUS.get(status, ServiceError)
    if issubclass(family, RunWaits):
        return RunWaits(message, run_id=str(problem.get("run_id", "")), asks={})
    if issubclass(family, RunFailed):
        return RunFailed(message, cause=str(problem.get("cause", "error")))
    if issubclass(family, LimitReached | ProviderLimited | FetchFailed):
        return ServiceError(message)  # of a tool that was called over HTTP: its details are of no use here
    return family(message)


def _passing(status: int, message: str, after: float | None) -> LeadlineError:
    """Return the failure of a service that may do it later."""
    if status == 429 or after is not None:
        return ServiceLimited(message, retry_after=after)
    return ServiceUnavailable(message)


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(told: object, header: str | None) -> float | None:
    if isinstance(told, int | float) and not isinstance(told, bool):
        return min(_LONGEST_WAIT, max(0.0, float(told)))
    if header is not None and header.isascii() and header.isdecimal():
        return min(_LONGEST_WAIT, float(header[:6]))
    return None
