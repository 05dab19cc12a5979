from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from leadline.cli.live import Screen, StatusLine, spent
from leadline.cli.story import Story, activity, brief, clock, last_part, money
from leadline.domain import Budget, Failure, ModelAnswer, Options, Question, Usage
from leadline.events import (
    ENGINE,
    ContextFolded,
    Event,
    ModelAnswered,
    ModelAsked,
    Record,
    RunResumed,
    RunStarted,
    ToolAnswered,
    ToolAsked,
)


def records(*events: Event) -> Iterator[Record]:
    for seq, event in enumerate(events, 1):
        yield Record(seq=seq, at=100.0 + seq, branch="main", event=event)


def started(budget: Budget) -> RunStarted:
    return RunStarted(
        question=Question(text="q", language="en"),
        options=Options(budget=budget, model="m"),
        seed=1,
        engine=ENGINE,
    )


def asked(round_: int, purpose: str = "gather") -> ModelAsked:
    return ModelAsked(call=f"main/{round_}/model/0", model="m", request="x", purpose=purpose)


ANSWERED = ModelAnswered(
    call="main/0/model/0",
    answer=ModelAnswer(text="", finish="stop"),
    usage=Usage(model_calls=1, prompt_tokens=900, completion_tokens=100, cost_usd=0.002),
)


def test_a_story_counts_rounds_tokens_and_money() -> None:
    story = Story(run_id="r1")
    search = ToolAsked(call="main/1/tool/0", tool="search", arguments={"query": "x"}, request="y")
    told = [
        line
        for record in records(
            started(Budget(usd=1.0)), asked(0), ANSWERED, asked(1), ANSWERED, search, asked(0, "write")
        )
        for line in story.take(record)
    ]
    assert (story.steps, story.tokens) == (2, 2000)
    assert story.usd == pytest.approx(0.004)
    assert told == ["run r1: model m", "searching: x", "model: write"]
    line = spent(story, 65.0)
    assert line == ("1:05 of 30:00 · 2 steps of 50 · 0 sources · 2,000 of 1,000,000 tokens · $0.0040 of $1.00")


def test_failures_and_returns_are_told() -> None:
    story = Story(run_id="r1")
    failure = Failure(code="not_found", message="no such\npage")
    told = [
        line
        for record in records(
            ToolAnswered(call="main/0/tool/0", tool="visit", failure=failure),
            ModelAnswered(call="main/0/model/0", failure=failure),
            ContextFolded(round=3, before=9000, after=1000, reason="window"),
            RunResumed(owner="o", attempt=1, engine=ENGINE),
        )
        for line in story.take(record)
    ]
    assert told == [
        "visit failed: no such page",
        "the model failed: no such page",
        "folded the transcript: 9,000 to 1,000 tokens",
        "taken up again, attempt 2",
    ]


def test_what_a_call_does_in_words() -> None:
    assert activity("search", {"query": ["a", "b"]}) == "searching: a; b"
    assert activity("visit", {"url": ["file:///x/My%20file.pdf"], "goal": "g"}) == ("reading: My file.pdf")
    assert activity("search", {"query": ["Who?", '"Per Dahl"', '"Per Dahl" who']}) == "searching: Who?; Per Dahl"
    long = activity("search", {"query": [f"The name number {n}" for n in range(20)]})
    assert long.endswith("; The name number 7; 12 more")
    assert activity("python", {"code": "1"}) == "computing"
    assert activity("other", {"n": 1}) == "calling: other"
    assert activity("search", {"query": {"odd": 1}}).startswith("searching: ")
    assert last_part("https://example.org/") == "example.org"
    assert len(brief("x" * 1000)) == 160
    assert (clock(3725), clock(9)) == ("1:02:05", "0:09")
    assert (money(0), money(0.00123), money(12)) == ("$0.00", "$0.0012", "$12.00")


def test_the_screen_draws_a_few_lines_and_leaves_none() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=40, height=20, color_system=None)
    search = ToolAsked(call="main/0/tool/0", tool="search", arguments={"query": "鲸\x1b[2J" * 30}, request="y")
    with Screen(console) as screen:
        screen.begin("r1")
        for record in records(started(Budget()), *[search] * 20):
            screen.take(record)
        drawn = console.render_lines(screen, console.options)
        screen.say("a line that stays")
    assert 2 <= len(drawn) <= 7
    assert all(sum(len(part.text) for part in line) <= 40 for line in drawn)
    text = out.getvalue()
    assert "run r1\n" in text
    assert "a line that stays" in text
    assert "\x1b[2J" not in text


def test_the_status_line_takes_hostile_text() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=40, color_system=None)
    with StatusLine(console) as status:
        status.update("[bold]1 of 2\x1b[2J")
        status.say("[red]done\x07")
    assert "[red]done\ufffd" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
