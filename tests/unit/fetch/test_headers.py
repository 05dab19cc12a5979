"""What is sent along, and to whom."""

from __future__ import annotations

import pytest

from leadline.errors import SettingsError
from leadline.fetch.headers import RequestHeaders, Validators, kept
from leadline.fetch.http import user_agent
from leadline.fetch.urls import parse

HEADERS = RequestHeaders(
    agent="Leadline/1",
    per_host={"wiki.example": {"Authorization": "Bearer k"}, "http://old.example:8080": {"X-Key": "k"}},
)


@pytest.mark.parametrize(
    ("url", "name", "sent"),
    [
        ("https://wiki.example/a", "Authorization", True),
        ("https://WIKI.example:443/a", "Authorization", True),
        ("http://wiki.example/a", "Authorization", False),
        ("https://wiki.example:8443/a", "Authorization", False),
        ("https://www.wiki.example/a", "Authorization", False),
        ("https://wiki.example.evil.example/a", "Authorization", False),
        ("http://old.example:8080/", "X-Key", True),
        ("https://old.example:8080/", "X-Key", False),
    ],
)
def test_the_operators_headers_go_to_their_origin_alone(url: str, name: str, sent: bool) -> None:
    assert (name in HEADERS.of(parse(url))) is sent


@pytest.mark.parametrize(
    "headers",
    [{"Host": "a"}, {"transfer-encoding": "chunked"}, {"X Y": "a"}, {"X": "a\r\nY: b"}, {"Ü": "a"}, {"": "a"}],
)
def test_headers_that_would_break_the_message_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        RequestHeaders(agent="a", per_host={"a.example": headers})


@pytest.mark.parametrize("key", ["ftp://a.example", "a b", "user@a.example"])
def test_what_is_no_host_is_refused(key: str) -> None:
    with pytest.raises(SettingsError):
        RequestHeaders(agent="a", per_host={key: {"X": "a"}})


def test_validators_become_conditions() -> None:
    sent = HEADERS.of(parse("https://a.example/"), validators=Validators(etag='"x"', last_modified="yesterday\r\n"))
    assert sent["If-None-Match"] == '"x"'
    assert "If-Modified-Since" not in sent


def test_few_response_headers_are_kept_and_short() -> None:
    found = kept({"etag": "a" * 5_000, "set-cookie": "secret", "content-type": "text/html"})
    assert found == {"etag": "a" * 1_000, "content-type": "text/html"}


def test_the_agent_names_a_contact() -> None:
    assert user_agent("https://a.example/bot").endswith("(+https://a.example/bot)")
    assert user_agent("").startswith("Leadline/")
    for contact in ("a\r\nb", "ü", "a)"):
        with pytest.raises(SettingsError):
            user_agent(contact)
