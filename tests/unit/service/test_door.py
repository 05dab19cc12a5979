"""Where a request comes from, and what of it is believed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from leadline.service.door import Door, bearer, cookie, same_origin
from leadline.settings import ServiceSettings, Settings


def scope(client: str = "203.0.113.7", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "scheme": "http", "client": (client, 1), "headers": pairs}


def door(*proxies: str) -> Door:
    settings = Settings(service=ServiceSettings(proxies=proxies))
    nobody: Any = cast("Any", None)
    return Door(accounts=nobody, gate=nobody, settings=settings, local=False, now=lambda: 0.0)


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # no balancer of ours: it may say what it likes
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("10.0.0.2", "192.0.2.66, 198.51.100.1", "198.51.100.1"),  # the first is what the client made up
        ("10.0.0.2", "unknown", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
    ],
)
def test_a_clients_address_is_what_trusted_balancers_say(client: str, forwarded: str, address: str) -> None:
    assert door("10.0.0.0/8").source(scope(client, X_Forwarded_For=forwarded)) == address


def test_tls_is_what_trusted_balancers_say() -> None:
    asked = {"X_Forwarded_Proto": "https"}
    assert door("10.0.0.0/8").secure(scope("10.0.0.2", **asked))
    assert not door("10.0.0.0/8").secure(scope("203.0.113.7", **asked))
    assert not door().secure(scope("10.0.0.2", **asked))


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({}, True),
        ({"Origin": "http://here.test:8000", "Host": "here.test:8000"}, True),
        ({"Origin": "http://evil.test", "Host": "here.test:8000"}, False),
        ({"Origin": "null", "Host": "here.test:8000"}, False),
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "none"}, True),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
    ],
)
def test_pages_of_other_origins_are_told_by_the_browser(headers: dict[str, str], own: bool) -> None:
    assert same_origin(scope(**headers)) is own


@pytest.mark.parametrize(
    ("sent", "credential"),
    [
        ("Bearer ll_a", "ll_a"),
        ("bearer  ll_a ", "ll_a"),
        ("Basic ll_a", ""),
        ("ll_a", ""),
        ("", ""),
    ],
)
def test_credentials_come_as_bearer(sent: str, credential: str) -> None:
    assert bearer(scope(Authorization=sent)) == credential


@pytest.mark.parametrize("sent", ["", "a=b", "__Host-leadline", "\x00=;;;=", "x=__Host-leadline=1"])
def test_a_cookie_that_is_none_is_none(sent: str) -> None:
    assert cookie(scope(Cookie=sent)) == ""


def test_a_cookie_is_read() -> None:
    assert cookie(scope(Cookie="a=b; __Host-leadline=ll_x; c=d")) == "ll_x"
