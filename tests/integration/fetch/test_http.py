"""The client against a web that means it ill: every trap ends in a bounded page or a typed error."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest
from tests.support.certificates import Certificates
from tests.support.quick import within

from leadline.errors import (
    FetchFailed,
    FetchRateLimited,
    FetchRefused,
    FetchTimeout,
    FetchTooLarge,
    FetchUnavailable,
    FetchUnreadable,
    Forbidden,
    NotFound,
    SettingsError,
    ToolFailed,
)
from leadline.fetch.body import Sizes
from leadline.fetch.guard import Guard
from leadline.fetch.hosts import Hosts
from leadline.fetch.http import Fetcher, FetchLimits
from leadline.fetch.robots import RobotsPolicy
from leadline.resilience import SystemClock
from leadline.testing import FakeClock, HostileWeb, WebPage
from leadline.testing.web import ETAG

SMALL = FetchLimits(sizes=Sizes(text=100_000, whole=300_000), seconds=5.0)


@asynccontextmanager
async def client(
    guard: Guard,
    *,
    limits: FetchLimits = SMALL,
    robots: RobotsPolicy = "ignore",
    proxy: str | None = None,
    tls: ssl.SSLContext | None = None,
    per_host: Mapping[str, Mapping[str, str]] | None = None,
) -> AsyncIterator[Fetcher]:
    clock = SystemClock()
    hosts = Hosts(clock=clock, delay=0.0)
    async with Fetcher(
        guard, clock=clock, limits=limits, robots=robots, hosts=hosts, proxy=proxy, tls=tls, per_host=per_host
    ) as fetcher:
        yield fetcher


async def test_a_page_arrives_with_what_is_known_of_it(web: HostileWeb, guard: Guard) -> None:
    headers = {"ETag": '"x"', "Set-Cookie": "a=b"}
    web.pages["/a b"] = WebPage(body=b"<p>hello</p>", headers=headers)
    async with client(guard) as fetcher:
        page = await fetcher.fetch(web.url("/a b?q=1#frag"), deadline=5)
        assert (await fetcher.fetch(web.url("/a b"), deadline=5)).body == page.body
    assert (page.status, page.body, page.media_type, page.truncated) == (200, b"<p>hello</p>", "text/html", False)
    assert page.url == web.url("/a b?q=1#frag")
    assert page.final_url == web.url("/a%20b?q=1")
    assert page.headers["etag"] == '"x"'
    assert "set-cookie" not in page.headers
    assert abs(page.fetched_at - time.time()) < 60
    sent = web.requests[-1].headers
    assert sent["user-agent"].startswith("Leadline/")
    assert "cookie" not in sent


@pytest.mark.parametrize("trap", ["/gzip-bomb", "/brotli-bomb", "/endless"])
async def test_what_never_ends_is_cut_and_says_so(web: HostileWeb, guard: Guard, trap: str) -> None:
    async with client(guard) as fetcher:
        page = await fetcher.fetch(web.url(trap), deadline=5)
    assert page.truncated
    assert 90_000 < len(page.body) <= SMALL.sizes.text


@pytest.mark.parametrize(
    ("trap", "error"),
    [
        ("/gzip-twice", FetchUnreadable),
        ("/endless-pdf", FetchTooLarge),
        ("/huge-header", FetchFailed),
        ("/many-headers", FetchFailed),
        ("/no-http", FetchFailed),
        ("/cut", FetchUnavailable),
        ("/loop", FetchFailed),
        ("/redirect/6", FetchFailed),
        ("/status/404", NotFound),
        ("/status/410", NotFound),
        ("/status/401", FetchRefused),
        ("/status/403", FetchRefused),
        ("/status/500", FetchUnavailable),
        ("/status/204", FetchFailed),
        ("/status/206", FetchFailed),
        ("/status/302", FetchFailed),
        ("/image", FetchUnreadable),
        ("/nothing-here", NotFound),
    ],
)
async def test_traps_become_typed_errors(web: HostileWeb, guard: Guard, trap: str, error: type[ToolFailed]) -> None:
    async with client(guard) as fetcher:
        with pytest.raises(error) as caught:
            await fetcher.fetch(web.url(trap), deadline=5)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("trap", ["/drip", "/slow-headers", "/silence"])
async def test_slowness_ends_at_the_deadline(web: HostileWeb, guard: Guard, trap: str) -> None:
    async with client(guard) as fetcher:
        with within(1.5), pytest.raises(FetchTimeout):
            await fetcher.fetch(web.url(trap), deadline=0.3)


async def test_redirects_are_followed_a_few_times(web: HostileWeb, guard: Guard) -> None:
    async with client(guard) as fetcher:
        page = await fetcher.fetch(web.url("/redirect/5"), deadline=5)
    assert page.final_url == web.url("/redirect/0")
    assert len(web.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "//0x7f.2/",
        "http://[::ffff:10.0.0.1]/",
        "http://inner.example/",
        "http://user@site.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "http:\\\\10.0.0.1\\",
    ],
)
async def test_each_hop_is_guarded(web: HostileWeb, guard: Guard, location: str) -> None:
    web.names["inner.example"] = ["10.0.0.1"]
    async with client(guard) as fetcher:
        with pytest.raises(Forbidden):
            await fetcher.fetch(web.url(f"/to?location={quote(location)}"), deadline=5)
    assert len(web.requests) == 1


async def test_a_name_that_changes_its_answer_gains_nothing(web: HostileWeb, guard: Guard) -> None:
    """The address that is connected to is the one that was checked: there is no second look-up."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1"], ["127.0.0.1"]])
    web.names["rebind.example"] = lambda: next(answers)
    web.pages["/"] = WebPage(body=b"<p>x</p>", headers={"Connection": "close"})
    async with client(guard) as fetcher:
        await fetcher.fetch(web.url("/", host="rebind.example"), deadline=5)
        assert web.resolved == ["rebind.example"]
        for _ in range(2):
            with pytest.raises(Forbidden):
                await fetcher.fetch(web.url("/?again", host="rebind.example"), deadline=5)
    assert len(web.requests) == 1


