"""Problem details as answers of FastAPI's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from leadline.service.asgi import Receive, Scope, Send
from leadline.service.problems import plain_problem, send_problem, told

_MOST_FAULTS: Final = 3
_CODES: Final[Mapping[int, str]] = MappingProxyType({400: "bad_request", 404: "no_such_path", 413: "too_large"})


class Problem(Response):
    """Problem details as an answer."""

    def __init__(self, problem: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status_code=problem["status"])
        self._problem = dict(problem)
        self._more = headers or {}

    def besides(self, more: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Problem:
        """Return it with further members, made of what it says (RFC 9457, 3.2)."""
        return Problem({**self._problem, **more(self._problem)}, headers=self._more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send_problem(scope, send, self._problem, headers=self._more)


def problem_from(error: Exception, scope: Scope) -> Problem:
    """Return the answer to whatever was raised; nothing of what was sent is repeated."""
    if isinstance(error, RequestValidationError):
        return Problem(plain_problem(422, "invalid_request", _faults(error)))
    status = getattr(error, "status_code", None)
    if isinstance(status, int):  # what the framework raises for bytes that it cannot read
        return Problem(plain_problem(status, _CODES.get(status, "refused"), "the request cannot be served"))
    return Problem(told(error, scope))


def add_no_such(api: FastAPI) -> None:
    """Answer paths and methods that there are not with problem details, and `Allow` with what there is."""

    async def no_such(request: Request, error: Exception) -> Response:
        if getattr(error, "status_code", 404) == 405:
            told_ = plain_problem(405, "method_not_allowed", "this path does not take this method")
            return Problem(told_, headers={"Allow": ", ".join(_methods(api, request.scope))})
        return Problem(plain_problem(404, "no_such_path", "there is nothing here by this path"))

    api.add_exception_handler(404, no_such)
    api.add_exception_handler(405, no_such)


def _methods(api: FastAPI, scope: Scope) -> list[str]:
    fits = (route for route in api.router.routes if route.matches(scope)[0].value)
    return sorted({method for route in fits for method in getattr(route, "methods", None) or ()})


def _faults(error: RequestValidationError) -> str:
    listed = "; ".join(
        f"`{'.'.join(str(part) for part in one['loc'])}`: {one['msg']}" for one in error.errors()[:_MOST_FAULTS]
    )
    return f"the request does not fit: {listed}"
