"""What refusals mean, in the words of real servers; integration tests send the most of them."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from leadline.errors import ContextOverflow, ModelBroken, ModelDenied, ModelRateLimited, ModelUnavailable
from leadline.model.failures import Redactor, Refused, failure, failure_in_stream, retry_after

PLAIN = Redactor()


@pytest.mark.parametrize(
    ("status", "body", "window"),
    [
        (
            400,
            '{"detail": "Requested token count exceeds the model\'s maximum context length of 40960 tokens."}',
            40960,
        ),
        (400, '{"error": "max_tokens must be at least 1, got -186."}', None),
        (
            400,
            '{"error": {"message": "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens)."}}',
            59862,
        ),
        (500, '{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}', None),
        (422, '{"error": "`inputs` must have less than 1024 tokens. Given: 1168", "error_type": "validation"}', 1024),
        (400, '{"error": {"message": "Requested tokens (2285) exceed context window of 2048"}}', 2048),
        (400, '{"error": {"message": "prompt is too long: 205668 tokens > 200000 maximum"}}', 200000),
        (413, "<html><title>413 Request Entity Too Large</title></html>", None),
        (400, '{"error": {"code": "context_length_exceeded", "message": "too long"}}', None),
    ],
)
def test_overflow(status: int, body: str, window: int | None) -> None:
    error = failure(status, body.encode(), server="s", redact=PLAIN)
    assert isinstance(error, ContextOverflow)
    assert error.window == window


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"message": "The context of the question is unclear"}}',
        '{"error": {"message": "maximum number of images is 4"}}',
        "",
        "[]",
        "null",
        '{"error": null}',
        '{"error": {"message": {"nested": 1}}}',
    ],
)
def test_other_refusals_are_no_overflow(body: str) -> None:
    assert isinstance(failure(400, body.encode(), server="s", redact=PLAIN), Refused)


def test_a_page_of_html_loses_its_tags_and_its_length() -> None:
    page = "<html><head><title>502 Bad Gateway</title></head><body>" + "<hr>word " * 500
    error = failure(502, page.encode(), server="s", redact=PLAIN)
    assert isinstance(error, ModelUnavailable)
    assert "502 Bad Gateway" in str(error)
    assert "<" not in str(error)
    assert len(str(error)) < 400


def test_keys_never_reach_a_message() -> None:
    secret = "very secret value"
    redact = Redactor(secret, None)
    text = f'{{"error": {{"message": "bad key {secret} and sk-proj-abcdef123456 in Bearer abc123def456"}}}}'
    told = str(failure(401, text.encode(), server="s", redact=redact))
    assert "secret" not in told
    assert "abcdef123456" not in told
    assert "abc123def456" not in told
    assert "secret" not in repr(redact)


def test_errors_inside_a_stream() -> None:
    def of(value: dict[str, object]) -> type[Exception]:
        return type(failure_in_stream({"error": value}, server="s", redact=PLAIN))

    assert of({"message": "engine died", "type": "server_error"}) is ModelBroken
    assert of({"message": "maximum context length is 10 tokens", "code": 400}) is ContextOverflow
    assert of({"message": "slow down", "code": 429}) is ModelRateLimited
    assert of({"message": "who are you", "code": 401}) is ModelDenied
    assert of({"message": "odd", "code": 400}) is ModelBroken


def test_retry_after_in_every_form() -> None:
    now = 1_700_000_000.0
    assert retry_after({"Retry-After": "3"}, now=now) == 3.0
    assert retry_after({"Retry-After": "1.5"}, now=now) == 1.5
    assert retry_after({"retry-after-ms": "250"}, now=now) == 0.25
    assert retry_after({"Retry-After": formatdate(now + 30, usegmt=True)}, now=now) == pytest.approx(30)
    assert retry_after({"Retry-After": formatdate(now - 30, usegmt=True)}, now=now) == 0.0
    for odd in ("", "soon", "-1", "nan", "inf", "1e99"):
        assert retry_after({"Retry-After": odd}, now=now) is None
