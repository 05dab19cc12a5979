"""Failures as answers: problem details (RFC 9457) with a stable `code`, never an internal message."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from leadline import codec, errors
from leadline.errors import LeadlineError
from leadline.service.asgi import Scope, Send, answer
from leadline.service.tracing import request_id
from leadline.wire.problems import PROBLEM, problem_of

log = logging.getLogger("leadline.service")

INTERNAL: Final = "request_broke"
"""Name of the log line of a failure that should not be; it holds the request's id and the traceback."""

UNAUTHORIZED: Final = "unauthorized"

# The most specific kind counts: a class's own line before that of what it is a kind of.
STATUSES: Final[Mapping[type[LeadlineError], int]] = {
    errors.LeadlineError: 500,
    errors.InputError: 400,
    errors.MissingPath: 404,
    errors.UnknownRun: 404,
    errors.UnknownObject: 404,
    errors.AlreadyThere: 409,
    errors.IdempotencyConflict: 422,
    errors.WrongState: 409,
    errors.ModelError: 502,
    errors.ModelUnavailable: 503,
    errors.ModelRateLimited: 429,
    errors.ModelTimeout: 504,
    errors.ToolError: 502,
    errors.InvalidArguments: 422,
    errors.NotFound: 404,
    errors.Forbidden: 403,
    errors.LimitReached: 429,
    errors.ProviderUnavailable: 503,
    errors.ProviderLimited: 429,
    errors.FetchTimeout: 504,
    errors.FetchRateLimited: 429,
    errors.ExtractError: 422,
    errors.ExtractTimeout: 504,
    errors.TooLarge: 413,
    errors.StoreUnavailable: 503,
    errors.StoreFull: 507,
    errors.BlobMissing: 404,
    errors.BudgetError: 409,
    errors.Unauthenticated: 401,
    errors.NotPermitted: 403,
    errors.RunFailed: 409,
    errors.RunWaits: 409,
    errors.RunCancelled: 409,
    errors.ToolMissing: 501,
    errors.ServiceError: 502,
    errors.ServiceUnavailable: 503,
}

AWAY: Final = "request_without_store"
"""Name of the log line of a request that failed because what it needs is away."""

# Of failures of this machine, those that a caller can do something about, without their own words.
_OUTSIDE: Final[Mapping[type[LeadlineError], tuple[str, float | None]]] = {
    errors.StoreUnavailable: ("what keeps the runs is away; try again", 5.0),
    errors.StoreFull: ("no space is left where the runs are kept", None),
    errors.BlobMissing: ("the stored body is not there any more", None),
}


def status_of(error: LeadlineError) -> int:
    """Return the HTTP status of a failure's kind."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def plain_problem(status: int, code: str, detail: str) -> dict[str, Any]:
    """Return problem details of what is no failure of ours: a wrong path, a body that is too large."""
    title = code.replace("_", " ")
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}


def openai_error(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return problem details as clients of OpenAI's API read errors."""
    kind = "invalid_request_error" if problem["status"] < 500 else "server_error"
    return {"error": {"message": problem["detail"], "type": kind, "param": None, "code": problem["code"]}}


async def send_problem(
    scope: Scope, send: Send, problem: dict[str, Any], *, headers: Mapping[str, str] | None = None
) -> None:
    """Send problem details with the request's id; `retry_after` becomes the header as well."""
    more = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    sent = [(b"content-type", PROBLEM.encode()), (b"cache-control", b"no-store"), *more]
    after = problem.get("retry_after")
    if after is not None:
        sent.append((b"retry-after", str(max(1, round(after))).encode()))
    if problem["status"] == 401:
        sent.append((b"www-authenticate", b"Bearer"))
    body = codec.encode({**problem, "instance": f"urn:leadline:request:{request_id(scope)}"})
    await answer(send, status=problem["status"], body=body, headers=sent)


def told(error: Exception, scope: Scope) -> dict[str, Any]:
    """Return the problem details of anything that was raised; what is not ours is logged and named only by its id."""
    if isinstance(error, LeadlineError) and not _is_inner(error):
        return problem_of(error, status=status_of(error))
    for kind, (detail, retry_after) in _OUTSIDE.items():
        if isinstance(error, kind):
            log.warning(AWAY, extra={"request": request_id(scope), "code": kind.code, "reason": str(error)})
            told_ = plain_problem(STATUSES[kind], kind.code, detail)
            return told_ if retry_after is None else {**told_, "retry_after": retry_after}
    log.error(INTERNAL, extra={"request": request_id(scope), "path": scope.get("path", "")}, exc_info=error)
    return plain_problem(500, "internal", "the service failed; its log names the request")


def _is_inner(error: LeadlineError) -> bool:
    """Whether a failure tells of this machine: its files, its settings, its store."""
    return isinstance(error, errors.SettingsError | errors.StoreError | errors.WorkDied)
