"""Failures as problem details (RFC 9457), and problem details of a tool's service as the same failures again."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from leadline import codec
from leadline.domain import Usage
from leadline.errors import (
    FetchFailed,
    FetchRateLimited,
    InvalidArguments,
    LeadlineError,
    LimitReached,
    ProviderBroken,
    ProviderDenied,
    ProviderLimited,
    ProviderUnavailable,
    ToolFailed,
    family_of,
)
from leadline.ports import NoSummary
from leadline.text.clean import squeeze

PROBLEM: Final = "application/problem+json"
_MOST_DETAIL: Final = 500
_MOST_REASON: Final = 60
_MOST_WAIT: Final = 3_600.0
_REFUSED: Final = frozenset({401, 403, 407})
_NOT_TAKEN: Final = frozenset({400, 413, 422})


def problem_of(error: LeadlineError, *, status: int) -> dict[str, Any]:
    """Return the problem details of a failure of ours: `code` is its kind, `detail` its message.

    `retry_after` (seconds) and `page_status` (what a page's host answered) are there where it has them,
    `reason` and `usage` where no summary came though a model was paid.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.code.replace("_", " "),
        "status": status,
        "code": error.code,
        "detail": squeeze(str(error), limit=_MOST_DETAIL),
    }
    after = _number(getattr(error, "retry_after", None))
    if after is not None:
        body["retry_after"] = after
    if isinstance(error, FetchFailed) and error.status is not None:
        body["page_status"] = error.status
    if isinstance(error, NoSummary):
        body |= {"reason": error.reason, "usage": codec.orjson_tree(error.usage)}
    return body


def failure_from(problem: Mapping[str, Any], *, service: str, status: int) -> ToolFailed:
    """Return the failure that a tool's service told of; what has no kind of ours is judged by `status`.

    A service can say why a call failed, not that the run must stop: only kinds of `ToolFailed` cross.
    """
    family = family_of(str(problem.get("code", "")))
    told = squeeze(str(problem.get("detail") or problem.get("title") or ""), limit=_MOST_DETAIL)
    if issubclass(family, ToolFailed):
        return _made(family, told or f"{service} failed", problem)
    answered = f"{service} answered {status}"
    if status in _REFUSED:
        return ProviderDenied(f"{answered}: it refuses the key; set the one that it was started with")
    if status in _NOT_TAKEN:
        return InvalidArguments(f"{service} refuses what it was given: {told or 'no reason given'}")
    if status == 429:
        return ProviderLimited(f"{answered}: it asks to wait", retry_after=_number(problem.get("retry_after")))
    if status == 408 or status >= 500:
        return ProviderUnavailable(f"{answered}: it is down or overloaded")
    return ProviderBroken(f"{answered}: it does not take the request")


def usage_from(value: object) -> Usage:
    """Return what a service says that models cost, one call at least; what has another shape counts as nothing."""
    used = value if isinstance(value, dict) else {}
    cost = used.get("cost_usd")
    return Usage(
        model_calls=_count(used.get("model_calls")) or 1,
        prompt_tokens=_count(used.get("prompt_tokens")),
        completion_tokens=_count(used.get("completion_tokens")),
        cached_tokens=_count(used.get("cached_tokens")),
        cost_usd=max(0.0, float(cost)) if isinstance(cost, int | float) and isfinite(cost) else 0.0,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _made(family: type[ToolFailed], told: str, problem: Mapping[str, Any]) -> ToolFailed:
    after, status = _number(problem.get("retry_after")), problem.get("page_status")
    status = status if isinstance(status, int) else None
    if issubclass(family, LimitReached):
        return family(told, retry_after=1.0 if after is None else after)
    if issubclass(family, NoSummary):
        reason = squeeze(str(problem.get("reason") or ""), limit=_MOST_REASON)
        return family(told, reason=reason, usage=usage_from(problem.get("usage")))
    if issubclass(family, ProviderLimited):
        return family(told, retry_after=after)
    if issubclass(family, FetchRateLimited):
        return family(told, status=status, retry_after=after)
    return family(told, status=status) if issubclass(family, FetchFailed) else family(told)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(_MOST_WAIT, max(0.0, float(value)))
