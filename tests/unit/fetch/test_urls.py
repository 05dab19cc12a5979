"""Reading addresses: one meaning, or none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from leadline.errors import Forbidden
from leadline.fetch.urls import MOST_CHARS, Target, join, parse, shortened

CANONICAL = {
    "http://Example.ORG": "http://example.org/",
    "HTTPS://example.org:443/a#b": "https://example.org/a",
    "http://example.org:8080": "http://example.org:8080/",
    "http://example.org:/x": "http://example.org/x",
    "http://example.org./x": "http://example.org/x",
    "http://example.org?q=a b": "http://example.org/?q=a%20b",
    "http://example.org/a/./b/../c/%2e%2E/d": "http://example.org/a/d",
    "http://example.org/a/..": "http://example.org/",
    "http://example.org/../../a/.": "http://example.org/a/",
    "http://example.org/测深?q=绳": "http://example.org/%E6%B5%8B%E6%B7%B1?q=%E7%BB%B3",
    "http://example.org/%41%2F%zz": "http://example.org/%41%2F%zz",
    "http://example.org/a//b": "http://example.org/a//b",
    "http://bücher.example/": "http://xn--bcher-kva.example/",
    "http://BÜCHER.example/": "http://xn--bcher-kva.example/",
    "http://xn--bcher-kva.example/": "http://xn--bcher-kva.example/",
    "http://ex%61mple.org/": "http://example.org/",
    "http://ｅｘａｍｐｌｅ。org/": "http://example.org/",
    "http://my_host.example/": "http://my_host.example/",
    "http://134744072/": "http://8.8.8.8/",
    "http://0x08.010.2056/": "http://8.8.8.8/",
    "http://8.8.8.8./": "http://8.8.8.8/",
    "http://[2606:4700:0:0::1111]/": "http://[2606:4700::1111]/",
    " http://example.org/ ": "http://example.org/",
}
REFUSED = [
    "",
    "example.org",
    "//example.org/",
    "http:example.org",
    "http:/example.org/",
    "http:///example.org/",
    "http://",
    "http://:80/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://user@example.org/",
    "http://user:pass@example.org/",
    "http://@example.org/",
    "http://example.org@10.0.0.1/",
    "http://example.org\\@10.0.0.1/",
    "http://example.org/a\\b",
    "http:\\\\example.org\\",
    "http://example.org/\r\nHost: a",
    "http://example.org/\x00",
    "http://exam\tple.org/",
    "http://exa mple.org/",
    "http://example.org:99999/",
    "http://example.org:0/",
    "http://example.org:+80/",
    "http://example.org:８０/",
    "http://example.org:80:80/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[v1.a]/",
    "http://::1/",
    "http://example..org/",
    "http://.example.org/",
    "http://example.org../",
    "http://-example.org/",
    f"http://{'a' * 64}.org/",
    f"http://{'a.' * 130}org/",
    "http://1.2.3.4.5/",
    "http://1.2.3.256/",
    "http://4294967296/",
    "http://0x100000000/",
    "http://1.2.3.08/",
    "http://a.1/",
    "http://xn--bcher-kvb.example/",
    "http://xn--example/",
    "http://xn--a/",
    "http://exa%2fmple.org/",
    "http://exa%00mple.org/",
    "http://%ff.org/",
    "http://\u2100.example.org/x",
    "http://example.org/" + "a" * MOST_CHARS,
]


@pytest.mark.parametrize("given_url", CANONICAL)
def test_an_address_has_one_form(given_url: str) -> None:
    target = parse(given_url)
    assert target.url == CANONICAL[given_url]
    assert parse(target.url) == target


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_ambiguous_is_refused(url: str) -> None:
    with pytest.raises(Forbidden) as error:
        parse(url)
    assert str(error.value).isprintable()


def test_a_target_knows_its_origin() -> None:
    assert parse("http://example.org:80/a?b").origin == "http://example.org"
    assert parse("https://example.org:80/a?b").origin == "https://example.org:80"
    assert parse("http://[::1]:81/").origin == "http://[::1]:81"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/x", "https://a.example/x"),
        ("x?y", "https://a.example/b/x?y"),
        ("//b.example", "https://b.example/"),
        ("?q", "https://a.example/b/c?q"),
        ("#f", "https://a.example/b/c"),
        ("http://b.example/x y", "http://b.example/x%20y"),
    ],
)
def test_redirects_are_joined(location: str, expected: str) -> None:
    assert join(parse("https://a.example/b/c"), location).url == expected


@pytest.mark.parametrize(
    "location", ["//user@b.example/", "\\\\b.example", "http:\\b", "ftp://b.example/", "/a\nb", "http://[", "data:,x"]
)
def test_malformed_redirects_are_refused(location: str) -> None:
    with pytest.raises(Forbidden):
        join(parse("https://a.example/b/c"), location)


def test_messages_are_short_and_printable() -> None:
    assert (
        shortened("a\x1b[31m\u202e" + "b" * 300)
        == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}" + "b" * 192 + "…"
    )


URLISH = st.text(st.sampled_from("htps:/@\\[]%.?#0x7fa1-_ \t\u3002\uff0eß\u200d测"), max_size=40)
AFTER = st.one_of(URLISH, st.text(max_size=40))


@given(st.one_of(AFTER, AFTER.map(lambda rest: f"http://{rest}"), AFTER.map(lambda rest: f"https://a.b{rest}")))
def test_whatever_passes_means_the_same_to_the_client(url: str) -> None:
    try:
        target = parse(url)
    except Forbidden:
        return
    assert parse(target.url) == target
    assert_same(target)


def assert_same(target: Target) -> None:
    """The HTTP client must take the canonical form for the very host and port that were judged."""
    read = URL(target.url, encoded=True)
    assert (read.scheme, read.raw_host, read.port) == (target.scheme, target.host, target.port)
    assert read.user is None
    assert re.fullmatch(r"[\x21-\x7e]+", target.url)
