"""What the summaries of pages cost is the run's, also of those that did not come."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from leadline import Leadline
from leadline.domain import ToolCall
from leadline.events import ToolAnswered
from leadline.settings import load
from leadline.testing import Fault, HostileWeb, Reply, ScriptedServer, WebPage

PRICES = "[small]\nprompt = 10.0\ncompletion = 20.0\n[scripted]\nprompt = 0.0\ncompletion = 0.0\n"
LIT = "<p>The lighthouse at Skerryvore was first lit in 1844. It stands on a reef in the Atlantic.</p>"
PAGE = WebPage(body=f"<html><body><main>{LIT * 30}</main></body></html>".encode())
VAGUE = Reply(text='{"evidence": ["It was lit."]}')
GOOD = Reply(text='{"evidence": [], "summary": "It was lit in 1844."}')


@pytest.mark.parametrize(
    ("said", "code"), [(GOOD, None), (VAGUE, "model_broken"), (Reply(text="{", fault=Fault.NO_FINISH), "model_broken")]
)
async def test_a_summary_counts_whether_it_came_or_not(tmp_path: Path, said: Reply, code: str | None) -> None:
    prices = tmp_path / "prices.toml"
    await asyncio.to_thread(prices.write_text, PRICES, "utf-8")
    async with (
        HostileWeb({"/lit": PAGE}) as web,
        ScriptedServer(lambda _asked: said, models={"small": 32_768}) as small,
    ):
        url = f"http://127.0.0.1:{web.port}/lit"
        look = ToolCall(name="visit", arguments={"url": url, "goal": "when lit"}, id="1")
        turns = [Reply(tool_calls=(look,)), Reply(text="<answer>1844.</answer>"), Reply(text="ANSWER: In 1844 [1].\n")]
        async with ScriptedServer(turns) as large:
            flags = {
                "data_dir": str(tmp_path / "data"),
                "fetch.allow_private": "127.0.0.1/32",
                "prices": str(prices),
                "model.urls": large.url,
                "model.name": "scripted",
                "summarizer.use": "own",
                "summarizer.urls": small.url,
                "summarizer.name": "small",
                "visit.summarise_above": "300",
                "budget.usd": "1",
            }
            async with Leadline(await asyncio.to_thread(lambda: load(flags=flags, environ={}))) as engine:
                run_id = await engine.start("When was it lit?", options=engine.options(urls=(url,), python=False))
                report = await engine.result(run_id)
                events = [record.event for record in await engine.records(run_id)]
                assert await engine.replay(run_id) == report
    (answered,) = [event for event in events if isinstance(event, ToolAnswered)]
    assert isinstance(answered.value, dict)
    (page,) = answered.value["pages"]
    assert page.get("summary_failed") == code
    used = answered.usage
    assert (used.model_calls, used.prompt_tokens > 0, used.completion_tokens > 0) == (1, True, True)
    assert used.cost_usd == pytest.approx((10 * used.prompt_tokens + 20 * used.completion_tokens) / 1_000_000)
    assert report.usage.cost_usd == pytest.approx(used.cost_usd)
    assert report.usage.model_calls == 4
