"""Model text to a typed turn."""

from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import ToolCall, ToolSpec
from leadline.research.parse import MAX_CALLS, Answer, Calls, Malformed, Turn, extract_calls, parse_turn

SEARCH = ToolSpec(
    name="search",
    description="",
    parameters={"type": "object", "properties": {"query": {"type": "array"}, "limit": {}}, "required": ["query"]},
)
VISIT = ToolSpec(
    name="visit", description="", parameters={"properties": {"url": {}, "goal": {}}, "required": ["url", "goal"]}
)
PYTHON = ToolSpec(name="PythonInterpreter", description="", parameters={"properties": {"code": {}}})
TOOLS = (SEARCH, VISIT, PYTHON)


def turn(text: str) -> Turn:
    return parse_turn(text, tools=TOOLS)


def calls(text: str) -> list[tuple[str, object]]:
    found = turn(text)
    assert isinstance(found, Calls), found
    return [(call.name, dict(call.arguments)) for call in found.calls]


# --- calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "search", "arguments": {"query": ["tides"]}}</tool_call>',
        '<tool_call>\n{"name": "search", "arguments": {"query": ["tides"]}}\n',
        '<think>hm</think>\n<tool_call>{"name": "search", "arguments": {"query": ["tides"]}}</tool_call> and more',
        '<tool_call>{"name": "search", "arguments": "{\\"query\\": [\\"tides\\"]}"}</tool_call>',
        "<tool_call>{'name': 'search', 'arguments': {'query': ['tides']}}</tool_call>",
        '<tool_call>{"name": "search", "arguments": {"query": ["tides",],},}</tool_call>',
        '<tool_call>{"name": "search", "arguments": {"query": ["tides"]',
        '<tool_call>```json\n{"name": "search", "arguments": {"query": ["tides"]}}\n```</tool_call>',
        '<tool_call>{"name": "search", "parameters": {"query": ["tides"]}}</tool_call>',
        '<tool_call>{"function": {"name": "search", "arguments": {"query": ["tides"]}}}</tool_call>',
        '<tool_call>{"name": "functions.Search", "arguments": {"query": ["tides"]}}</tool_call>',
        '<tool_call>{"name": "search", "query": ["tides"]}</tool_call>',
        '<tool_call>{"name": "search", "arguments": ["tides"]}</tool_call>',
        '<tool_call><function=search><parameter=query>["tides"]</parameter></function></tool_call>',
        'I will search.\n```json\n{"name": "search", "arguments": {"query": ["tides"]}}\n```',
        '{"name": "search", "arguments": {"query": ["tides"]}}',
        '<think>let me <tool_call>{"name": "search", "arguments": {"query": ["tides"]}}</tool_call>',
        '<think>so <tool_call>{"name": "search", "arguments": {"query": ["tides"]}}</tool_call></think>',
        'thought without opening</think><tool_call>{"name": "search", "arguments": {"query": ["tides"]}}</tool_call>',
    ],
)
def test_one_call_in_many_guises(text: str) -> None:
    assert calls(text) == [("search", {"query": ["tides"]})]


def test_several_calls_in_every_arrangement() -> None:
    one, two = (
        '{"name": "search", "arguments": {"query": ["a"]}}',
        '{"name": "visit", "arguments": {"url": "u", "goal": "g"}}',
    )
    expected = [("search", {"query": ["a"]}), ("visit", {"url": "u", "goal": "g"})]
    for text in (
        f"<tool_call>{one}</tool_call>\n<tool_call>{two}</tool_call>",
        f"<tool_call>{one}<tool_call>{two}",
        f"<tool_call>{one}\n{two}</tool_call>",
        f"<tool_call>[{one}, {two}]</tool_call>",
    ):
        assert calls(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}\n<code>\nprint({"a": 1})\n</code>\n</tool_call>',
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}<code>print({"a": 1})</code></tool_call>',
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}<code>\nprint({"a": 1})\n</code>',
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}<code>\nprint({"a": 1})\n',
        '<tool_call>{"name": "PythonInterpreter"}<code>print({"a": 1})</code></tool_call>',
        '<tool_call>{"name": "PythonInterpreter", "arguments": {"code": "print({\\"a\\": 1})"}}</tool_call>',
    ],
)
def test_programs_stand_beside_the_json(text: str) -> None:
    assert calls(text) == [("PythonInterpreter", {"code": 'print({"a": 1})'})]


def test_tags_inside_a_program_or_a_string_are_data() -> None:
    text = (
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}<code>print("<tool_call></tool_call> <answer>")</code></tool_call>'
        '<tool_call>{"name": "search", "arguments": {"query": ["what does <answer> mean"]}}</tool_call>'
    )
    assert calls(text) == [
        ("PythonInterpreter", {"code": 'print("<tool_call></tool_call> <answer>")'}),
        ("search", {"query": ["what does <answer> mean"]}),
    ]


def test_the_name_decides_never_a_word_in_the_arguments() -> None:
    text = '<tool_call>{"name": "search", "arguments": {"query": ["python <code> packaging"]}}</tool_call>'
    assert calls(text) == [("search", {"query": ["python <code> packaging"]})]


def test_a_self_written_observation_is_cut_off() -> None:
    text = (
        '<tool_call>{"name": "search", "arguments": {"query": ["a"]}}</tool_call>\n<tool_response>\nall found\n'
        '</tool_response>\n<tool_call>{"name": "visit", "arguments": {"url": "u", "goal": "g"}}</tool_call>'
    )
    assert calls(text) == [("search", {"query": ["a"]})]
    assert turn("Plain words. <tool_response>invented</tool_response>") == Answer(text="Plain words.")


