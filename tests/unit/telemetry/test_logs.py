"""Log lines: what they hold, what they never hold, where they go, and that they hold nobody up."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine import rig

from leadline.domain import Failure, ModelRequest, Options, Question, RunState, StopReason
from leadline.errors import ProviderBroken
from leadline.ports import Run
from leadline.ports.correlation import Ids, Trace, belonging
from leadline.ports.signals import BreakerChanged, HttpAnswered, LimitHeld, RunEnded
from leadline.telemetry.follow import Broadcast
from leadline.telemetry.lines import Lines
from leadline.telemetry.logs import Flood, KafkaHandler, Shape, file, formatter, logging_to
from leadline.telemetry.redaction import HIDDEN, Redactor

QUESTION = "灯塔是哪一年点亮的? When were the lighthouses on the Eddystone lit?"
log = logging.getLogger("leadline.test")


class Written:
    """What was written to a stream of the test's own."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.sink = logging.StreamHandler(self.stream)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    logger = logging.getLogger("leadline")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    assert (logger.handlers[:], logger.level, logger.propagate) == before


@pytest.mark.blocking("a program opens and closes its log around the event loop, not in it")
async def test_a_run_tells_its_story_without_its_content(tmp_path: Path, written: Written) -> None:
    with logging_to(written.sink, Shape(format="json", process="worker")):
        async with rig(tmp_path, told=Broadcast([Lines()])) as engine:
            run_id = await engine.begin(question=QUESTION, language="zh")
            await engine.ended(run_id)
    events = [line["event"] for line in written.lines]
    assert events[0] == "task_started"
    assert events[-1] == "task_completed"
    assert events.count("tool_call") == 2
    assert events.count("task_step") == 4
    (started,) = written.named("task_started")
    assert started["question_length"] == len(QUESTION)
    assert len(started["question_hash"]) == 16
    assert (started["run"], started["tenant"], started["strategy"]) == (run_id, "local", "react")
    assert "question" not in started
    call = written.named("tool_call")[0]
    assert (call["tool"], call["status"]) == ("search", "success")
    assert {"arguments_length", "arguments_hash", "duration_ms", "observation_length"} <= call.keys()
    step = written.named("task_step")[0]
    assert (step["branch"], step["step"], step["action"]) == ("gather", 1, "gather,search")
    (done,) = written.named("task_completed")
    assert (done["status"], done["total_steps"], done["claims"]) == ("success", 4, {"supported": 2})
    assert "Eddystone" not in written.text
    assert len({line["trace"] for line in written.lines if "trace" in line}) == 1
    assert {line["process_name"] for line in written.lines} == {"worker"}


@pytest.mark.blocking("a program opens and closes its log around the event loop, not in it")
async def test_with_content_questions_and_arguments_are_there_unescaped(tmp_path: Path, written: Written) -> None:
    with logging_to(written.sink, Shape(format="json")):
        async with rig(tmp_path, told=Broadcast([Lines(content=True)])) as engine:
            await engine.ended(await engine.begin(question=QUESTION, language="zh"))
    assert "灯塔是哪一年点亮的" in written.text
    assert json.loads(written.named("tool_call")[0]["arguments"]) == {"query": "Eddystone"}


@pytest.mark.blocking("a program opens and closes its log around the event loop, not in it")
async def test_a_failed_run_says_why_by_its_code(tmp_path: Path, written: Written) -> None:
    with logging_to(written.sink, Shape(format="json")):

        def script(request: ModelRequest) -> str:
            raise RuntimeError(f"no answer to {request}")

        async with rig(tmp_path, script, told=Broadcast([Lines()])) as engine:
            await engine.ended(await engine.begin())
    (failed,) = written.named("task_error")
    assert failed["level"] == "error"
    assert (failed["code"], failed["error"]) == ("internal", "internal")
    assert "error_hash" in failed
    assert failed["task_id"] == failed["run"]
    assert "Traceback (most recent call last):\n" in failed["traceback"]
    assert failed["traceback"].endswith("RuntimeError")
    assert "no answer to Model" not in failed["traceback"]
    (broke,) = written.named("run_failed")
    assert "Traceback" in broke["exception"]
    assert broke["exception"].endswith("\nRuntimeError")
    assert "no answer to Model" not in written.text
    assert (broke["code"], broke["run"]) == ("RuntimeError", failed["run"])


