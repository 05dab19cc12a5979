"""What is counted of runs and beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.engine import ANSWER, REPORT, SEARCH, VISIT, WITH_MODEL, Gate, budget, rig, turn
from tests.support.telemetry import Counted

from leadline.domain import Failure, Flag, Options, Origin, Question, RunState, StopReason, ToolCall, Usage
from leadline.errors import FetchRefused, ToolError
from leadline.events import Record, RunFinished, RunResumed, RunStarted, RunWaiting, ToolAnswered, ToolAsked
from leadline.ports import Depth, Lag, Run
from leadline.ports.admission import Fullest
from leadline.ports.signals import (
    BreakerChanged,
    CacheAnswered,
    DiskSeen,
    HttpAnswered,
    LimitHeld,
    LimitPassed,
    LimitRefused,
    LogSeen,
    PartSeen,
    ProviderAsked,
    QueueSeen,
    QuotaSeen,
    Rejected,
    RunEnded,
    RunLeft,
    RunTaken,
    ServerCalled,
    ServerTurned,
    Signal,
)
from leadline.telemetry.follow import Broadcast, Followed, Seen
from leadline.telemetry.metrics import status_of
from leadline.testing import ScriptedModel

AGAIN = ToolCall(name="search", arguments={"query": ["  EDDYSTONE ", "Smeaton"]}, id="s2")


def run_row(**fields: object) -> Run:
    row = Run(
        id="r1",
        tenant="local",
        question=Question(text="q", language="en"),
        options=Options(),
        seed=1,
        state=RunState.RUNNING,
        engine="1",
        priority=0,
        created_at=100.0,
        updated_at=100.0,
        attempts=0,
        fence=1,
    )
    return replace(row, **fields)  # type: ignore[arg-type]  # any fields of the row


def started(run: Run, at: float = 101.0) -> Record:
    event = RunStarted(question=run.question, options=run.options, seed=1, engine="1")
    return Record(seq=1, at=at, branch="", event=event)


async def test_a_run_counts_by_how_it_was_asked_and_ended(tmp_path: Path) -> None:
    counted = Counted()
    async with rig(tmp_path, [SEARCH, AGAIN, VISIT, ANSWER, REPORT], told=counted.told) as engine:
        await engine.ask()
    assert counted.value("agent_requests_total", method="api", status="success") == 1
    assert counted.value("agent_request_latency_seconds_count", method="api") == 1
    assert counted.value("agent_tool_calls_total", tool="search", status="success") == 2
    assert counted.value("agent_tool_latency_seconds_count", tool="visit") == 1
    assert counted.value("agent_model_tokens_total", type="input") > 0
    assert counted.value("leadline_model_requests_total", purpose="write", status="success") == 1
    assert counted.value("leadline_queries_total", novelty="new") == 2
    assert counted.value("leadline_queries_total", novelty="repeated") == 1
    assert counted.value("leadline_searches_total", result="found") == 3
    assert counted.value("leadline_fetches_total", outcome="read") == 2
    assert counted.value("leadline_claims_total", verdict="supported") == 2
    assert counted.value("leadline_supported_claim_usd_count") == 1
    assert counted.value("agent_active_tasks") == 0
    assert counted.value("leadline_runs_left_total", how="finished") == 1


async def test_replaying_and_reading_count_nothing_again(tmp_path: Path) -> None:
    counted = Counted()
    async with rig(tmp_path, told=counted.told) as engine:
        told = await engine.ask()  # replays it once already
        before = await counted.samples()
        await engine.replayed(told.run.id)
        await engine.told(told.run.id)
        after = await counted.samples()
    ours = ("agent_", "leadline_")
    assert {k: v for k, v in after.items() if k.startswith(ours)} == {
        k: v for k, v in before.items() if k.startswith(ours)
    }


async def test_a_resumed_run_counts_only_what_is_new(tmp_path: Path) -> None:
    first, second = Counted(), Counted()
    gate = Gate(ScriptedModel([turn("", SEARCH), turn("", VISIT)]))
    async with rig(tmp_path, model=gate, told=first.told) as engine:
        run_id = await engine.begin()
        await gate.asked.acquire()
        gate.open.release()
        await gate.asked.acquire()
        await engine.worker.drain()
        blobs = engine.blobs
    script = [SEARCH, VISIT, ANSWER, REPORT]
    async with rig(tmp_path, script[1:], told=second.told, blobs=blobs, owner="next") as engine:
        engine.runs.append(run_id)
        await engine.resume(run_id)
        await engine.ended(run_id)
    assert first.value("agent_tool_calls_total", tool="search", status="success") == 1
    assert first.value("leadline_runs_left_total", how="handed_over") == 1
    assert second.value("agent_tool_calls_total", tool="search", status="success") == 0
    assert second.value("agent_tool_calls_total", tool="visit", status="success") == 1
    assert second.value("leadline_resumes_total", after="pause") == 1
    assert second.value("leadline_lease_expiries_total") == 0
    assert second.value("agent_requests_total", method="api", status="success") == 1
    assert second.value("leadline_run_queue_seconds_count") == 0


async def test_failed_pages_count_by_their_reason_and_a_cancelled_run_as_such(tmp_path: Path) -> None:
    counted = Counted()
    gate = Gate(ScriptedModel([turn("", VISIT), turn("", SEARCH)]))
    pages: dict[str, str | ToolError] = {
        "https://one.test/": FetchRefused("no", status=403),
        "https://three.test/": "It was lit in 1759.",
    }
    async with rig(tmp_path, model=gate, pages=pages, told=counted.told) as engine:
        run_id = await engine.begin()
        await gate.asked.acquire()
        gate.open.release()
        await gate.asked.acquire()
        await engine.flag(run_id, Flag.CANCEL)
        await engine.ended(run_id)
    assert counted.value("leadline_fetches_total", outcome="fetch_refused") == 1
    assert counted.value("leadline_fetches_total", outcome="read") == 1
    assert counted.value("agent_requests_total", method="api", status="cancelled") == 1
    assert counted.value("leadline_model_requests_total", purpose="gather", status="cancelled") == 1


async def test_a_run_short_of_an_answer_is_partial(tmp_path: Path) -> None:
    counted = Counted()
    async with rig(tmp_path, [SEARCH, VISIT, REPORT], told=counted.told) as engine:
        told = await engine.ask(budget(steps=2))
    assert told.run.stop_reason is StopReason.STEPS
    assert counted.value("agent_requests_total", method="api", status="partial") == 1
    assert counted.value("leadline_runs_ended_total", strategy="react", reason="steps") == 1


def test_a_failed_run_is_an_error() -> None:
    ended = RunFinished(state=RunState.FAILED, stop_reason=StopReason.ERROR, failure=Failure(code="x", message=""))
    assert status_of(ended) == "error"


def test_an_expired_lease_is_told_from_a_pause_and_waiting_for_a_person_is_no_latency() -> None:
    counted = Counted()
    row = run_row(origin=Origin(method="schedule"), attempts=1)
    waited = Record(seq=2, at=110.0, branch="", event=RunWaiting(reason="plan"))
    back = Record(seq=3, at=1_110.0, branch="", event=RunResumed(owner="a", attempt=0, engine="1"))
    lost = Record(seq=4, at=1_140.0, branch="", event=RunResumed(owner="b", attempt=1, engine="1"))
    counted.told.signal(RunTaken(run=row, past=(started(row), waited, back, lost)))
    assert counted.value("agent_active_tasks") == 1
    assert counted.value("leadline_lease_expiries_total") == 1
    assert counted.value("leadline_resumes_total", after="expiry") == 1
    end = RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED, usage=Usage(seconds=60.0))
    counted.told.record("r1", "local", Record(seq=5, at=1_200.0, branch="", event=end))
    counted.told.signal(RunLeft(run_id="r1", how="finished"))
    assert counted.value("agent_request_latency_seconds_sum", method="schedule") == 100.0
    assert counted.value("agent_active_tasks") == 0


def test_a_run_that_is_not_held_here_counts_nothing() -> None:
    counted = Counted()
    end = RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED)
    counted.told.record("elsewhere", "local", Record(seq=9, at=1.0, branch="", event=end))
    assert counted.value("agent_requests_total", method="api", status="success") == 0


def test_labels_are_bounded_whatever_comes() -> None:
    counted = Counted()
    row = run_row(origin=Origin(method="telepathy"))
    counted.told.signal(RunTaken(run=row, past=(started(row),)))
    for number, tool in enumerate(["google_scholar", "mcp_files_read", "a question of mine"]):
        asked = ToolAsked(call=f"g/1/tool/{number}", tool=tool, arguments={}, request="x")
        counted.told.record("r1", "local", Record(seq=2, at=102.0, branch="g", event=asked))
        answered = ToolAnswered(call=asked.call, tool=tool)
        counted.told.record("r1", "local", Record(seq=3, at=103.0, branch="g", event=answered))
    assert counted.value("agent_tool_calls_total", tool="scholar", status="success") == 1
    assert counted.value("agent_tool_calls_total", tool="mcp", status="success") == 1
    assert counted.value("agent_tool_calls_total", tool="other", status="success") == 1
    for number in range(200):
        counted.told.signal(HttpAnswered(method="BREW", route=f"/{number}", status=404, seconds=0.1, request="r"))
    routes = [
        sample.labels["route"]
        for family in counted.registry.collect()
        for sample in family.samples
        if sample.name == "leadline_http_requests_total"
    ]
    assert len(set(routes)) == 65
    assert counted.value("leadline_http_requests_total", method="other", route="other", status="404") == 136
    end = RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED)
    counted.told.record("r1", "local", Record(seq=5, at=110.0, branch="", event=end))
    assert counted.value("agent_requests_total", method="other", status="success") == 1


def test_every_signal_is_counted() -> None:
    counted = Counted()
    queued = replace(run_row(origin=Origin(method="mcp")), created_at=100.0, updated_at=107.0)
    for signal in (
        RunEnded(run=replace(queued, state=RunState.CANCELLED, stop_reason=StopReason.CANCELLED)),
        RunEnded(run=replace(queued, state=RunState.FAILED, stop_reason=StopReason.ATTEMPTS)),
        Rejected(method="api", reason="key_rate"),
        CacheAnswered(category="page", layer="memory", stale=True),
        LimitPassed(limit="service:serper", seconds=0.2),
        LimitRefused(limit="host"),
        LimitHeld(limit="service:serper", seconds=None),
        BreakerChanged(part="cache", state="open"),
        ServerTurned(server="http://a", healthy=False),
        ServerCalled(server="http://b", outcome="answered", seconds=1.0, first_token=0.4, session="kept"),
        ProviderAsked(provider="serper", outcome="empty", seconds=0.3),
        HttpAnswered(method="GET", route="/v1/research", status=200, seconds=0.1, request="r"),
        QueueSeen(depth=Depth(claimable=2, queued=3, running=4, waiting=5, oldest=6.5)),
        PartSeen(part="store", reachable=True),
        DiskSeen(free=0.5),
        LogSeen(lag=Lag(rows=7, seconds=8.5)),
        QuotaSeen(fullest=Fullest(tokens=None, usd=0.75)),
    ):
        counted.told.signal(signal)
    assert counted.value("agent_requests_total", method="api", status="rejected") == 1
    assert counted.value("agent_requests_total", method="mcp", status="cancelled") == 1
    assert counted.value("agent_requests_total", method="mcp", status="error") == 1
    assert counted.value("agent_request_latency_seconds_sum", method="mcp") == 14.0
    assert counted.value("leadline_cache_answers_total", category="page", layer="memory") == 1
    assert counted.value("leadline_cache_stale_total", category="page") == 1
    assert counted.value("leadline_limit_wait_seconds_sum", limit="service:serper") == 0.2
    assert counted.value("leadline_limit_refusals_total", limit="host") == 1
    assert counted.value("leadline_limit_holds_total", limit="service:serper") == 1
    assert counted.value("leadline_breaker_state", part="cache") == 2
    assert counted.value("leadline_breaker_changes_total", part="cache", state="open") == 1
    assert counted.value("leadline_model_server_healthy", server="http://a") == 0
    assert counted.value("leadline_model_server_healthy", server="http://b") == 1
    assert counted.value("leadline_model_first_token_seconds_sum", server="http://b") == 0.4
    assert counted.value("leadline_model_pool_turns_total", session="kept") == 1
    assert counted.value("leadline_provider_requests_total", provider="serper", outcome="empty") == 1
    assert counted.value("leadline_http_seconds_count", route="/v1/research") == 1
    assert counted.value("leadline_queue_runs", state="claimable") == 2
    assert counted.value("leadline_queue_oldest_seconds") == 6.5
    assert counted.value("leadline_rejections_total", reason="key_rate") == 1
    assert counted.value("leadline_reachable", part="store") == 1
    assert counted.value("leadline_disk_free_ratio", folder="data") == 0.5
    assert counted.value("leadline_event_log_lag_rows") == 7
    assert counted.value("leadline_event_log_lag_seconds") == 8.5
    assert counted.value("leadline_quota_used_ratio", quota="usd") == 0.75
    assert counted.value("leadline_quota_used_ratio", quota="tokens") == 0


def test_a_quota_of_yesterday_does_not_stay() -> None:
    counted = Counted()
    counted.told.signal(QuotaSeen(fullest=Fullest(tokens=0.9, usd=0.9)))
    counted.told.signal(QuotaSeen(fullest=Fullest()))
    assert counted.value("leadline_quota_used_ratio", quota="tokens") == 0
    assert counted.value("leadline_quota_used_ratio", quota="usd") == 0


class Broken:
    """A reader with a bug."""

    def event(self, seen: Seen) -> None:
        raise RuntimeError("a bug")

    def signal(self, signal: Signal, run: Followed | None) -> None:
        raise RuntimeError("a bug")


async def test_a_readers_bug_ends_no_run_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    async with rig(tmp_path, told=Broadcast([Broken(), counted.metrics])) as engine:
        told = await engine.ask(WITH_MODEL)
    assert told.run.state is RunState.DONE
    assert counted.value("agent_requests_total", method="api", status="success") == 1
    lines = [r for r in caplog.records if r.message == "telemetry_reader_broke"]
    assert len(lines) == 1
