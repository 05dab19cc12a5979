from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline import codec
from leadline.domain import Fetched, Hit, Mark, sha256, source_id
from leadline.ports import Found, Unanswered
from leadline.testing.search import fetched
from leadline.wire.papers import Paper, Papers
from leadline.wire.tool_shapes import (
    MOST_RAW,
    WrongShape,
    checked,
    decoded,
    found_body,
    found_from,
    papers_body,
    papers_from,
    source_body,
    source_from,
)

NOTHING: frozenset[str] = frozenset()


def over_the_wire(body: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(codec.encode(body))
    return read


def page(text: str, raw: bytes | None = None) -> Fetched:
    made = fetched("https://a.test/", text, title="t")
    source = replace(made.source, marks=(Mark(start=0, label="page 1"),), authors=("A",), published="2024")
    if raw is None:
        return replace(made, source=source, links=("https://b.test/",))
    return replace(made, source=replace(source, raw_sha256=sha256(raw)), raw=raw)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_source_comes_back_as_it_was(text: str) -> None:
    assert source_from(over_the_wire(source_body(page(text), have=NOTHING))) == page(text)


def test_raw_bytes_travel_unless_they_are_had_or_too_many() -> None:
    made = page("x", b"\0\xff")
    assert source_from(over_the_wire(source_body(made, have=NOTHING))).raw == b"\0\xff"
    had = source_from(over_the_wire(source_body(made, have=frozenset({made.source.raw_sha256}))))
    assert had == replace(made, raw=None)
    assert "raw" not in source_body(page("x", bytes(MOST_RAW + 1)), have=NOTHING)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "another text"},
        {"text": None},
        {"id": "sfeed"},
        {"sha256": "0" * 64},
        {"sha256": sha256(b"b"), "id": source_id(sha256(b"b"))},
        {"chars": 3},
        {"chars": "1"},
        {"chars": True},
        {"title": 5},
        {"uri": None},
        {"truncated": "no"},
        {"authors": "A"},
        {"authors": [1]},
        {"marks": [{"start": "0", "label": "x"}]},
        {"marks": [{"start": 0}]},
        {"links": "https://b.test/"},
        {"links": [5]},
        {"raw": "%%%"},
        {"raw": 5},
        {"raw": base64.b64encode(b"other").decode()},
    ],
)
def test_a_source_that_is_not_its_own_is_refused(change: dict[str, Any]) -> None:
    body = over_the_wire(source_body(page("a"), have=NOTHING))
    with pytest.raises(WrongShape):
        source_from({**body, **change})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"results": None},
        {"results": {}},
        {"results": ["x"]},
        {"results": [{"title": "no address"}]},
        {"results": [{"url": 5}]},
        {"results": [{"url": "https://a.test/", "rank": "1"}]},
        {"results": [], "ignored": [1]},
        {"results": [], "failures": ["x"]},
        {"results": [], "failures": [{"provider": "serper"}]},
        {"results": [], "failures": [{"provider": 1, "code": "x"}]},
        {"results": [], "cost_usd": "free"},
        {"results": [], "cost_usd": -1},
        {"results": [], "cost_usd": float("inf")},
        {"results": [], "cost_usd": True},
    ],
)
def test_hits_of_another_shape_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(WrongShape):
        found_from(body)


def test_hits_of_another_program_are_taken() -> None:
    body = {"results": [{"title": "A", "url": "https://a.test/", "snippet": "s"}, {"url": "https://b.test/"}]}
    assert found_from(body) == Found(
        hits=(
            Hit(uri="https://a.test/", title="A", snippet="s", provider="", rank=1),
            Hit(uri="https://b.test/", title="", snippet="", provider="", rank=2),
        )
    )
    assert found_from(over_the_wire(found_body(found_from(body)))) == found_from(body)


def test_what_of_several_services_failed_and_what_it_cost_travels() -> None:
    silent = Unanswered(provider="serper", code="provider_denied", message="no key")
    found = Found(hits=(), ignored=("year",), failures=(silent,), usd=0.005)
    assert found_from(over_the_wire(found_body(found))) == found
    assert papers_from(over_the_wire(papers_body(Papers(papers=(), usd=0.25)))).usd == 0.25


def test_works_of_another_shape_are_refused() -> None:
    whole = over_the_wire(papers_body(Papers(papers=(Paper(title="T", uri="u", year=1),))))
    assert papers_from(whole).papers == (Paper(title="T", uri="u", year=1),)
    for change in ({"results": [{"title": "no address"}]}, {"results": [{"title": 1, "uri": "u"}]}, {"failures": [1]}):
        with pytest.raises(WrongShape):
            papers_from({**whole, **change})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
    )
)
def test_nothing_breaks_the_readers(value: Any) -> None:
    for cls in (Hit, Paper, Mark):
        with pytest.raises(WrongShape):
            checked(cls, value)
    with suppress(WrongShape):
        assert isinstance(decoded(value), bytes)
