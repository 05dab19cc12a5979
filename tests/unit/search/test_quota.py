"""What is left of a key, as three services tell it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leadline.errors import ProviderBroken
from leadline.search.web.quota import Quota, account_request, quota_of
from leadline.wire.http import Reply


def reply(body: Any) -> Reply:
    return Reply(status=200, headers={}, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("name", "body", "quota"),
    [
        ("serper", {"balance": 2_492, "rateLimit": 5}, Quota(left=2_492)),
        ("serper", {"rateLimit": 5}, Quota()),
        ("serpapi", {"total_searches_left": 90, "plan_searches_left": 80}, Quota(left=90)),
        ("serpapi", {"plan_searches_left": 80}, Quota(left=80)),
        ("tavily", {"key": {"usage": 150, "limit": 1_000}}, Quota(left=850, of=1_000)),
        (
            "tavily",
            {"key": {"usage": 0, "limit": None}, "account": {"plan_usage": 990, "plan_limit": 1_000}},
            Quota(left=10, of=1_000),
        ),
        (
            "tavily",
            {"key": {"usage": 5, "limit": 10}, "account": {"plan_usage": 990, "plan_limit": 1_000}},
            Quota(left=5, of=10),
        ),
        ("tavily", {"account": {"plan_usage": 1_200, "plan_limit": 1_000}}, Quota(left=0, of=1_000)),
        ("tavily", {"key": True, "account": []}, Quota()),
    ],
)
def test_what_is_left(name: str, body: Any, quota: Quota) -> None:
    assert quota_of(name, reply(body)) == quota


def test_what_is_no_account_is_no_quota() -> None:
    with pytest.raises(ProviderBroken):
        quota_of("serper", Reply(status=200, headers={"content-type": "text/html"}, body=b"<html>"))


def test_keys_travel_as_each_service_wants_them() -> None:
    serper, serpapi, tavily = (account_request(name, "k") for name in ("serper", "serpapi", "tavily"))
    assert serper is not None
    assert serpapi is not None
    assert tavily is not None
    assert (serper.url, serper.headers) == ("https://google.serper.dev/account", {"X-API-KEY": "k"})
    assert (serpapi.url, serpapi.params) == ("https://serpapi.com/account.json", {"api_key": "k"})
    assert (tavily.url, tavily.headers) == ("https://api.tavily.com/usage", {"Authorization": "Bearer k"})
    own = account_request("serper", "k", base_url="http://127.0.0.1:9/")
    assert own is not None
    assert own.url == "http://127.0.0.1:9/account"
    assert account_request("brave", "k") is None