@pytest.mark.blocking("a program opens and closes its log around the event loop, not in it")
async def test_with_content_a_failed_run_says_what_failed_and_no_secret(tmp_path: Path, written: Written) -> None:
    with logging_to(written.sink, Shape(format="json", content=True), secrets=["h0rse-battery"]):

        def script(request: ModelRequest) -> str:
            raise RuntimeError("Eddystone by h0rse-battery")

        async with rig(tmp_path, script, told=Broadcast([Lines(content=True)])) as engine:
            await engine.ended(await engine.begin())
    (failed,) = written.named("task_error")
    assert failed["traceback"].endswith(f"\nRuntimeError: Eddystone by {HIDDEN}")
    assert failed["error"] == "an internal error ended the run; the log tells more"
    (broke,) = written.named("run_failed")
    assert broke["exception"].endswith(f"\nRuntimeError: Eddystone by {HIDDEN}")
    assert broke["error"] == f"Eddystone by {HIDDEN}"
    assert "h0rse-battery" not in written.text


def test_every_line_of_a_run_has_it_as_the_task_too(written: Written) -> None:
    with logging_to(written.sink, Shape(format="json")):
        with belonging(Ids(run="r1", tenant="t1")):
            log.warning("a")
        log.warning("b", extra={"run": "r2"})
        log.warning("c", extra={"run": "r3", "task_id": "own"})
        log.warning("d")
    assert [line.get("task_id") for line in written.lines] == ["r1", "r2", "own", None]


def test_a_run_that_the_store_ended_says_why(written: Written) -> None:
    gone = Run(
        id="r1",
        tenant="local",
        seed=1,
        engine="1",
        priority=0,
        attempts=3,
        fence=3,
        question=Question(text=QUESTION, language="zh"),
        options=Options(),
        state=RunState.FAILED,
        created_at=0.0,
        updated_at=9.0,
        stop_reason=StopReason.ATTEMPTS,
        failure=Failure(code="attempts", message="its workers died: Eddystone"),
    )
    with logging_to(written.sink, Shape(format="json")):
        Broadcast([Lines()]).signal(RunEnded(run=gone))
    (failed,) = written.lines
    assert (failed["event"], failed["task_id"], failed["error"]) == ("task_error", gone.id, "attempts")
    assert "Eddystone" not in written.text


def test_lines_belong_to_their_request_and_trace(written: Written) -> None:
    trace = Trace(trace="a" * 32, span="b" * 16)
    with logging_to(written.sink, Shape(format="json")):
        with belonging(Ids(request="q1", trace=trace, run="r1", tenant="t1", call="g/1/tool/0")):
            log.warning("beat_failed", extra={"reason": "地"})
        log.warning("beat_failed", extra={"reason": "x", "run": "r2"})
    inside, outside = written.lines
    assert (inside["request"], inside["trace"], inside["run"], inside["tenant"]) == ("q1", "a" * 32, "r1", "t1")
    assert inside["logger"] == "leadline.test"
    assert inside["timestamp"].endswith("+00:00")
    assert "地" in written.text
    assert outside["run"] == "r2"
    assert "request" not in outside


def _broken(key: str) -> None:
    raise ValueError(f"cannot reach with {key}")


def test_no_secret_is_written_wherever_it_stands(written: Written) -> None:
    key, password = "sk-live-0123456789abcdefghij", "h0rse/battery"
    with logging_to(written.sink, Shape(format="json"), secrets=[key, password, "abc"]):
        log.warning("odd", extra={"reason": f"server said {key}", "deep": {"list": [password], "api_key": "zzz"}})
        log.warning("odd", extra={"url": "redis://user:pass-word@host/0", "headers": "Authorization: Bearer xyz.abc"})
        log.warning("odd", extra={"token": "t", "prompt_tokens": 12, "tokens": 3, "reason": "abc is no secret"})
        try:
            _broken(key)
        except ValueError:
            log.exception("broke")
        log.warning(f"a name with {key}")  # noqa: G004 what a careless line does
    for secret in (key, password, "zzz", "pass-word", "xyz.abc"):
        assert secret not in written.text
    assert written.text.count(HIDDEN) >= 6
    (line,) = [line for line in written.lines if "tokens" in line]
    assert (line["prompt_tokens"], line["tokens"], line["token"]) == (12, 3, HIDDEN)
    assert line["reason"] == "abc is no secret"


def _caused() -> None:
    try:
        dict[str, str]()[QUESTION]
    except KeyError as error:
        raise ProviderBroken(f"no such thing: {QUESTION}") from error


