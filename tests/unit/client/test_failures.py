"""What a service answered becomes the error of that kind; what is none of ours is judged by its status."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leadline.client.asked import Ask
from leadline.client.failures import failure_of
from leadline.errors import (
    InputError,
    LeadlineError,
    RunFailed,
    ServiceError,
    ServiceLimited,
    ServiceUnavailable,
    Unauthenticated,
    UnknownRun,
    WrongState,
)


def failed(status: int, after: str | None = None, **problem: Any) -> LeadlineError:
    return failure_of(status, json.dumps(problem).encode(), retry_after=after)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "unknown_run", UnknownRun),
        (409, "wrong_state", WrongState),
        (422, "invalid_request", InputError),
        (401, "nonsense", Unauthenticated),
        (413, "question_size", InputError),
        (500, "internal", ServiceError),
        (503, "store_unavailable", ServiceUnavailable),
        (418, "", ServiceError),
    ],
)
def test_the_kind_follows_from_the_code_and_else_from_the_status(
    status: int, code: str, kind: type[LeadlineError]
) -> None:
    error = failed(status, code=code, detail="why")
    assert type(error) is kind
    assert str(error) == "why"


def test_a_limit_tells_when_to_come_back() -> None:
    error = failed(429, code="key_runs", detail="full", retry_after=7)
    assert isinstance(error, ServiceLimited)
    assert (error.retry_after, error.retryable) == (7.0, True)
    later = failed(503, "12")
    assert isinstance(later, ServiceLimited)
    assert later.retry_after == 12.0


def test_a_failed_run_keeps_its_family() -> None:
    error = failed(409, code="run_failed", detail="no", cause="model_timeout")
    assert isinstance(error, RunFailed)
    assert error.family.code == "model_timeout"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[1]", b"<html>", b'{"code": 7, "detail": {"x": 1}}'])
def test_any_body_gives_a_typed_failure(body: bytes) -> None:
    assert isinstance(failure_of(500, body, retry_after="soon"), ServiceError)


def test_only_what_was_given_is_sent() -> None:
    assert Ask(question="Why?").body() == {"question": "Why?"}
    asked = Ask(question="Why?", web=False, python=False, usd=0.5, urls=("https://a.test/",), approve=True).body()
    assert asked == {
        "question": "Why?",
        "web": False,
        "python": False,
        "urls": ["https://a.test/"],
        "approve": True,
        "budget": {"usd": 0.5},
    }
