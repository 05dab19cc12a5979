"""robots.txt: what is allowed, and what holds when there is none."""

from __future__ import annotations

import asyncio
import time

import pytest

from leadline.errors import FetchRefused, FetchTimeout, FetchUnavailable, Forbidden, NotFound, ToolFailed
from leadline.fetch.robots import MOST_BYTES, Robots
from leadline.fetch.urls import Target, parse
from leadline.testing import FakeClock

FILE = b"""User-agent: *
Disallow: /private
Allow: /private/open
Crawl-delay: 2

User-agent: leadline
Disallow: /ours
"""
PAGE = parse("https://a.example/private/x")


class Host:
    def __init__(self, answer: bytes | ToolFailed) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def load(self, target: Target) -> bytes:
        self.asked.append(target.origin)
        await asyncio.sleep(0)
        if isinstance(self.answer, ToolFailed):
            raise self.answer
        return self.answer


async def allowed(answer: bytes | ToolFailed, url: str, *, agent: str = "Other") -> bool:
    async with Robots(Host(answer).load, agent=agent) as robots:
        return (await robots.ask(parse(url))).allowed


@pytest.mark.parametrize(
    ("path", "agent", "expected"),
    [
        ("/", "Other", True),
        ("/private/x", "Other", False),
        ("/private/open/x", "Other", True),
        ("/private/x", "Leadline", True),
        ("/ours", "Leadline", False),
    ],
)
async def test_the_rules_hold(path: str, agent: str, expected: bool) -> None:
    assert await allowed(FILE, f"https://a.example{path}", agent=agent) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NotFound("none"), True),
        (FetchRefused("no", status=403), True),
        (FetchUnavailable("broken", status=500), False),
        (b"", True),
        (b"\x00\xff\xfe rubbish \x80", True),
        (b"<html>not found</html>", True),
    ],
)
async def test_what_holds_without_rules(answer: bytes | ToolFailed, expected: bool) -> None:
    assert await allowed(answer, PAGE.url) is expected


@pytest.mark.parametrize("error", [FetchUnavailable("away"), FetchTimeout("slow")])
async def test_a_host_out_of_reach_is_no_verdict(error: ToolFailed) -> None:
    clock = FakeClock()
    host = Host(error)
    async with Robots(host.load, agent="Other", monotonic=clock.monotonic) as robots:
        for _ in range(2):
            with pytest.raises(FetchUnavailable):
                await robots.ask(PAGE)
        assert len(host.asked) == 1
        host.answer = FILE
        await clock.advance(61)
        assert not (await robots.ask(PAGE)).allowed


async def test_what_the_guard_refuses_stays_refused() -> None:
    with pytest.raises(Forbidden):
        await allowed(Forbidden("private"), PAGE.url)


async def test_one_file_is_fetched_once_for_many_and_again_after_an_hour() -> None:
    clock = FakeClock()
    host = Host(FILE)
    async with Robots(host.load, agent="Other", monotonic=clock.monotonic) as robots:
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(robots.ask(PAGE)) for _ in range(5)]
        assert {task.result().delay for task in asking} == {2.0}
        await clock.advance(3_599)
        await robots.ask(PAGE)
        assert host.asked == ["https://a.example"]
        await robots.ask(parse("http://a.example/"))
        await clock.advance(2)
        await robots.ask(PAGE)
        assert host.asked == ["https://a.example", "http://a.example", "https://a.example"]


async def test_a_hostile_file_does_not_hold_up_the_loop() -> None:
    rules = b"User-agent: *\n" + b"".join(b"Disallow: /%d*a*a*a*a*a*a*b$\n" % number for number in range(20_000))
    url = "https://a.example/" + "a" * 2_000
    began = time.thread_time()
    assert await allowed(rules[: 2 * MOST_BYTES], url)
    assert time.thread_time() - began < 0.1  # parsing it takes seconds of a thread of its own
