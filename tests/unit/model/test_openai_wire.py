"""Chunks of servers that take liberties with the API."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import Message, ModelRequest, Usage
from leadline.model.openai_wire import Assembly, Quirks, body


def assembled(*deltas: dict[str, Any], finish: str = "stop") -> Any:
    assembly = Assembly()
    for delta in deltas:
        assembly.take({"choices": [{"delta": delta}]})
    assembly.take({"choices": [{"delta": {}, "finish_reason": finish}]})
    assembly.close()
    return assembly.answer(usage=Usage())


def call(index: int | None = None, id: str | None = None, **function: Any) -> dict[str, Any]:
    delta: dict[str, Any] = {"function": function}
    if index is not None:
        delta["index"] = index
    if id is not None:
        delta["id"] = id
    return {"tool_calls": [delta]}


def calls(answer: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [(c.id, c.name, dict(c.arguments)) for c in answer.tool_calls]


def test_calls_that_all_have_index_zero_are_told_apart_by_id() -> None:
    answer = assembled(call(0, "a", name="f", arguments='{"x":1}'), call(0, "b", name="f", arguments='{"x":2}'))
    assert calls(answer) == [("a", "f", {"x": 1}), ("b", "f", {"x": 2})]


def test_calls_without_index_are_told_apart_by_id() -> None:
    answer = assembled(
        call(None, "a", name="f", arguments='{"x":'), call(None, arguments="1}"), call(None, "b", name="g")
    )
    assert calls(answer) == [("a", "f", {"x": 1}), ("b", "g", {})]


def test_interleaved_calls_are_put_together_by_index() -> None:
    answer = assembled(
        call(0, "a", name="f"),
        call(1, "b", name="g"),
        call(0, arguments='{"x"'),
        call(1, arguments='{"y":'),
        call(0, arguments=":1}"),
        call(1, arguments="2}"),
    )
    assert calls(answer) == [("a", "f", {"x": 1}), ("b", "g", {"y": 2})]


def test_a_repeated_name_is_one_name() -> None:
    answer = assembled(call(0, "a", name="search", arguments="{"), call(0, "a", name="search", arguments="}"))
    assert calls(answer) == [("a", "search", {})]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"n": Infinity}', {"n": None}),
        ('{"n": NaN, "m": 1,}', {"n": None, "m": 1}),
        ('{"q": ["a", "b"', {"q": ["a", "b"]}),
        ("{'q': 'x'}", {"q": "x"}),
        ('"{\\"q\\": 1}"', {"q": 1}),
        ("", {}),
    ],
)
def test_arguments_are_repaired(arguments: str, expected: dict[str, Any]) -> None:
    assert calls(assembled(call(0, "a", name="f", arguments=arguments))) == [("a", "f", expected)]


def test_arguments_that_are_an_object_already() -> None:
    assert calls(assembled(call(0, "a", name="f", arguments={"q": 1}))) == [("a", "f", {"q": 1})]


def test_content_in_parts_and_both_reasoning_fields() -> None:
    answer = assembled({"content": [{"type": "text", "text": "Hi"}], "reasoning_content": "r", "reasoning": "r"})
    assert (answer.text, answer.reasoning) == ("Hi", "r")


def test_sealed_reasoning_is_kept_to_go_back() -> None:
    answer = assembled({"reasoning_details": [{"id": 1}]}, {"content": "x", "reasoning_details": [{"id": 2}]})
    assert answer.opaque == {"reasoning_details": [{"id": 1}, {"id": 2}]}


@pytest.mark.parametrize(
    ("sent", "finish"), [("eos_token", "stop"), ("max_tokens", "length"), ("content_filter", "content_filter")]
)
def test_finish_reasons_of_other_servers(sent: str, finish: str) -> None:
    assert assembled({"content": "x"}, finish=sent).finish == finish


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None}, (9, 2, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}, (9, 2, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 99}, (9, 2, 9)),
    ],
)
def test_usage(usage: Any, expected: tuple[int, int, int] | None) -> None:
    assembly = Assembly()
    assembly.take({"choices": [], "usage": usage})
    seen = assembly.usage
    assert (seen and (seen.prompt_tokens, seen.completion_tokens, seen.cached_tokens)) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "index",
                    "id",
                    "usage",
                    "finish_reason",
                    "reasoning",
                    "reasoning_details",
                    "model",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(st.lists(st.dictionaries(st.sampled_from(["choices", "usage", "model"]), _JSON), max_size=4))
def test_no_shape_of_json_raises(chunks: list[dict[str, Any]]) -> None:
    assembly = Assembly()
    for chunk in chunks:
        assembly.take(chunk)
    assembly.close()
    assembly.answer(usage=Usage())


def test_lone_surrogates_do_not_stop_a_request() -> None:
    request = ModelRequest(messages=(Message(role="user", content="a\ud800b"),), model="m")
    assert orjson.loads(body(request, quirks=Quirks()))["messages"][0]["content"] == "a?b"


def test_extra_fields_are_added() -> None:
    request = ModelRequest(messages=(), model="m")
    sent = orjson.loads(body(request, quirks=Quirks(usage_option=False), extra={"presence_penalty": 1.1}))
    assert sent["presence_penalty"] == 1.1
    assert "stream_options" not in sent
