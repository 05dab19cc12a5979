"""One route after another: who asks, is it let in, may it; then the work; then the answer, and what is written down.

    made = Routes("/v1/research", tag="research")
    made.add("POST", "", start, action=Action.RUNS_START, status=202, errors=(409,))

What the OpenAPI document says of failures is said here, once, of every route alike.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from leadline.errors import AccessError, LeadlineError, StoreError
from leadline.ports.access import Action, Caller
from leadline.ports.accounts import Deed, Outcome
from leadline.service.answers import Problem, problem_from
from leadline.service.door import Limited, check_permitted
from leadline.service.problems import openai_error, plain_problem
from leadline.service.services import Services
from leadline.service.tracing import request_id
from leadline.text.clean import visible
from leadline.wire.problems import PROBLEM

log = logging.getLogger("leadline.service")

ACTION: Final = "x-leadline-action"
"""What an operation of the OpenAPI document names the action by that a caller must be permitted."""

COUNTS: Final = "x-leadline-counts"
"""Whether each request counts by itself; false where it counts as a run or a call of a model."""

AUDITS: Final = "x-leadline-audits"
"""False where the endpoint itself writes down what a request did, which its route does not tell."""

OPENAI: Final = ("/v1/chat/", "/v1/models")
"""Where the paths of OpenAI's API begin."""

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_BODIES: Final = frozenset({"POST", "PUT", "PATCH"})
_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "runs": "run",
        "corpora": "corpus",
        "schedules": "schedule",
        "webhooks": "webhook",
        "tools": "tool",
        "models": "model",
        "keys": "key",
        "secrets": "secret",
    }
)
TOLD: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "What was asked cannot be.",
        401: "There is no credential, or it is not accepted.",
        403: "The credential's role or scopes do not permit it.",
        404: "There is no such thing, or it is another tenant's.",
        409: "The state of the object does not allow it.",
        413: "The body, or the question, is too large.",
        415: "The body is of another type than the one that is taken.",
        422: "The request does not fit the description.",
        429: "The caller asks for too much; `Retry-After` says when to try again.",
        499: "The client has gone.",
        500: "The service failed; its log names the request.",
        501: "This service cannot do that.",
        502: "A service that was asked gave no usable answer.",
        503: "All together ask for too much, or what keeps the runs is away; `Retry-After` says when to try again.",
        504: "The time that was given is over.",
        507: "No space is left.",
    }
)

_GOOD: Final[Mapping[int, str]] = MappingProxyType({201: "Made.", 202: "Taken up.", 204: "Done; nothing to tell."})
_PROBLEM: Final[Mapping[str, Any]] = MappingProxyType({PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}})


Answers: TypeAlias = Mapping[int | str, Mapping[str, Any]]
"""What a route may answer, by status, as the OpenAPI document has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spec:
    method: str
    path: str
    endpoint: Callable[..., Any]
    action: Action | None
    status: int
    errors: tuple[int, ...]
    answers: Answers
    extra: Mapping[str, Any]
    shown: bool
    model: Any
    counts: bool
    audits: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a route asks of its callers."""

    action: Action
    counts: bool
    audits: bool


@dataclass(slots=True)
class Routes:
    """Routes of one resource, added to an application by `mount`."""

    prefix: str
    tag: str
    specs: list[_Spec] = field(default_factory=list)

    def add(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        *,
        action: Action | None,
        status: int = 200,
        errors: Sequence[int] = (),
        answers: Answers | None = None,
        model: Any = None,  # noqa: ANN401 a type, which FastAPI takes as it is
        extra: Mapping[str, Any] | None = None,
        shown: bool = True,
        counts: bool = True,
        audits: bool = True,
    ) -> None:
        """Add a route; the endpoint's docstring is its description.

        Without `action` anybody may ask, and nothing is counted. `errors` are statuses beside those
        that every route may answer. `answers` describes what is no JSON, `model` what is. `extra`
        goes into the OpenAPI document. Without `counts` the endpoint itself asks to be let in (as a
        run, say), and where it fails before that, it is counted after all. Without `audits` it
        calls `write_down` itself.
        """
        self.specs.append(
            _Spec(
                method=method,
                path=self.prefix + path,
                endpoint=endpoint,
                action=action,
                status=status,
                errors=tuple(errors),
                answers=answers or {},
                extra=extra or {},
                shown=shown,
                model=model,
                counts=counts,
                audits=audits,
            )
        )

    def mount(self, api: FastAPI) -> None:
        """Add the routes to an application."""
        for spec in self.specs:
            summary, _, rest = (spec.endpoint.__doc__ or spec.endpoint.__name__).strip().partition("\n")
            extra = dict(spec.extra) | ({} if spec.action is None else {ACTION: str(spec.action), COUNTS: spec.counts})
            extra |= {} if spec.audits else {AUDITS: False}
            api.router.add_api_route(
                spec.path,
                spec.endpoint,
                methods=[spec.method],
                status_code=spec.status,
                response_model=spec.model,
                response_class=Response if spec.model is None else JSONResponse,
                responses=_responses(spec),
                summary=summary.rstrip("."),
                response_description=_GOOD.get(spec.status, "Done."),
                description=" ".join(rest.split()) or None,
                tags=[self.tag],
                name=spec.endpoint.__name__,
                operation_id=f"{self.tag}_{spec.endpoint.__name__}",
                openapi_extra=extra,
                include_in_schema=spec.shown,
                route_class_override=ServiceRoute,
            )


