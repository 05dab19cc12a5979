"""What the gateway reads of requests and answers, and that it reads them however they are cut."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.model.gateway.peek import NotAsked, Tail, before_error, counted, peek

STREAM = (
    b'data: {"choices":[{"delta":{"content":"a [DONE] b \\"finish_reason\\": \\"no"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42}}\n\n'
    b"data: [DONE]\n\n"
)


def conversation(*texts: str, system: str = "Be careful.", user: str | None = None) -> bytes:
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}]
    messages += [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
    return orjson.dumps({"model": "m", "messages": messages} | ({"user": user} if user else {}))


def session(body: bytes) -> str:
    return peek(body, session="").session


def test_a_conversation_keeps_its_name_from_turn_to_turn() -> None:
    first = session(conversation("What is it?"))
    assert first
    assert session(conversation("What is it?", "This.", "And that?")) == first
    assert session(conversation("What else is it?")) != first
    assert session(conversation("What is it?", user="u1")) != first
    assert peek(conversation("What is it?"), session="named").session == "named"


def test_what_is_no_conversation_has_no_home() -> None:
    assert session(b'{"model": "m", "input": ["a", "b"]}') == ""
    assert session(b'{"model": "m", "prompt": "Once"}') != session(b'{"model": "m", "prompt": "Twice"}')


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'"text"', b"\xff\xfe"], ids=str)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotAsked):
        peek(body, session="")


@pytest.mark.parametrize(
    "body",
    [b'{"messages": 7}', b'{"messages": [null, 3]}', b'{"model": 3, "max_tokens": "many"}', b'{"max_tokens": -5}'],
    ids=str,
)
def test_odd_fields_are_the_servers_affair(body: bytes) -> None:
    assert peek(body, session="").tokens > 0


def test_what_a_request_may_cost_is_its_prompt_and_its_answer() -> None:
    small = peek(conversation("x" * 4000), session="")
    assert 1000 <= small.prompt_tokens <= 1100
    assert small.tokens == small.prompt_tokens + 1024
    large = orjson.dumps(orjson.loads(conversation("x")) | {"max_completion_tokens": 9000})
    assert peek(large, session="").tokens > 9000


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_end_of_a_stream_is_seen_however_it_is_cut(places: list[int]) -> None:
    tail = Tail()
    edges = [0, *sorted(places), len(STREAM)]
    for start, end in pairwise(edges):
        tail.take(STREAM[start:end])
    assert tail.done
    assert tail.whole
    assert tail.tokens(0) == 42
    assert tail.error == b""


@given(st.integers(0, STREAM.index(b'"finish_reason":"stop"')))
def test_a_stream_that_was_cut_is_not_whole(end: int) -> None:
    tail = Tail()
    tail.take(STREAM[:end])
    assert not tail.done
    assert not tail.whole


def test_an_answer_without_counts_is_counted_by_events() -> None:
    tail = Tail()
    for _ in range(7):
        tail.take(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
    assert tail.tokens(100) == 107
    assert counted(b"{}") == 0


def test_an_error_in_a_stream_is_found_and_what_came_before_it_kept() -> None:
    good, bad = b'data: {"choices":[]}\n\n', b'data: {"error":{"message":"died"}}\n\n'
    tail = Tail()
    tail.take(good + bad)
    assert orjson.loads(tail.error)["error"]["message"] == "died"
    assert before_error(good + bad) == good
    assert before_error(good) == good
    quoting = b'data: {"choices":[{"delta":{"content":"data: {\\"error\\"}"}}]}\n\n'
    tail = Tail()
    tail.take(quoting)
    assert tail.error == b""
