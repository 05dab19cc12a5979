from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from leadline.domain import Hit
from leadline.errors import ProviderDenied, ProviderLimited, ProviderUnavailable, ToolError, ToolFailed, ToolStop
from leadline.ports import Found, Query, Unanswered
from leadline.search.web.fused import Fused
from leadline.tools.search import join

QUERY = Query(text="lead line", limit=5)


def hits(provider: str, *paths: str) -> tuple[Hit, ...]:
    return tuple(
        Hit(uri=path if "://" in path else f"https://{path}.example/", title="", snippet="", provider=provider, rank=n)
        for n, path in enumerate(paths, start=1)
    )


class Provider:
    """A search that answers, fails, or stays silent, and once it is let."""

    def __init__(self, name: str, *paths: str, error: ToolError | None = None, usd: float = 0.0) -> None:
        self.name = name
        self.found = Found(hits=hits(name, *paths), ignored=(f"year-{name}",), usd=usd)
        self.error = error
        self.let = asyncio.Event()
        self.let.set()
        self.begun = asyncio.Event()
        self.shares: list[float] = []

    async def search(self, query: Query, *, deadline: float) -> Found:
        assert query == QUERY
        self.shares.append(deadline)
        self.begun.set()
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return self.found


class Told:
    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []

    def __call__(self, name: str, error: ToolFailed) -> None:
        self.failures.append((name, error.code))


def fused(
    providers: Sequence[Provider],
    *,
    most: int = 2,
    weights: Mapping[str, float] | None = None,
    told: Told | None = None,
) -> Fused:
    return Fused(providers, most=most, join=join, weights=weights or {}, told=told)


def found_by(found: Found) -> list[str]:
    return [hit.uri.removeprefix("https://").removesuffix(".example/") for hit in found.hits]


async def test_what_two_find_comes_first_and_stands_once() -> None:
    providers = [Provider("one", "a", "b", "both"), Provider("two", "both", "c")]
    found = await fused(providers).search(QUERY, deadline=5)
    assert found_by(found) == ["both", "a", "b", "c"]
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4]
    assert found.ignored == ("year-one", "year-two")
    assert found.failures == ()


async def test_pages_are_one_by_their_canonical_address() -> None:
    one = Provider("one", "https://a.example/p?x=1&y=2", "b")
    two = Provider("two", "http://www.A.example:80/p/?y=2&x=1&utm_source=z#top", "c")
    found = await fused([one, two]).search(QUERY, deadline=5)
    assert [hit.uri for hit in found.hits] == [
        "https://a.example/p?x=1&y=2",
        "https://b.example/",
        "https://c.example/",
    ]


async def test_a_weight_decides_whose_first_is_first() -> None:
    providers = [Provider("one", "a", "b"), Provider("two", "c", "d")]
    assert found_by(await fused(providers).search(QUERY, deadline=5)) == ["a", "c", "b", "d"]
    heavy = fused(providers, weights={"two": 3.0})
    assert found_by(await heavy.search(QUERY, deadline=5)) == ["c", "d", "a", "b"]


async def test_who_answers_first_changes_nothing() -> None:
    lists = []
    for slow in (0, 1):
        providers = [Provider("one", "a", "b"), Provider("two", "c", "b")]
        providers[slow].let.clear()
        asked = asyncio.ensure_future(fused(providers).search(QUERY, deadline=30))
        await providers[slow].begun.wait()
        providers[slow].let.set()
        lists.append(await asked)
    assert lists[0] == lists[1]


async def test_so_many_are_asked_at_once_and_no_more() -> None:
    providers = [Provider(name, name) for name in ("one", "two", "three")]
    found = await fused(providers).search(QUERY, deadline=5)
    assert found_by(found) == ["one", "two"]
    assert providers[2].shares == []


async def test_for_one_that_fails_the_next_stands_in() -> None:
    told = Told()
    providers = [Provider("one", error=ProviderDenied("no key")), Provider("two", "b"), Provider("three", "c")]
    found = await fused(providers, told=told).search(QUERY, deadline=10)
    assert found_by(found) == ["b", "c"]
    assert told.failures == [("one", "provider_denied")]
    assert found.failures == ()  # somebody stood in
    assert providers[0].shares[0] <= 5.0 < providers[2].shares[0]  # half of the time is kept for who stands in


async def test_a_failure_that_nobody_made_good_is_told_with_what_was_found() -> None:
    providers = [Provider("one", error=ProviderDenied("no key")), Provider("two", "b", usd=0.25)]
    found = await fused(providers).search(QUERY, deadline=5)
    assert found_by(found) == ["b"]
    assert found.failures == (Unanswered(provider="one", code="provider_denied", message="no key"),)


async def test_one_that_is_late_costs_only_itself() -> None:
    late = Provider("late", "a")
    late.let.clear()
    found = await fused([late, Provider("two", "b")]).search(QUERY, deadline=0.2)
    assert found_by(found) == ["b"]
    assert [(one.provider, one.code) for one in found.failures] == [("late", "provider_unavailable")]


async def test_each_is_paid_for() -> None:
    providers = [Provider("one", "a", usd=0.25), Provider("two", usd=0.5), Provider("three", "c", usd=4.0)]
    assert (await fused(providers).search(QUERY, deadline=5)).usd == 0.75


async def test_nothing_found_is_an_answer() -> None:
    providers = [Provider("one"), Provider("two"), Provider("three", "c")]
    assert (await fused(providers).search(QUERY, deadline=5)).hits == ()
    assert providers[2].shares == []


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((ProviderDenied("a"), ProviderDenied("b")), ProviderDenied),
        ((ProviderDenied("a"), ProviderUnavailable("b")), ProviderUnavailable),
        ((ProviderLimited("a", retry_after=7.0), ProviderDenied("b")), ProviderLimited),
    ],
)
async def test_when_none_answers_the_reason_keeps_its_type(
    errors: tuple[ToolFailed, ToolFailed], expected: type[ToolFailed]
) -> None:
    providers = [Provider(name, error=error) for name, error in zip(("one", "two"), errors, strict=True)]
    with pytest.raises(ToolFailed, match=r"one: .*two: ") as failed:
        await fused(providers).search(QUERY, deadline=5)
    assert type(failed.value) is expected


async def test_what_must_stop_the_run_stops_it() -> None:
    providers = [Provider("one", error=ToolStop("stop")), Provider("two", "b")]
    with pytest.raises(ToolStop, match="stop"):
        await fused(providers).search(QUERY, deadline=5)


async def test_no_more_than_the_limit_and_a_host_keeps_its_share() -> None:
    one = Provider("one", *(f"https://big.example/{n}" for n in range(5)))
    found = await fused([one, Provider("two", "b", "c")]).search(QUERY, deadline=5)
    assert len(found.hits) == QUERY.limit
    assert sum("big.example" in hit.uri for hit in found.hits) == 3
