"""Who waits for a change is woken by what concerns him."""

from __future__ import annotations

import asyncio

import pytest

from leadline.tasks.postgres import news as module
from leadline.tasks.postgres.news import News


async def waiting(news: News, seen: int, topic: str | None) -> asyncio.Task[int]:
    task = asyncio.get_running_loop().create_task(news.wait(seen, topic, seconds=5))
    await asyncio.sleep(0)
    return task


async def test_a_fresh_caller_returns_at_once_and_time_ends_a_wait() -> None:
    news = News()
    assert await news.wait(-1, None, seconds=5) == 0
    assert await news.wait(0, "r1", seconds=0.01) == 0


async def test_a_topic_wakes_those_who_wait_for_it_or_for_anything() -> None:
    news = News()
    one, other, any_ = [await waiting(news, 0, topic) for topic in ("r1", "r2", None)]
    news.tell(["r1"])
    assert (await one, await any_) == (1, 1)
    assert not other.done()
    news.tell_all()
    assert await other == 2


async def test_what_changed_before_the_wait_is_not_missed() -> None:
    news = News()
    news.tell(["r1"])
    assert await news.wait(0, "r1", seconds=5) == 1
    assert await news.wait(1, "r1", seconds=0.01) == 1
    news.tell(["r2"])
    assert await news.wait(1, "r1", seconds=0.01) == 2
    assert await news.wait(1, "r2", seconds=5) == 2


async def test_what_was_forgotten_wakes_in_vain_rather_than_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    news = News()
    for topic in ("r1", "r2", "r3"):
        news.tell([topic])
    assert await news.wait(0, "r1", seconds=5) == 3
    assert await news.wait(3, "r1", seconds=0.01) == 3


async def test_closing_lets_everybody_go() -> None:
    news = News()
    one, any_ = [await waiting(news, 0, topic) for topic in ("r1", None)]
    news.close()
    await asyncio.wait_for(asyncio.wait({one, any_}), 20)
    assert await news.wait(99, "r1", seconds=5) == 1
