"""The shipped fakes do what they say."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

import leadline.testing as shipped
from leadline.domain import Flag
from leadline.errors import NotFound, ToolFailed
from leadline.events import FlagSeen, Progress, Record, RunWaiting
from leadline.ports import Clock, Observer, Query, Reader, Search
from leadline.testing import (
    CannedReader,
    CannedSearch,
    Embeddings,
    EventRecorder,
    FakeClock,
    NetworkForbidden,
    Reply,
    Rule,
    fetched,
    hit,
    no_network,
)
from leadline.testing.script import Asked, Chooser, load_script


def asked(*messages: tuple[str, str]) -> Asked:
    body = {"messages": [{"role": role, "content": content} for role, content in messages]}
    return Asked(body=body, headers={}, hash="h", began=0.0)


# --- the script --------------------------------------------------------------------------------


def test_rules_go_by_the_conversation_and_not_by_the_count() -> None:
    chooser = Chooser(
        [
            Rule(system="writer", reply=Reply(text="report")),
            Rule(turn=0, reply=Reply(text="first")),
            Rule(turn=1, last="page .*", reply=Reply(text="second")),
        ]
    )
    first, second = asked(("user", "q")), asked(("user", "q"), ("assistant", "a"), ("user", "page 1"))
    for _ in range(2):
        assert chooser.reply(first).text == "first"
        assert chooser.reply(second).text == "second"
        assert chooser.reply(asked(("system", "You are a writer"), ("user", "q"))).text == "report"
    assert chooser.reply(asked(("user", "q"), ("assistant", "a"), ("user", "other"))).status == 500


def test_a_rule_may_serve_a_number_of_times() -> None:
    chooser = Chooser([Rule(times=2, reply=Reply(text="a")), Rule(reply=Reply(text="b"))])
    assert [chooser.reply(asked()).text for _ in range(4)] == ["a", "a", "b", "b"]


def test_an_exhausted_script_says_so() -> None:
    chooser = Chooser(["only one"])
    assert chooser.reply(asked()).text == "only one"
    assert "number 2" in chooser.reply(asked()).body


def test_a_script_is_read_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "script.json"
    path.write_text(
        '{"rules": [{"turn": 0, "reply": {"text": "hi", "fault": "cut", "tool_calls": [{"name": "search", "arguments": {}}]}}]}'
    )
    (rule,) = load_script(path)
    assert isinstance(rule, Rule)
    assert (rule.turn, rule.reply.text, rule.reply.fault, rule.reply.tool_calls[0].name) == (0, "hi", "cut", "search")
    path.write_text('{"rules": [{"turn": 0}]}')
    with pytest.raises(ValueError, match="reply"):
        load_script(path)


# --- the clock ---------------------------------------------------------------------------------


async def test_sleepers_wake_in_order_each_at_its_time() -> None:
    clock = FakeClock(start=100.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.now()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("a", 5.0))
        group.create_task(sleeper("b", 2.0, 2.0))
        await clock.advance(4.0)
        assert woken == [("b", 102.0), ("b", 104.0)]
        assert clock.sleepers == 1
        await clock.advance(10.0)
    assert woken[-1] == ("a", 105.0)
    assert clock.now() == 114.0


async def test_a_clock_that_moves_by_itself() -> None:
    clock = FakeClock(start=0.0, auto=True)
    await clock.sleep(3600.0)
    assert (clock.now(), clock.slept) == (3600.0, [3600.0])


# --- the recorder and the canned web -----------------------------------------------------------


def test_events_and_live_text_are_kept_apart() -> None:
    recorder = EventRecorder()
    waiting = RunWaiting(reason="approval")
    recorder.record("r1", "t", Record(seq=1, at=0.0, branch="", event=waiting))
    recorder.record("r2", "t", Record(seq=1, at=0.0, branch="", event=FlagSeen(round=1, flag=Flag.FINISH)))
    recorder.progress(Progress(run_id="r1", branch="", kind="text", text="a"))
    recorder.progress(Progress(run_id="r1", branch="", kind="reasoning", text="b"))
    assert recorder.types("r1") == ["run_waiting"]
    assert recorder.types() == ["run_waiting", "flag_seen"]
    assert recorder.of(RunWaiting) == [waiting]
    assert recorder.text() == "a"
    assert recorder.tenants == {"r1": "t", "r2": "t"}


async def test_a_canned_web() -> None:
    search = CannedSearch({"tides": [hit("w:1"), hit("w:2")], "broken": ToolFailed("away")})
    assert [h.uri for h in (await search.search(Query(text="About TIDES", limit=1), deadline=1)).hits] == ["w:1"]
    assert (await search.search(Query(text="else"), deadline=1)).hits == ()
    with pytest.raises(ToolFailed):
        await search.search(Query(text="broken"), deadline=1)
    assert len(search.queries) == 3
    reader = CannedReader({"w:1": "High water.", "w:2": ToolFailed("403")})
    assert reader.reads("w:1")
    assert not reader.reads("w:9")
    page = await reader.read("w:1", deadline=1)
    assert page == fetched("w:1", "High water.")
    assert page.source.chars == len(page.text)
    with pytest.raises(NotFound):
        await reader.read("w:9", deadline=1)
    with pytest.raises(ToolFailed):
        await reader.read("w:2", deadline=1)


def test_the_fakes_are_what_the_ports_ask_for() -> None:
    clock: Clock = FakeClock()
    observer: Observer = EventRecorder()
    search: Search = CannedSearch({})
    reader: Reader = CannedReader({})
    assert all((clock, observer, search, reader))


# --- the network switch ------------------------------------------------------------------------


def test_the_outside_is_closed_and_loopback_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, no_network():
        socket.create_connection(listener.getsockname()).close()
        with socket.socket() as outgoing, pytest.raises(NetworkForbidden, match=r"192\.0\.2\.1"):
            outgoing.connect(("192.0.2.1", 80))
        with pytest.raises(NetworkForbidden, match=r"example\.org"):
            socket.getaddrinfo("example.org", 80)


def test_everything_may_be_closed_and_opens_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with no_network(allow=()), socket.socket() as outgoing, pytest.raises(NetworkForbidden):
            outgoing.connect(listener.getsockname())
        socket.create_connection(listener.getsockname()).close()


async def test_asyncio_is_closed_as_well() -> None:
    with no_network(), pytest.raises(NetworkForbidden):
        await asyncio.open_connection("192.0.2.1", 80)


# --- the package -------------------------------------------------------------------------------


def test_every_exported_name_is_there_when_asked_for() -> None:
    for name in shipped.__all__:
        assert getattr(shipped, name) is not None
    assert set(dir(shipped)) == set(shipped.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = shipped.nonsense


# --- vectors -----------------------------------------------------------------------------------


def test_synonyms_share_a_vector_and_nothing_else_does() -> None:
    words = Embeddings(synonyms={"automobiles": "car"})
    assert words.vector("An automobile") == words.vector("the cars")
    assert sum(a * b for a, b in zip(words.vector("car"), words.vector("tide"), strict=True)) == 0
    assert words.vector("") == [0.0] * 512


def test_the_endpoint_fails_as_the_script_says() -> None:
    words = Embeddings(longest=5)
    assert words.reply({"input": "tide"}).status == 200
    assert words.reply({"input": ["tide", "a longer text"]}).status == 400
    words.status = 503
    assert words.reply({"input": ["tide"]}).status == 503
    assert words.texts == ["tide", "tide", "a longer text", "tide"]