@pytest.mark.parametrize("pretty", [True, False])
def test_what_an_exception_says_is_content(written: Written, *, pretty: bool) -> None:
    """It may quote a question, a page or an address: in the traceback's last lines too, and of its causes."""
    with logging_to(written.sink, Shape(format="pretty" if pretty else "json")):
        try:
            _caused()
        except ProviderBroken as error:
            log.exception("broke")
            log.warning("odd", extra={"error": error})
    assert "Eddystone" not in written.text
    assert "灯塔" not in written.text
    assert written.text.count("provider_broken") == 4
    assert "in _caused" in written.text
    if not pretty:
        broke, odd = written.lines
        assert broke["exception"].count("Traceback") == 2
        assert broke["error_hash"] == odd["error_hash"]
        assert odd["error_length"] == len(f"no such thing: {QUESTION}")


def test_keys_of_the_service_are_known_by_their_looks() -> None:
    redact = Redactor()
    assert redact.text("key ll_0123456789abcdefABCDEF ended") == f"key ll_{HIDDEN} ended"
    assert redact.text("?api_key=abc&q=1") == f"?api_key={HIDDEN}&q=1"
    assert redact.text("nothing here") == "nothing here"


def test_a_flood_is_sampled_counted_and_never_hides_an_error(written: Written) -> None:
    now = 0.0
    flood = Flood(5, monotonic=lambda: now)
    logger = logging.getLogger("leadline")
    before = (logger.handlers[:], logger.level)
    written.sink.setFormatter(formatter(pretty=False, redactor=Redactor()))
    written.sink.addFilter(flood)
    logger.handlers[:] = [written.sink]
    logger.setLevel(logging.INFO)
    try:
        for _ in range(100):
            log.info("http_request")
        for _ in range(10):
            log.error("broke")
        log.info("other")
        now = 1.5
        log.info("http_request")
    finally:
        logger.handlers[:], level = before
        logger.setLevel(level)
    assert len(written.named("http_request")) == 6
    assert len(written.named("broke")) == 10
    assert len(written.named("other")) == 1
    (told,) = written.named("log_sampled")
    assert told["left_out"] == {"http_request": 95}


def test_requests_breakers_and_limits_are_told(written: Written) -> None:
    lines = Broadcast([Lines()])
    with logging_to(written.sink, Shape(format="json")):
        lines.signal(
            HttpAnswered(
                method="POST", route="/v1/research", status=202, seconds=0.0125, request="q", client="10.0.0.7"
            )
        )
        lines.signal(BreakerChanged(part="cache", state="open"))
        lines.signal(LimitHeld(limit="service:serper", seconds=2.0))
    access, breaker, held = written.lines
    assert (access["event"], access["status"], access["duration_ms"]) == ("http_request", 202, 12.5)
    assert access["logger"] == "leadline.access"
    assert (breaker["event"], breaker["level"], breaker["part"]) == ("breaker_changed", "warning", "cache")
    assert (held["limit"], held["seconds"]) == ("service:serper", 2.0)


def test_a_level_holds(written: Written) -> None:
    with logging_to(written.sink, Shape(format="json", level="warning")):
        log.info("quiet")
        log.warning("loud")
    assert [line["event"] for line in written.lines] == ["loud"]


def test_on_a_terminal_lines_are_for_a_person(written: Written) -> None:
    written.stream.isatty = lambda: True  # type: ignore[method-assign]  # a terminal of the test's own
    with logging_to(written.sink, Shape(format="auto")):
        log.warning("beat_failed", extra={"reason": "away"})
    assert "beat_failed" in written.text
    assert not written.text.startswith("{")


def test_a_file_that_is_moved_away_is_begun_anew(tmp_path: Path) -> None:
    place = tmp_path / "logs" / "leadline.log"
    with logging_to(file(place), Shape(format="json")):
        log.warning("first")
        log.warning("second")
    place.rename(place.with_suffix(".1"))
    with logging_to(file(place), Shape(format="json")):
        log.warning("third")
    assert [json.loads(line)["event"] for line in place.read_text(encoding="utf-8").splitlines()] == ["third"]


class Broker:
    """A producer whose queue holds two messages."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def produce(self, topic: str, value: bytes) -> None:
        if len(self.sent) == 2:
            raise BufferError
        self.sent.append((topic, value))

    def poll(self, timeout: float) -> int:
        return 0

    def flush(self, timeout: float) -> int:
        return 0


def test_a_broker_that_is_away_costs_lines_and_nothing_else() -> None:
    broker = Broker()
    with logging_to(KafkaHandler(broker, "logs"), Shape(format="json")):
        for _ in range(5):
            log.warning("odd", extra={"text": "汉字"})
    assert [topic for topic, _ in broker.sent] == ["logs", "logs"]
    assert json.loads(broker.sent[0][1])["text"] == "汉字"
