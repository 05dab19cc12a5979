"""What every provider of web search promises: filters really sent, and every reply results or a typed error.

The replies are written by hand after the providers' documentation; they come over HTTP from loopback.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.quick import within
from tests.support.services import Answer, Asked, FakeService, fake_service

from leadline.errors import (
    LimitReached,
    ProviderBroken,
    ProviderDenied,
    ProviderFailed,
    ProviderLimited,
    ProviderUnavailable,
    ToolFailed,
)
from leadline.limits.memory import MemoryLedger
from leadline.limits.turns import ServiceTurns
from leadline.limits.waiting import GcraLimiter
from leadline.ports import Found, Query
from leadline.search.web.brave import Brave
from leadline.search.web.ddgs import Ddgs
from leadline.search.web.engine import WebSearch
from leadline.search.web.exa import Exa
from leadline.search.web.failover import Failover
from leadline.search.web.jina import Jina
from leadline.search.web.searxng import SearxNG
from leadline.search.web.serpapi import SerpApi
from leadline.search.web.serper import Serper
from leadline.search.web.tavily import Tavily
from leadline.search.web.types import Provider
from leadline.search.web.wikipedia import Wikipedia
from leadline.service.mcp.tools import hits_told
from leadline.wire.http import AiohttpHttp, Reply
from leadline.wire.keys import KeyRing

NOW = 1_767_225_600.0  # 2026-01-01
FULL = Query(
    text="harbour depth",
    limit=5,
    sites=("a.example", "b.example"),
    exclude=("c.example",),
    since="2024-03-01",
    year=2024,
)
SITES = "harbour depth (site:a.example OR site:b.example) -site:c.example"


class Case(NamedTuple):
    """A provider, a good reply, what is in it, and the request that the full query becomes."""

    make: Any
    reply: Any
    uris: list[str]
    published: list[str | None]
    key_header: str
    sent: dict[str, Any]
    ignored: tuple[str, ...] = ()
    empty: Any = None


CASES = {
    "serper": Case(
        Serper,
        {
            "searchParameters": {"q": "x"},
            "answerBox": {"title": "Depth", "answer": "11 m", "link": "https://a.example/box"},
            "organic": [
                {"title": "One", "link": "https://a.example/1", "snippet": "s", "date": "Mar 5, 2024", "position": 1},
                {"title": None, "link": "https://a.example/2", "snippet": None},
                {"title": "No link"},
                "rubbish",
            ],
        },
        ["https://a.example/box", "https://a.example/1", "https://a.example/2"],
        [None, "2024-03-05", None],
        "x-api-key",
        {"q": SITES, "num": 5, "gl": "us", "hl": "en", "tbs": "cdr:1,cd_min:3/1/2024,cd_max:12/31/2024"},
        empty={"searchParameters": {}, "organic": None},
    ),
    "tavily": Case(
        Tavily,
        {"results": [{"url": "https://a.example/1", "title": "One", "content": "c", "published_date": "2024-05-01"}]},
        ["https://a.example/1"],
        ["2024-05-01"],
        "authorization",
        {
            "query": "harbour depth",
            "max_results": 5,
            "search_depth": "basic",
            "include_domains": ["a.example", "b.example"],
            "exclude_domains": ["c.example"],
            "start_date": "2024-03-01",
            "end_date": "2024-12-31",
        },
        empty={"results": []},
    ),
    "brave": Case(
        Brave,
        {
            "type": "search",
            "web": {"results": [{"url": "https://a.example/1", "title": "One", "page_age": "2024-05-01T01:02:03"}]},
        },
        ["https://a.example/1"],
        ["2024-05-01"],
        "x-subscription-token",
        {
            "q": SITES,
            "count": "5",
            "search_lang": "en",
            "country": "us",
            "text_decorations": "false",
            "freshness": "2024-03-01to2024-12-31",
        },
        empty={"type": "search", "query": {"original": "x"}},
    ),
    "exa": Case(
        Exa,
        {
            "results": [
                {
                    "url": "https://a.example/1",
                    "title": None,
                    "highlights": ["x", "y"],
                    "publishedDate": "2024-05-01T00:00:00.000Z",
                }
            ]
        },
        ["https://a.example/1"],
        ["2024-05-01"],
        "x-api-key",
        {
            "query": "harbour depth",
            "numResults": 5,
            "type": "auto",
            "userLocation": "US",
            "contents": {"highlights": True, "text": {"maxCharacters": 1000}},
            "includeDomains": ["a.example", "b.example"],
            "excludeDomains": ["c.example"],
            "startPublishedDate": "2024-03-01T00:00:00.000Z",
            "endPublishedDate": "2024-12-31T23:59:59.999Z",
        },
        empty={"results": []},
    ),
    "searxng": Case(
        SearxNG,
        {
            "results": [
                {
                    "url": "https://a.example/1",
                    "title": "One",
                    "content": "c",
                    "publishedDate": "Mon, 06 May 2024 15:04:05 GMT",
                },
                {"url": "https://a.example/old", "title": "Old", "content": "c", "publishedDate": "2023-01-01"},
                {"url": "https://c.example/x", "title": "Excluded"},
                {"url": "https://other.example/x", "title": "Elsewhere"},
            ]
        },
        ["https://a.example/1"],
        ["2024-05-06"],
        "",
        {"q": SITES, "format": "json", "language": "en-US", "safesearch": "0"},
        ("since", "year"),
        empty={"results": []},
    ),
    "jina": Case(
        Jina,
        {
            "code": 200,
            "data": [
                {
                    "url": "https://a.example/1",
                    "title": "One",
                    "description": "d",
                    "date": "Oct 17, 2024",
                    "content": "",
                }
            ],
        },
        ["https://a.example/1"],
        ["2024-10-17"],
        "authorization",
        {"q": SITES, "num": "5", "gl": "US", "hl": "en"},
        ("since", "year"),
        empty={"code": 200, "data": []},
    ),
    "serpapi": Case(
        SerpApi,
        {"organic_results": [{"link": "https://a.example/1", "title": "One", "snippet": "s", "date": "May 1, 2024"}]},
        ["https://a.example/1"],
        ["2024-05-01"],
        "authorization",
        {
            "engine": "google",
            "q": SITES,
            "num": "5",
            "gl": "us",
            "hl": "en",
            "tbs": "cdr:1,cd_min:03/01/2024,cd_max:12/31/2024",
        },
        empty={"search_information": {}, "search_metadata": {}},
    ),
    "wikipedia": Case(
        Wikipedia,
        {
            "query": {
                "general": {"base": "https://en.a.example/wiki/Main_Page"},
                "search": [
                    {"title": "Lead line (depth)", "snippet": 'the <span class="searchmatch">lead</span> &amp; line'}
                ],
            }
        },
        ["https://en.a.example/wiki/Lead_line_(depth)"],
        [None],
        "",
        {"action": "query", "list": "search", "srsearch": "harbour depth", "srlimit": "5"},
        ("since", "year"),
        empty={"query": {"general": {}, "search": []}},
    ),
}
KEYED = [name for name, case in CASES.items() if case.key_header]


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with fake_service() as service:
        yield service


@pytest.fixture
async def http() -> AsyncIterator[AiohttpHttp]:
    async with AiohttpHttp.open(contact="tests@example.org", most_bytes=100_000) as http:
        yield http


def engine(name: str, service: FakeService, http: AiohttpHttp, **more: Any) -> WebSearch:
    keys = more.pop("keys", ("the-key",) if CASES[name].key_header else ())
    return WebSearch(CASES[name].make(service.url), http, now=lambda: NOW, keys=KeyRing(name, keys), **more)


def sent(asked: Asked) -> dict[str, Any]:
    return dict(asked.json) if asked.json is not None else dict(asked.query)


# --------------------------------------------------------------------------------- requests, results


@pytest.mark.parametrize("name", CASES)
async def test_filters_are_sent_and_results_typed(name: str, service: FakeService, http: AiohttpHttp) -> None:
    case = CASES[name]
    service.answers = [Answer(case.reply)]
    found = await engine(name, service, http).search(FULL, deadline=5)
    [asked] = service.asked
    assert {key: sent(asked).get(key) for key in case.sent} == case.sent
    if case.key_header:
        assert asked.headers[case.key_header].removeprefix("Bearer ") == "the-key"
        assert set(sent(asked)) == set(case.sent)
    assert [hit.uri for hit in found.hits] == case.uris
    assert [hit.published for hit in found.hits] == case.published
    assert [(hit.rank, hit.provider) for hit in found.hits] == [(n + 1, name) for n in range(len(case.uris))]
    assert found.ignored == case.ignored
    assert "the-key" not in str(asked.path) + str(asked.query)
    assert "tests@example.org" in asked.headers["user-agent"]


@pytest.mark.parametrize("name", CASES)
async def test_without_filters_none_are_sent_and_none_ignored(
    name: str, service: FakeService, http: AiohttpHttp
) -> None:
    service.answers = [Answer(CASES[name].empty)]
    found = await engine(name, service, http).search(Query(text="harbour depth"), deadline=5)
    assert found == Found(hits=())
    told = json.dumps(sent(service.asked[0]))
    assert not any(word in told for word in ("site:", "20", "tbs", "freshness", "omain", "Date", "_date"))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("text", "language", "country"),
    [("港口 水深", "zh", "cn"), ("港の深さ", "ja", "jp"), ("항구 깊이", "ko", "kr"), ("глубина гавани", "ru", "ru")],
)
async def test_language_and_region_follow_the_script(
    name: str, text: str, language: str, country: str, service: FakeService, http: AiohttpHttp
) -> None:
    service.answers = [Answer(CASES[name].empty)]
    provider = Wikipedia(service.url + "/{language}") if name == "wikipedia" else None
    search = WebSearch(provider, http, now=lambda: NOW) if provider else engine(name, service, http)
    await search.search(Query(text=text, language="en"), deadline=5)
    asked = service.asked[0]
    told = f"{asked.path} {json.dumps(sent(asked))}".lower()
    if name == "tavily":  # it takes neither
        return
    own = {"zh": "zh", "ja": "jp" if name == "brave" else "ja"}.get(language, language)
    assert f'"{country}"' in told or f'{language}-{country}"' in told or f"/{language}/" in told
    assert name == "exa" or own in told


async def test_what_pages_had_escaped_is_told_as_people_read_it(service: FakeService, http: AiohttpHttp) -> None:
    title = "Tom &amp; Jerry &lt;img src=x onerror=alert(1)&gt;"
    found = {"url": "https://a.example/", "title": title, "content": "5&nbsp;m &lt; 6&#160;m &amp;lt; &#8230;"}
    service.answers = [Answer({"results": [found]})]
    (hit,) = (await engine("searxng", service, http).search(Query(text="x"), deadline=5)).hits
    assert hit.title == "Tom & Jerry <img src=x onerror=alert(1)>"
    assert hit.snippet == "5 m < 6 m &lt; …"
    told = hits_told([{"title": hit.title, "uri": hit.uri, "snippet": hit.snippet}])
    assert "<img" not in told


@pytest.mark.parametrize("name", CASES)
async def test_no_more_than_the_limit_and_each_address_once(name: str, service: FakeService, http: AiohttpHttp) -> None:
    reply = json.loads(json.dumps(CASES[name].reply))
    _multiply(reply)
    service.answers = [Answer(reply)]
    found = await engine(name, service, http).search(Query(text="harbour depth", limit=1), deadline=5)
    assert len(found.hits) == 1


def _multiply(value: Any) -> None:
    for inner in value.values() if isinstance(value, dict) else ():
        if isinstance(inner, list):
            inner.extend(list(inner))
        _multiply(inner)


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\ud800 \x00 depth", '"; DROP --', "x" * 5_000])
@pytest.mark.parametrize("name", CASES)
async def test_no_text_breaks_a_request(name: str, text: str, service: FakeService, http: AiohttpHttp) -> None:
    service.answers = [Answer(CASES[name].empty)]
    found = await engine(name, service, http).search(Query(text=text), deadline=5)
    assert found.hits == ()
    assert len(service.asked) == (1 if text.strip("\x00 ") else 0)


# -------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer({"message": "Unauthorized."}, 401), ProviderDenied),
        (Answer({"error": "payment"}, 402), ProviderDenied),
        (Answer({}, 403), ProviderDenied),
        (Answer({"results": []}, 429), ProviderLimited),
        (Answer({}, 500), ProviderUnavailable),
        (Answer({}, 503, {"Retry-After": "7"}), ProviderLimited),
        (Answer({}, 400), ProviderBroken),
        (Answer({}, 302, {"Location": "https://elsewhere.example/"}), ProviderBroken),
        (Answer(b"<html><h1>502</h1></html>", 200, {"Content-Type": "text/html"}), ProviderBroken),
        (Answer(b"", 200), ProviderBroken),
        (Answer([], 200), ProviderBroken),
        (Answer({"hello": "world"}, 200), ProviderBroken),
        (Answer(b"{" * 100_001, 200), ProviderBroken),
        (Answer(b"\x1f\x8b broken", 200, {"Content-Encoding": "gzip"}), ProviderBroken),
    ],
    ids=range(14),
)
async def test_a_failure_is_typed_and_never_looks_like_nothing(
    name: str, answer: Answer, error: type[ProviderFailed], service: FakeService, http: AiohttpHttp
) -> None:
    service.answers = [answer]
    with pytest.raises(ProviderFailed) as failed:
        await engine(name, service, http).search(Query(text="depth"), deadline=5)
    assert type(failed.value) is error
    assert "the-key" not in str(failed.value)
    if isinstance(failed.value, ProviderLimited) and answer.headers:
        assert failed.value.retry_after == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("serper", Answer({"message": "Not enough credits", "statusCode": 400}, 400)),
        ("tavily", Answer({"detail": {"error": "plan"}}, 432)),
        ("wikipedia", Answer({"error": {"code": "ratelimited"}}, 200, {"Retry-After": "3"})),
    ],
)
async def test_what_single_providers_call_a_limit(
    name: str, answer: Answer, service: FakeService, http: AiohttpHttp
) -> None:
    service.answers = [answer]
    with pytest.raises((ProviderDenied, ProviderLimited)):
        await engine(name, service, http).search(Query(text="depth"), deadline=5)


async def test_engines_that_were_silent_are_not_nothing_found(service: FakeService, http: AiohttpHttp) -> None:
    service.answers = [Answer({"results": [], "unresponsive_engines": [["google", "CAPTCHA"]]})]
    with pytest.raises(ProviderBroken):
        await engine("searxng", service, http).search(Query(text="depth"), deadline=5)


async def test_a_silent_service_and_a_dead_one(http: AiohttpHttp) -> None:
    import asyncio  # noqa: PLC0415 only here

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    search = WebSearch(SearxNG(f"http://127.0.0.1:{port}"), http, now=lambda: NOW)
    with within(1), pytest.raises(ProviderUnavailable):
        await search.search(Query(text="depth"), deadline=0.2)
    server.close()
    await server.wait_closed()
    with pytest.raises(ProviderUnavailable):
        await search.search(Query(text="depth"), deadline=5)


# ------------------------------------------------------------------------------------- keys and limits


async def test_a_refused_key_makes_way_for_the_next_and_rests(service: FakeService, http: AiohttpHttp) -> None:
    good = Answer(CASES["serper"].reply)
    service.answers = [Answer({}, 403), good]
    search = engine("serper", service, http, keys=("old", "new"))
    for _ in range(3):
        assert (await search.search(Query(text="depth"), deadline=5)).hits
    assert [asked.headers["x-api-key"] for asked in service.asked] == ["old", "new", "new", "new"]


async def test_keys_are_taken_in_turn(service: FakeService, http: AiohttpHttp) -> None:
    service.answers = [Answer(CASES["serper"].reply)]
    search = engine("serper", service, http, keys=("a", "b", "c"))
    for _ in range(6):
        await search.search(Query(text="depth"), deadline=5)
    assert [asked.headers["x-api-key"] for asked in service.asked] == list("abcabc")


async def test_when_every_key_has_to_wait_the_shortest_wait_is_told(service: FakeService, http: AiohttpHttp) -> None:
    service.answers = [Answer({}, 429, {"Retry-After": "30"}), Answer({}, 429, {"Retry-After": "9"})]
    search = engine("serper", service, http, keys=("a", "b"))
    with pytest.raises(ProviderLimited):
        await search.search(Query(text="depth"), deadline=5)
    with pytest.raises(ProviderLimited) as limited:
        await search.search(Query(text="depth"), deadline=5)
    assert limited.value.retry_after == pytest.approx(9, abs=0.5)
    assert len(service.asked) == 2  # the second call asked nobody


async def test_retry_after_holds_everybody_who_shares_the_limit(service: FakeService, http: AiohttpHttp) -> None:
    limiter = GcraLimiter(MemoryLedger())
    service.answers = [Answer({}, 429, {"Retry-After": "20"})]
    first = engine("serper", service, http, turns=ServiceTurns(limiter, "serper", rate=10))
    with pytest.raises(ProviderLimited):
        await first.search(Query(text="depth"), deadline=5)
    other = engine("serper", service, http, turns=ServiceTurns(limiter, "serper", rate=10))
    with pytest.raises(LimitReached) as reached:
        await other.search(Query(text="depth"), deadline=5)
    assert reached.value.retry_after == pytest.approx(20, abs=0.5)
    assert len(service.asked) == 1


async def test_a_date_of_retry_after_is_understood(service: FakeService, http: AiohttpHttp) -> None:
    dates = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2026 07:28:42 GMT"}
    service.answers = [Answer({}, 429, dates)]
    with pytest.raises(ProviderLimited) as limited:
        await engine("brave", service, http).search(Query(text="depth"), deadline=5)
    assert limited.value.retry_after == pytest.approx(42, abs=0.1)


# ------------------------------------------------------------------------------------ failover and ddgs


class Told:
    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []

    def __call__(self, name: str, error: ToolFailed) -> None:
        self.failures.append((name, error.code))


async def test_the_next_provider_answers_and_the_reason_is_told(service: FakeService, http: AiohttpHttp) -> None:
    service.paths = {
        "/search": Answer({}, 401),
        "/res/v1/web/search": Answer(CASES["brave"].reply),
    }
    told = Told()
    chain = Failover([engine("serper", service, http), engine("brave", service, http)], told=told)
    found = await chain.search(Query(text="depth"), deadline=5)
    assert [hit.provider for hit in found.hits] == ["brave"]
    assert told.failures == [("serper", "provider_denied")]


async def test_nothing_found_is_an_answer(service: FakeService, http: AiohttpHttp) -> None:
    service.answers = [Answer(CASES["serper"].empty)]
    chain = Failover([engine("serper", service, http), engine("brave", service, http)])
    assert (await chain.search(Query(text="depth"), deadline=5)).hits == ()
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("statuses", "error"),
    [
        ((401, 403), ProviderDenied),
        ((401, 500), ProviderUnavailable),
        ((429, 401), ProviderLimited),
        ((400, 401), ProviderFailed),
    ],
)
async def test_when_none_answers_the_reason_keeps_its_type(
    statuses: tuple[int, int], error: type[ProviderFailed], service: FakeService, http: AiohttpHttp
) -> None:
    service.paths = {"/search": Answer({}, statuses[0]), "/res/v1/web/search": Answer({}, statuses[1])}
    chain = Failover([engine("serper", service, http), engine("brave", service, http)])
    with pytest.raises(ProviderFailed) as failed:
        await chain.search(Query(text="depth"), deadline=5)
    assert type(failed.value) is error
    assert "serper" in str(failed.value)
    assert "brave" in str(failed.value)


async def test_ddgs_is_asked_through_the_proxy_only() -> None:
    wishes: list[Any] = []

    def texts(wish: Any) -> list[dict[str, Any]]:
        wishes.append(dict(wish))
        rows: list[dict[str, Any]] = [
            {"href": "https://a.example/1", "title": "One", "body": "b"},
            {"href": None},
            {"href": "ftp://x"},
        ]
        return [*rows, {"href": "https://zzz.example/", "title": "Elsewhere"}]

    search = Ddgs(proxy="http://127.0.0.1:9", now=lambda: NOW, texts=texts)
    found = await search.search(FULL, deadline=5)
    assert wishes == [{"query": SITES, "region": "us-en", "max_results": 5}]
    assert [hit.uri for hit in found.hits] == ["https://a.example/1"]
    assert found.ignored == ("since", "year")


@pytest.mark.blocking("the library opens its certificates and sockets in a thread of its own")
async def test_ddgs_without_a_way_out_is_unavailable_and_not_empty() -> None:
    search = Ddgs(proxy="http://127.0.0.1:9", now=lambda: NOW, seconds=4)
    with pytest.raises(ProviderUnavailable):
        await search.search(Query(text="depth"), deadline=8)


# ------------------------------------------------------------------------------------ recorded replies


def _readers() -> dict[str, Provider]:
    return {name: case.make("http://127.0.0.1:9") for name, case in CASES.items()}


@pytest.mark.shared_data
def test_every_recorded_reply_is_results_or_a_typed_error(shared_data: Path) -> None:
    readers = _readers()
    own = {"searchapi": "serpapi", "jina-reader": "jina"}
    results: dict[str, int] = {}
    for line in (shared_data / "providers" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        reply = Reply(status=row["status"], headers={}, body=(shared_data / "providers" / row["file"]).read_bytes())
        for name, provider in readers.items():
            try:
                error = provider.failure(reply)
                items = () if error else provider.read(reply)
            except ProviderBroken:
                continue
            assert (error is None) == (row["status"] == 200)
            if own.get(row["provider"], row["provider"]) == name:
                results[row["file"]] = len([item for item in items if item.uri])
    shapes = {  # components' own serialised settings, no replies at all
        "serper/haystack_data.json",
        "searchapi/haystack_data.json",
        "brave/haystack_data.json",
        "tavily/haystack_data.json",
    }
    assert not shapes & set(results)
    good = {file: count for file, count in results.items() if "scholar" not in file}
    assert len(good) >= 10
    assert all(count >= 1 for count in good.values()), good
    assert results["brave/larallama.json"] >= 10
