"""A stream of server-sent events is cut right wherever its bytes are split, and hostile ones are typed failures."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.client.stream import Frame, Frames, item_of, record_of
from leadline.errors import ServiceError
from leadline.events import FlagSeen, Progress, Record

STREAM = (
    b"retry: 2000\n\n: still here\n\n"
    b'id: 1\nevent: flag_seen\ndata: {"seq":1,"at":2.5,"branch":"","type":"flag_seen","round":3,"flag":"finish"}\n\n'
    b"event: news\r\ndata: one\r\ndata:two\r\n\r\n"
    + 'event: progress\ndata: {"run_id":"r","branch":"b","kind":"text","text":"桥"}\n\n'.encode()
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_the_cuts_do_not_matter(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    frames = Frames()

    found = [f for start, end in pairwise(places) for f in frames.feed(STREAM[start:end])]

    assert found[0] == Frame(retry=2000)
    assert [frame.event for frame in found[1:]] == ["flag_seen", "news", "progress"]
    assert found[2].data == "one\ntwo"


def test_events_are_those_of_the_journal_and_unknown_ones_say_nothing() -> None:
    items = [item_of(frame) for frame in Frames().feed(STREAM)]

    assert isinstance(items[1], Record)
    assert isinstance(items[1].event, FlagSeen)
    assert (items[1].seq, items[1].at, items[1].event.round) == (1, 2.5, 3)
    assert items[3] == Progress(run_id="r", branch="b", kind="text", text="桥")
    assert (items[0], items[2]) == (None, None)


@pytest.mark.parametrize("data", ["", "[]", "{}", '{"seq": "x"}', '{"seq":1,"at":1,"branch":"","type":"flag_seen"}'])
def test_a_known_event_in_another_form_is_a_failure(data: str) -> None:
    with pytest.raises(ServiceError):
        item_of(Frame(event="flag_seen", data=data))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_cutter(data: bytes) -> None:
    frames = Frames()
    for frame in [*frames.feed(data), *frames.feed(b"\n\n")]:
        try:
            item_of(frame)
        except ServiceError:
            continue


def test_a_journals_line_is_its_record() -> None:
    line = {"seq": 4, "at": 1.0, "branch": "plan", "type": "flag_seen", "round": 1, "flag": "cancel"}
    assert record_of(line).branch == "plan"