async def test_an_address_is_checked_also_where_nobody_resolves(web: HostileWeb) -> None:
    """Literals never meet a resolver; the sockets themselves are guarded, whatever the client thinks."""
    closed = Guard(resolve=web.resolve)
    async with client(closed) as fetcher:
        fetcher._guard = Guard(allow_private=web.networks)
        with pytest.raises(Forbidden):
            await fetcher.fetch(f"http://127.0.0.1:{web.port}/", deadline=5)
        with pytest.raises(Forbidden):
            await fetcher.fetch(f"http://localhost:{web.port}/", deadline=5)
    assert web.requests == []


async def test_the_peer_is_checked_after_all(web: HostileWeb, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that ended up elsewhere (by a rule of the network, say) is given up unused."""
    async with client(guard) as fetcher:
        transport_info = asyncio.selector_events._SelectorTransport.get_extra_info  # type: ignore[attr-defined]  # the one loop in use

        def elsewhere(self: object, name: str, default: object = None) -> object:
            return ("10.0.0.9", 80) if name == "peername" else transport_info(self, name, default)

        monkeypatch.setattr(asyncio.selector_events._SelectorTransport, "get_extra_info", elsewhere)  # type: ignore[attr-defined]  # as above
        with pytest.raises(Forbidden, match=r"10\.0\.0\.9"):
            await fetcher.fetch(web.url("/"), deadline=5)


async def test_an_unchanged_page_need_not_travel_again(web: HostileWeb, guard: Guard) -> None:
    async with client(guard) as fetcher:
        first = await fetcher.fetch(web.url("/etag"), deadline=5)
        again = await fetcher.fetch(web.url("/etag"), deadline=5, validators=first.validators)
    assert first.validators.etag == ETAG
    assert not first.not_modified
    assert again.not_modified
    assert again.body == b""


async def test_304_to_nobodys_question_is_no_page(web: HostileWeb, guard: Guard) -> None:
    async with client(guard) as fetcher:
        with pytest.raises(FetchFailed):
            await fetcher.fetch(web.url("/status/304"), deadline=5)


async def test_a_host_that_asks_to_wait_is_left_alone(web: HostileWeb, guard: Guard) -> None:
    async with client(guard) as fetcher:
        with pytest.raises(FetchRateLimited) as first:
            await fetcher.fetch(web.url("/busy?after=60"), deadline=5)
        with pytest.raises(FetchRateLimited) as second:
            await fetcher.fetch(web.url("/redirect/0"), deadline=5)
        await fetcher.fetch(web.url("/redirect/0", host="other.example"), deadline=5)
    assert first.value.retry_after == 60.0
    assert second.value.retry_after is not None
    assert [request.path for request in web.requests] == ["/busy", "/redirect/0"]


async def test_robots_txt_is_obeyed_on_every_hop(web: HostileWeb, guard: Guard) -> None:
    web.pages["site.example/robots.txt"] = WebPage(body=b"User-agent: *\nDisallow: /private", content_type="text/plain")
    web.pages["/private"] = WebPage(body=b"secret")
    async with client(guard, robots="obey") as fetcher:
        with pytest.raises(Forbidden, match=r"robots\.txt"):
            await fetcher.fetch(web.url("/private"), deadline=5)
        with pytest.raises(Forbidden, match=r"robots\.txt"):
            await fetcher.fetch(web.url("/to?location=/private"), deadline=5)
        assert (await fetcher.fetch(web.url("/private", host="free.example"), deadline=5)).body == b"secret"
    assert len(web.asked("/robots.txt")) == 2
    async with client(guard) as fetcher:
        assert (await fetcher.fetch(web.url("/private"), deadline=5)).body == b"secret"


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("/endless", None),
        ("/image", None),
        ("/drip", FetchUnavailable),
        ("/no-http", FetchUnavailable),
        ("/loop", None),
        ("/status/503", Forbidden),
        ("http://10.0.0.1/", Forbidden),
    ],
)
async def test_robots_txt_is_no_trap_either(
    web: HostileWeb, guard: Guard, location: str, error: type[ToolFailed] | None
) -> None:
    web.pages["/"] = WebPage(body=b"<p>x</p>")
    web.pages["/robots.txt"] = WebPage(status=302, headers={"Location": location})
    async with client(guard, robots="obey", limits=FetchLimits(seconds=5.0, robots=0.3)) as fetcher:
        if error is None:
            assert (await fetcher.fetch(web.url("/"), deadline=5)).status == 200
            return
        with pytest.raises(error):
            await fetcher.fetch(web.url("/"), deadline=5)


async def test_the_operators_headers_do_not_travel_with_a_redirect(web: HostileWeb, guard: Guard) -> None:
    there = quote(web.url("/redirect/0", host="other.example"))
    key = f"http://site.example:{web.port}"
    async with client(guard, per_host={key: {"Authorization": "Bearer k"}}) as fetcher:
        await fetcher.fetch(web.url(f"/to?location={there}"), deadline=5)
    assert [request.headers.get("authorization") for request in web.requests] == ["Bearer k", None]


async def test_requests_to_one_host_are_paced(web: HostileWeb, guard: Guard) -> None:
    clock = FakeClock(auto=True)
    hosts = Hosts(clock=clock, delay=2.0, monotonic=clock.monotonic)
    async with Fetcher(guard, clock=clock, hosts=hosts, robots="ignore") as fetcher:
        for path in ("/redirect/2", "/redirect/0"):
            await fetcher.fetch(web.url(path), deadline=5)
    assert clock.slept == [2.0]


async def test_tls_names_the_host_and_its_certificate_must_fit(certificates: Certificates) -> None:
    async with HostileWeb({"/": WebPage(body=b"<p>x</p>")}, tls=certificates.server("site.example")) as web:
        guard = Guard(allow_private=web.networks, resolve=web.resolve)
        async with client(guard, tls=certificates.client()) as fetcher:
            assert (await fetcher.fetch(web.url("/"), deadline=5)).body == b"<p>x</p>"
            with pytest.raises(FetchFailed, match="certificate"):
                await fetcher.fetch(web.url("/", host="other.example"), deadline=5)
        async with client(guard) as fetcher:
            with pytest.raises(FetchFailed, match="certificate"):
                await fetcher.fetch(web.url("/"), deadline=5)


async def test_a_proxy_of_the_operators_is_used_after_the_guard(web: HostileWeb) -> None:
    web.pages["good.example/x"] = WebPage(body=b"<p>through the proxy</p>")
    web.names |= {"good.example": ["93.184.215.14"], "inner.example": ["10.0.0.1"]}
    guard = Guard(resolve=web.resolve)
    async with client(guard, proxy=f"http://127.0.0.1:{web.port}") as fetcher:
        page = await fetcher.fetch("http://good.example/x", deadline=5)
        assert page.body == b"<p>through the proxy</p>"
        assert web.requests[-1].target == "http://good.example/x"
        for url in ("http://inner.example/", "http://10.0.0.1/", "http://127.0.0.1/"):
            with pytest.raises(Forbidden):
                await fetcher.fetch(url, deadline=5)
    assert len(web.requests) == 1
    with pytest.raises(SettingsError):
        Fetcher(guard, clock=SystemClock(), proxy="socks5://127.0.0.1")


async def test_a_dead_host_is_unavailable(guard: Guard, web: HostileWeb) -> None:
    port = web.port
    await web.__aexit__(None, None, None)
    async with client(guard) as fetcher:
        with pytest.raises(FetchUnavailable):
            await fetcher.fetch(f"http://site.example:{port}/", deadline=5)


async def test_giving_up_leaves_nothing_behind(web: HostileWeb, guard: Guard) -> None:
    async with client(guard) as fetcher:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(fetcher.fetch(web.url("/drip"), deadline=5), 0.1)
        assert (await fetcher.fetch(web.url("/redirect/0"), deadline=5)).status == 200
