"""Ids of runs, calls and traces: derived, carried with the task, and never made up from rubbish."""

from __future__ import annotations

import asyncio

import pytest

from leadline.domain import Origin
from leadline.ports.correlation import (
    Ids,
    Trace,
    begun,
    belonging,
    calling,
    current,
    origin_here,
    outgoing_headers,
    parse_traceparent,
    recorded_headers,
    span_of,
    trace_of,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "rubbish",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\r\nX: y",
    ],
)
def test_what_is_no_place_in_a_trace_is_none(header: str) -> None:
    assert parse_traceparent(header) is None


def test_a_place_is_read_and_written_as_it_stands() -> None:
    place = parse_traceparent(f"00-{TRACE}-{SPAN}-01")
    assert place == Trace(trace=TRACE, span=SPAN, sampled=True)
    assert place is not None
    assert place.header == f"00-{TRACE}-{SPAN}-01"
    later = parse_traceparent(f"cc-{TRACE}-{SPAN}-00-what-comes-later")
    assert later == Trace(trace=TRACE, span=SPAN)


def test_a_runs_ids_derive_and_differ() -> None:
    own = trace_of("run-1", Origin())
    assert own == trace_of("run-1", Origin())
    assert own.trace != trace_of("run-2", Origin()).trace
    assert len({span_of("run-1"), span_of("run-1", "g/1/tool/0"), span_of("run-1", "g/1/tool/1")}) == 3
    asked = trace_of("run-1", Origin(traceparent=f"00-{TRACE}-{SPAN}-01"), share=1.0)
    assert (asked.trace, asked.span, asked.sampled) == (TRACE, own.span, True)


def test_a_share_of_traces_is_recorded_and_who_asked_decides_before() -> None:
    own = [f"{number:032x}" for number in range(0, 1 << 56, (1 << 56) // 1_000)]
    chosen = [begun(None, trace, span=SPAN, share=0.25).sampled for trace in own]
    assert 0.24 <= sum(chosen) / len(chosen) <= 0.26
    asked = Trace(trace=TRACE, span=SPAN, sampled=True)
    assert begun(asked, own[-1], span=SPAN, share=0.01).sampled
    assert not begun(asked, own[0], span=SPAN, share=0.0).sampled
    assert not begun(Trace(trace=TRACE, span=SPAN), own[0], span=SPAN, share=1.0).sampled


async def test_work_belongs_to_its_own_task() -> None:
    async def one(name: str) -> str:
        with belonging(Ids(run=name, trace=trace_of(name, Origin()))), calling("g/1/tool/0"):
            await asyncio.sleep(0)
            return f"{current().run} {current().call}"

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(name)) for name in ("a", "b")]
    assert [task.result() for task in tasks] == ["a g/1/tool/0", "b g/1/tool/0"]
    assert current() == Ids()
    with calling("g/1/tool/0"):
        assert current() == Ids()


def test_our_services_are_told_always_and_models_only_what_is_recorded() -> None:
    assert outgoing_headers() == {}
    place = Trace(trace=TRACE, span=SPAN)
    with belonging(Ids(request="q-1", trace=place)):
        assert outgoing_headers() == {"X-Request-Id": "q-1", "traceparent": place.header}
        assert recorded_headers() == {}
        assert origin_here("api") == Origin(method="api", request="q-1", traceparent=place.header)
    with belonging(Ids(trace=Trace(trace=TRACE, span=SPAN, sampled=True))):
        assert recorded_headers() == {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    assert origin_here("cli") == Origin(method="cli")