def test_an_answer_written_without_the_observation_is_not_one() -> None:
    text = '<tool_call>{"name": "search", "arguments": {"query": ["a"]}}</tool_call><answer>42</answer>'
    assert calls(text) == [("search", {"query": ["a"]})]


def test_infinity_and_large_numbers_become_what_json_can_hold() -> None:
    text = '<tool_call>{"name": "search", "arguments": {"query": ["a"], "limit": Infinity, "n": 1e999, "m": 99999999999999999999999}}'
    (found,) = calls(text)
    assert found == ("search", {"query": ["a"], "limit": None, "n": None, "m": 1e23})
    orjson.dumps(found)


def test_a_call_that_cannot_be_read_is_told_beside_the_others() -> None:
    text = '<tool_call>{"name": "search", "arguments": {"query": ["a"]}}</tool_call><tool_call>search for b</tool_call>'
    found = turn(text)
    assert isinstance(found, Calls)
    assert len(found.calls) == 1
    assert found.broken == ("The call is not JSON.",)


def test_an_unknown_tool_is_left_for_the_caller_to_refuse() -> None:
    assert calls('<tool_call>{"name": "teleport", "arguments": {"to": "x"}}</tool_call>') == [("teleport", {"to": "x"})]


def test_native_calls_win() -> None:
    native = (ToolCall(name="search", arguments={"query": ["n"]}, id="1"),)
    found = parse_turn(
        '<think>hm</think><tool_call>{"name": "visit", "arguments": {}}</tool_call>', native, tools=TOOLS
    )
    assert found == Calls(calls=native, thought="hm")


# --- answers and what is neither ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer", "thought", "tagged"),
    [
        ("Paris.", "Paris.", "", False),
        ("<think>France</think>Paris.", "Paris.", "France", False),
        ("France</think>Paris.", "Paris.", "France", False),
        ("<think>a</think><answer>Paris.</answer>", "Paris.", "a", True),
        ("<think>a</think>So: <answer>\nParis.", "Paris.", "a", True),
        ("<think>never closed <answer>Paris.</answer>", "Paris.", "never closed", True),
        ('<answer>{"name": "search", "arguments": {}}</answer>', '{"name": "search", "arguments": {}}', "", True),
        ('{"capital": "Paris"}', '{"capital": "Paris"}', "", False),
        ('{"name": "Paris", "arguments": {}}', '{"name": "Paris", "arguments": {}}', "", False),
        ("<answer>Paris.</answer><tool_call>{}</tool_call>", "Paris.", "", True),
    ],
)
def test_answers(text: str, answer: str, thought: str, tagged: bool) -> None:
    assert turn(text) == Answer(text=answer, thought=thought, tagged=tagged)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("<think>only thought</think>", "empty"),
        ("<answer> </answer>", "empty"),
        ("<tool_response>x</tool_response>", "empty"),
        ("<think>it never ends", "unclosed_thought"),
        ("<tool_call></tool_call>", "broken_call"),
        ("<tool_call>search for tides</tool_call>", "broken_call"),
        ('<tool_call>{"arguments": {"query": ["a"]}}</tool_call>', "broken_call"),
        ('<tool_call>{"name": "visit", "arguments": "hello"}</tool_call>', "broken_call"),
        ("<tool_call>" + "[" * 5000, "broken_call"),
        (
            '<tool_call>{"name": "search", "arguments": {"query": ["a"]}}</tool_call>' * (MAX_CALLS + 1),
            "too_many_calls",
        ),
    ],
)
def test_what_is_malformed_says_so(text: str, code: str) -> None:
    found = turn(text)
    assert isinstance(found, Malformed), found
    assert found.code == code
    assert found.reason
    assert found.text == text


def test_extract_calls_takes_arguments_of_any_kind() -> None:
    text = '<tool_call>{"name": "say", "arguments": "hello"}</tool_call>'
    assert extract_calls(text) == [{"name": "say", "arguments": "hello"}]
    assert extract_calls("no call") == []


# --- any input ---------------------------------------------------------------------------------

PIECES = (
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<answer>", "</answer>", "<tool_response>", "<code>", "</code>",
    '{"name": "search", "arguments": {"query": ["a"]}}', '{"name": "search", "arguments": ', '"', "'", "{", "}", "[", "]", ":", ",",
    "\\", "\\u12", "\\ud800", "\ud800", "//", "/*", "#", "```json\n", "```", "name", "search", "1e9", "-", "null", "\n", " ", "+", "(", ")",
    "“", "`", "<function=search>", "<parameter=query>", "...", "=>", "\x00",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=40))
def test_no_text_raises_and_every_call_can_be_recorded(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = turn(text)
    if isinstance(found, Calls):
        orjson.dumps([dict(call.arguments) for call in found.calls])
    extract_calls(text)
    parse_turn(text)


HOSTILE = (
    "<tool_call>",
    "<think>",
    "</think>",
    "<answer>",
    '{"a":',
    "[",
    '"',
    "'",
    '"a",',
    '"x" # ',
    "{a:b,",
    '["x" "y" ',
    "\\",
    "a: b\n",
    "<code>",
)


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("head", ["", '<tool_call>{"name": "search", "arguments": {"q": ["'])
def test_time_grows_with_the_text_and_no_faster(piece: str, head: str) -> None:
    def seconds(size: int) -> float:
        text = head + piece * (size // len(piece))
        start = time.thread_time()
        turn(text)
        return time.thread_time() - start

    small = min(seconds(60_000) for _ in range(2))
    # Quadratic time would make this 100 times longer.
    assert seconds(600_000) < 40 * small + 0.1
