from __future__ import annotations

from leadline.domain import Flag, Options, Question, Usage
from leadline.events import (
    ContextFolded,
    Event,
    FlagSeen,
    ModelAnswered,
    ModelAsked,
    Record,
    RunHandedOver,
    RunResumed,
    RunStarted,
)
from leadline.research.history import History

STARTED = RunStarted(question=Question(text="q", language="en"), options=Options(), seed=1, engine="1")


def asked(call: str) -> ModelAsked:
    return ModelAsked(call=call, model="m", request="x", purpose="gather", reserved=Usage(prompt_tokens=5))


def history(*events: tuple[float, str, Event]) -> History:
    return History([Record(seq=n, at=at, branch=branch, event=e) for n, (at, branch, e) in enumerate(events, 1)])


def test_time_counts_only_while_a_worker_holds_the_run() -> None:
    made = history(
        (100.0, "", STARTED),
        (110.0, "gather", asked("gather/1/model/0")),
        (4_000.0, "", RunResumed(owner="b", attempt=1, engine="1")),
        (4_007.0, "gather", ModelAnswered(call="gather/1/model/0")),
        (4_008.0, "", RunHandedOver(owner="b", reason="drain")),
        (9_000.0, "", RunResumed(owner="c", attempt=1, engine="1")),
    )
    held = made.timeline.held
    assert [held(at) for at in (90.0, 100.0, 110.0, 4_000.0, 4_007.0, 9_000.0, 9_001.5)] == [
        0.0,
        0.0,
        10.0,
        10.0,
        17.0,
        18.0,
        19.5,
    ]


def test_a_call_is_lost_once_for_each_worker_that_died_over_it() -> None:
    made = history(
        (1.0, "", STARTED),
        (2.0, "gather", asked("gather/1/model/0")),
        (2.0, "gather", asked("gather/1/model/1")),
        (3.0, "gather", ModelAnswered(call="gather/1/model/0")),
        (4.0, "", RunResumed(owner="b", attempt=1, engine="1")),
        (5.0, "", RunResumed(owner="c", attempt=2, engine="1")),
    )
    assert {name: past.lost for name, past in made.calls.items()} == {"gather/1/model/0": 0, "gather/1/model/1": 2}


def test_a_round_at_work_has_looked_at_its_flags() -> None:
    folded = ContextFolded(round=3, before=9, after=1, reason="window")
    made = history(
        (1.0, "", STARTED),
        (2.0, "gather", asked("gather/2/model/0")),
        (2.5, "gather", folded),
        (3.0, "gather", FlagSeen(round=2, flag=Flag.FINISH)),
    )
    assert [made.passed("gather", n) for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert not made.passed("write", 0)
    assert made.flags == {("gather", 2): Flag.FINISH}
    assert [record.event for record in made.notes["gather"]] == [folded]


def test_a_journal_without_a_beginning_says_so() -> None:
    assert history().started is None
    assert history((1.0, "", STARTED)).began_at == 1.0
