"""What tools' answers say of the research, whatever their shape."""

from __future__ import annotations

from typing import Any

import pytest

from leadline.domain import Failure
from leadline.events import ToolAnswered, ToolAsked
from leadline.telemetry.quality import fetches_of, queries_of, searches_of

HIT = {"uri": "https://a.test/"}
FAILED = {"provider": "serper", "code": "provider_denied"}


def answered(tool: str, value: Any = None, failure: Failure | None = None) -> ToolAnswered:
    return ToolAnswered(call="g/1/tool/0", tool=tool, value=value, failure=failure)


def test_queries_are_folded() -> None:
    asked = ToolAsked(call="c", tool="search", arguments={"query": [" Two  Words ", 7, "三 字"]}, request="r")
    assert list(queries_of(asked)) == ["two words", "三 字"]
    assert list(queries_of(ToolAsked(call="c", tool="visit", arguments={"query": "x"}, request="r"))) == []


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"hits": [HIT], "failures": []}, "found"),
        ({"hits": [HIT], "failures": [FAILED]}, "found"),
        ({"hits": [], "failures": []}, "empty"),
        ({"hits": [], "failures": [FAILED]}, "failed"),
    ],
)
def test_a_query_was_answered_with_hits_with_nothing_or_not(result: dict[str, Any], told: str) -> None:
    assert list(searches_of(answered("search", {"results": [result]}))) == [told]


def test_a_call_that_failed_as_a_whole_counts_once() -> None:
    failure = Failure(code="provider_unavailable", message="")
    assert list(searches_of(answered("search", failure=failure))) == ["failed"]
    assert list(fetches_of(answered("visit", failure=failure))) == ["provider_unavailable"]


def test_pages_count_by_what_came_of_each() -> None:
    pages = [{"source_id": "s"}, {"failure": {"code": "not_found", "message": "secret words"}}]
    assert list(fetches_of(answered("visit", {"pages": pages}))) == ["read", "not_found"]


@pytest.mark.parametrize("value", [None, [], "x", 3, {"results": None}, {"results": [None, 1]}, {"pages": {}}])
def test_other_shapes_count_as_nothing(value: Any) -> None:
    assert list(searches_of(answered("search", value))) == []
    assert list(fetches_of(answered("visit", value))) == []
    assert list(fetches_of(answered("act", value))) == []
