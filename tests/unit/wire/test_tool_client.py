from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
import pytest

from leadline.errors import (
    InvalidArguments,
    LeadlineError,
    LimitReached,
    ProviderBroken,
    ProviderDenied,
    ProviderLimited,
    ProviderUnavailable,
    ToolFailed,
    ToolStop,
)
from leadline.resilience import Breaker
from leadline.wire.http import Reply, Request
from leadline.wire.problems import failure_from, problem_of
from leadline.wire.tool_client import DEADLINE, TENANT, ToolClient

Answering = Callable[[Request, float], Reply]


class Http:
    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def send(self, request: Request, *, deadline: float) -> Reply:
        self.requests.append(request)
        return self._answer(request, deadline)


def says(status: int, body: bytes) -> Answering:
    return lambda _request, _deadline: Reply(status=status, headers={}, body=body)


def down(_request: Request, _deadline: float) -> Reply:
    raise ProviderUnavailable("refused")


async def test_a_request_carries_key_deadline_and_tenant() -> None:
    http = Http(says(200, b'{"results": []}'))
    client = ToolClient(http, "http://h:8001/", tool="search", key="k")
    assert await client.ask({"query": "q"}, deadline=10, tenant="t") == {"results": []}
    (request,) = http.requests
    assert (request.url, request.method, request.data) == ("http://h:8001/search", "POST", b'{"query":"q"}')
    assert request.headers == {"Authorization": "Bearer k", DEADLINE: "9750", TENANT: "t"}


@pytest.mark.parametrize(
    ("path", "url"), [(None, "http://h/x/summarize"), ("", "http://h/x"), ("/v2", "http://h/x/v2")]
)
async def test_another_path_may_be_named(path: str | None, url: str) -> None:
    http = Http(says(200, b"{}"))
    await ToolClient(http, "http://h/x", tool="summarize", path=path).ask({}, deadline=1, large=True)
    assert http.requests[0].url == url


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'"x"', b"null", b'{"a": '])
async def test_what_is_no_object_is_broken(body: bytes) -> None:
    with pytest.raises(ProviderBroken):
        await ToolClient(Http(says(200, body)), "http://h", tool="visit").ask({}, deadline=1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ProviderBroken),
        (401, ProviderDenied),
        (403, ProviderDenied),
        (404, ProviderBroken),
        (413, InvalidArguments),
        (422, InvalidArguments),
        (429, ProviderLimited),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (504, ProviderUnavailable),
    ],
)
@pytest.mark.parametrize(
    "body", [b"secret", b'{"detail": 5}', b'{"code": "tool_stop"}', b'{"code": "store_error"}', b'{"code": ["a"]}']
)
async def test_what_has_no_kind_of_ours_is_judged_by_its_status(
    status: int, kind: type[ToolFailed], body: bytes
) -> None:
    with pytest.raises(kind) as raised:
        await ToolClient(Http(says(status, body)), "http://h", tool="visit").ask({}, deadline=1)
    assert type(raised.value) is kind
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("error", [ToolStop("the run must end"), LeadlineError("x")])
def test_a_service_cannot_stop_a_run(error: LeadlineError) -> None:
    made = failure_from(problem_of(error, status=502), service="it", status=502)
    assert type(made) is ProviderUnavailable


def test_odd_values_of_a_problem_are_bounded() -> None:
    problem = {"code": "limit_reached", "detail": "x" * 9_999 + "\n\u202e", "retry_after": 1e99}
    made = failure_from(problem, service="it", status=429)
    assert isinstance(made, LimitReached)
    assert (made.retry_after, len(str(made))) == (3_600.0, 500)
    for odd in (True, "5", None, [1]):
        made = failure_from({"code": "limit_reached", "retry_after": odd}, service="it", status=429)
        assert isinstance(made, LimitReached)
        assert made.retry_after == 1.0


async def test_a_service_that_is_down_is_left_alone() -> None:
    http = Http(down)
    breaker = Breaker(threshold=3)
    clients = [ToolClient(http, "http://h", tool="visit", breaker=breaker) for _ in range(4)]
    for client in clients[:3]:
        with pytest.raises(ProviderUnavailable):
            await client.ask({}, deadline=1)
    with pytest.raises(LimitReached, match="left alone"):
        await clients[3].ask({}, deadline=1)
    assert len(http.requests) == 3


@pytest.mark.parametrize(
    ("reply", "shut"),
    [
        (says(502, b"<html>bad gateway</html>"), True),
        (says(504, orjson.dumps({"code": "deadline", "status": 504})), False),
        (says(502, orjson.dumps({"code": "fetch_unavailable", "status": 502, "detail": "the page is down"})), False),
        (says(401, b"{}"), False),
    ],
)
async def test_what_a_service_says_of_the_work_is_no_verdict_on_itself(reply: Answering, *, shut: bool) -> None:
    client = ToolClient(Http(reply), "http://h", tool="visit", breaker=Breaker(threshold=2))
    for _ in range(2):
        with pytest.raises(ToolFailed):
            await client.ask({}, deadline=1)
    with pytest.raises(ToolFailed) as raised:
        await client.ask({}, deadline=1)
    assert isinstance(raised.value, LimitReached) is shut


async def test_a_call_that_is_cancelled_says_nothing_of_the_service() -> None:
    class Hanging(Http):
        async def send(self, request: Request, *, deadline: float) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    breaker = Breaker(threshold=1)
    client = ToolClient(Hanging(down), "http://h", tool="visit", breaker=breaker)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await client.ask({}, deadline=1)
    assert breaker.allow()
