"""Statuses and waits in our own words."""

from __future__ import annotations

import pytest

from leadline.errors import (
    FetchFailed,
    FetchRateLimited,
    FetchRefused,
    FetchUnavailable,
    NotFound,
    ToolFailed,
)
from leadline.fetch.failures import of_status, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (404, NotFound, False),
        (410, NotFound, False),
        (401, FetchRefused, False),
        (403, FetchRefused, False),
        (451, FetchRefused, False),
        (408, FetchUnavailable, True),
        (429, FetchRateLimited, True),
        (500, FetchUnavailable, True),
        (503, FetchUnavailable, True),
        (204, FetchFailed, False),
        (206, FetchFailed, False),
        (304, FetchFailed, False),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[ToolFailed], retryable: bool) -> None:
    error = of_status("http://a.example/", status)
    assert type(error) is kind
    assert error.retryable is retryable
    assert str(status) in str(error)


def test_a_wait_makes_503_a_limit() -> None:
    error = of_status("http://a.example/", 503, retry_after=3.0)
    assert isinstance(error, FetchRateLimited)
    assert error.retry_after == 3.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("999999999999", 86_400.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:50", 30.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("Tue, 14 Nov 2099 22:00:00 GMT", 86_400.0),
        ("-5", None),
        ("٧", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_wait_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=NOW) == seconds