class ServiceRoute(APIRoute):
    """A route behind the door."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request to this route."""
        inner = super().get_route_handler()
        named = (self.openapi_extra or {}).get(ACTION)
        rule = None if named is None else _rule_of(Action(named), self.openapi_extra or {})

        async def handle(request: Request) -> Response:
            try:
                if rule is None:
                    return await inner(request)
                return await _behind(request, rule, inner)
            except Exception as error:  # noqa: BLE001 the border of a request: the next one must be served
                return answer_to(error, request)

        return handle


def _rule_of(action: Action, extra: Mapping[str, Any]) -> _Rule:
    return _Rule(action, counts=extra.get(COUNTS, True), audits=extra.get(AUDITS, True))


def services_of(request: Request) -> Services:
    """Return what the routes stand on."""
    return cast("Services", request.app.state.services)


def caller_of(request: Request) -> Caller:
    """Return who asks; only behind a route with an action."""
    return cast("Caller", request.state.caller)


def name_object(request: Request, object: str) -> None:
    """Name what a writing request is about, for the audit log; without, it is the last part of the path that varies."""
    request.state.object = object


def answer_to(error: Exception, request: Request) -> Response:
    """Return the problem details of whatever was raised; to clients of OpenAI's API, in their form as well."""
    answer = _problem(error, request)
    return answer.besides(openai_error) if request.url.path.startswith(OPENAI) else answer


def _problem(error: Exception, request: Request) -> Problem:
    if isinstance(error, Limited):
        problem = plain_problem(error.status, error.code, str(error))
        after = {} if error.retry_after is None else {"retry_after": error.retry_after}
        return Problem({**problem, **after})
    return problem_from(error, request.scope)


async def _behind(request: Request, rule: _Rule, inner: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answer a request by a known caller, and write down what it changed."""
    services, writes = services_of(request), request.method in WRITES
    caller = await services.door.caller(request.scope)
    request.state.caller = caller
    if rule.counts:
        await services.door.let_in(request.scope, caller)
    try:
        check_permitted(caller, rule.action)
        response = await inner(request)
    except Limited:
        raise
    except Exception as error:
        if not rule.counts and not getattr(request.state, "counted", False):
            await services.door.let_in(request.scope, caller)
        if writes:
            await write_down(request, rule.action, outcome=outcome_of(error))
        raise
    if writes and rule.audits:
        await write_down(request, rule.action, outcome=Outcome.DONE)
    return response


async def write_down(request: Request, action: Action, *, outcome: Outcome) -> None:
    """Add to the audit log. What was done cannot be undone because the log fails: that is told to the operator."""
    services, caller = services_of(request), caller_of(request)
    given = list(request.path_params.values())
    deed = Deed(
        tenant=caller.tenant,
        actor=caller.key,
        action=str(action),
        kind=_KINDS.get(action.partition(":")[0], action.partition(":")[0]),
        # Who was refused for a name that no database takes is written down as well.
        object=visible(str(getattr(request.state, "object", given[-1] if given else "")))[:200],
        source=services.door.source(request.scope),
        outcome=outcome,
    )
    try:
        await services.accounts.audit.append(deed)
    except StoreError as error:
        log.error(  # noqa: TRY400 the store's failure has no traceback of ours
            "audit_failed",
            extra={"request": request_id(request.scope), "action": str(action), "reason": str(error)},
        )


def outcome_of(error: Exception) -> Outcome:
    """Return what the audit log says of a request that failed so."""
    if isinstance(error, AccessError):
        return Outcome.DENIED
    if isinstance(error, LeadlineError) and error.code in {"unknown_run", "unknown_object"}:
        return Outcome.DENIED
    return Outcome.FAILED


def _responses(spec: _Spec) -> dict[int | str, dict[str, Any]]:
    """Return what a route may answer, for the OpenAPI document."""
    always = {500} if spec.action is None else {401, 403, 429, 500, 503, 507}
    body = {400, 413, 415} if spec.method in _BODIES else set()
    path = {404} if "{" in spec.path else set()
    statuses = sorted(always | body | path | {422} | set(spec.errors))
    failures: dict[int | str, dict[str, Any]] = {
        status: {"description": TOLD[status], "content": dict(_PROBLEM)} for status in statuses
    }
    return {**failures, **{status: dict(told) for status, told in spec.answers.items()}}
