from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leadline.api.warming import read_list
from leadline.domain import Failure, Json, Options, Question, RunState
from leadline.errors import InputError, MissingPath
from leadline.events import Event, Record, ToolAnswered, ToolAsked
from leadline.ports import Query, Run
from leadline.wiring.warming import Wish, wishes_of

RUN = Run(
    id="r",
    tenant="acme",
    question=Question(text="How deep is the sea?", language="en"),
    options=Options(web=True, sites=("a.example",), since="2024-01-01"),
    seed=1,
    state=RunState.DONE,
    engine="1",
    priority=0,
    created_at=0.0,
    updated_at=0.0,
    attempts=1,
    fence=1,
)
FORBIDDEN = {"provider": "web", "code": "forbidden", "message": "it repeats private text"}


def result(query: str, *failures: dict[str, str]) -> Json:
    return {"query": query, "hits": [], "ignored": [], "failures": list(failures)}


def search(call: str, arguments: dict[str, Json], *results: Json, failure: Failure | None = None) -> list[Event]:
    return [
        ToolAsked(call=call, tool="search", arguments=arguments, request=""),
        ToolAnswered(call=call, tool="search", value={"results": list(results)}, failure=failure),
    ]


def records(*events: Event) -> list[Record]:
    return [Record(seq=number, at=100.0 + number, branch="", event=event) for number, event in enumerate(events)]


def test_a_past_query_is_wished_for_as_its_services_got_it() -> None:
    asked = search("1", {"query": ["sea depth", "echo"], "filter_year": 2020}, result("sea depth"), result("echo"))
    found = list(wishes_of(RUN, records(*asked)))
    query = Query(
        text="sea depth", limit=10, language="en", sites=("a.example",), exclude=(), since="2024-01-01", year=2020
    )
    assert found == [
        (Wish(tenant="acme", query=query), 100.0),
        (Wish(tenant="acme", query=replace(query, text="echo")), 100.0),
    ]


def test_pages_that_were_read_are_wished_for_and_no_others() -> None:
    pages: Json = [
        {"url": "https://a.example/1", "source_id": "s1"},
        {"url": "https://a.example/2", "failure": {"code": "forbidden", "message": "made up"}},
        {"url": "document:c/x", "source_id": "s2"},
    ]
    asked: list[Event] = [
        ToolAsked(call="v", tool="visit", arguments={"url": "https://a.example/1"}, request=""),
        ToolAnswered(call="v", tool="visit", value={"pages": pages}),
    ]
    assert list(wishes_of(RUN, records(*asked))) == [(Wish(tenant="acme", uri="https://a.example/1"), 100.0)]


def test_what_was_refused_or_failed_is_not_asked_again() -> None:
    refused = search("1", {"query": ["private", "open"]}, result("private", FORBIDDEN), result("open"))
    failed = search("2", {"query": "down"}, failure=Failure(code="provider_unavailable", message="down"))
    nonsense = search("3", {"query": 7}, result("7"))
    cut_off = [ToolAsked(call="4", tool="search", arguments={"query": "x"}, request="")]
    found = wishes_of(RUN, records(*refused, *failed, *nonsense, *cut_off))
    assert [wish.query.text for wish, _ in found if wish.query] == ["open"]


@pytest.mark.parametrize(
    "options",
    [
        Options(web=True, corpora=("c",)),
        Options(web=True, ledger_of="earlier"),
        Options(corpora=("c",)),
    ],
)
def test_runs_that_know_private_documents_are_left_out(options: Options) -> None:
    asked = search("1", {"query": "sea"}, result("sea"))
    assert list(wishes_of(replace(RUN, options=options), records(*asked))) == []


def test_a_list_names_addresses_words_and_objects(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        '# what people ask\n\nhttps://a.example/1\nlead line\n{"query": "测深", "num_results": 5, "filter_year": 2020}\n'
        '{"url": "https://a.example/2"}\n',
        encoding="utf-8",
    )
    one, two, three, four = read_list(path)
    assert (one.uri, four.uri) == ("https://a.example/1", "https://a.example/2")
    assert two.query == Query(text="lead line", limit=10, language="en")
    assert three.query == Query(text="测深", limit=5, language="zh", year=2020)
    assert {one.tenant, two.tenant} == {"local"}


@pytest.mark.parametrize("line", ["{", '{"query": ""}', '{"url": "file:///etc/passwd"}', '{"query": ["a"]}', "{}"])
def test_a_line_that_cannot_be_understood_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"lead line\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        read_list(path)


def test_a_list_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(MissingPath):
        read_list(tmp_path / "none.txt")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_list(tmp_path / "b.txt")
