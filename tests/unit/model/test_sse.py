"""The event parser, by the rules of the WHATWG."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.model.sse import EventParser, EventTooLarge, ServerEvent


def parsed(*chunks: bytes) -> list[ServerEvent]:
    parser = EventParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.close()


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [b"YHOO\n+2\n10"]),
        (b": comment\n\ndata: a\n\n", [b"a"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b"data\n\n", [b""]),
        (b"data\ndata\n\n", [b"\n"]),
        (b"id: 1\nretry: 10\nunknown: x\ndata: a\n\n", [b"a"]),
        (b"event: x\n\n", []),
        (b"data: cut off", [b"cut off"]),
        (b"data: cut off\n", [b"cut off"]),
        (b"", []),
    ],
)
def test_streams_of_the_standard(stream: bytes, data: list[bytes]) -> None:
    assert [event.data for event in parsed(stream)] == data


def test_an_event_has_its_own_name_only() -> None:
    assert parsed(b"event: error\ndata: a\n\ndata: b\n\n") == [(b"error", b"a"), (b"", b"b")]


_LINES = st.lists(
    st.sampled_from([b"data: x", b'data: {"a": 1}', b"", b"", b": hm", b"event: e", b"data", b"id: 4"]),
    max_size=20,
)


@given(_LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 300), max_size=12))
def test_where_the_stream_is_cut_makes_no_difference(lines: list[bytes], end: bytes, cuts: list[int]) -> None:
    stream = b"".join(line + end for line in lines)
    places = sorted({cut for cut in cuts if cut < len(stream)} | {0, len(stream)})
    chunks = [stream[a:b] for a, b in pairwise(places)]
    assert parsed(*chunks) == parsed(b"".join(line + b"\n" for line in lines))


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_nothing_raises(chunks: list[bytes]) -> None:
    for event in parsed(*chunks):
        assert b"\r" not in event.data


def test_an_event_beyond_the_cap_is_refused_before_it_ends() -> None:
    parser = EventParser(max_event=1000)
    for _ in range(50):
        parser.feed(b"data: " + b"x" * 100 + b"\n\n")
    parser.feed(b"data: " + b"y" * 900)
    with pytest.raises(EventTooLarge):
        parser.feed(b"y" * 200)
    parser = EventParser(max_event=1000)
    parser.feed(b"data: " + b"y" * 900 + b"\n")
    with pytest.raises(EventTooLarge):
        parser.feed(b"data: " + b"y" * 200 + b"\n")
