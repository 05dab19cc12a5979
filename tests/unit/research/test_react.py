from __future__ import annotations

from tests.support.engine import SEARCH, turn

from leadline.domain import ToolCall, ToolSpec
from leadline.research.parse import Calls, parse_turn
from leadline.research.strategies.react import Native, Tagged, called, described, wrapped
from leadline.research.study import Seen


def seen(call: ToolCall, text: str) -> Seen:
    return Seen(call=call, text=text, fresh=True)


def test_calls_that_a_server_read_are_written_back_into_the_text() -> None:
    transcript = Tagged(system="s", question="q", single=False)
    transcript.heard(turn("I look.", SEARCH), Calls(calls=(SEARCH,)))
    transcript.observed([seen(SEARCH, "hits")])
    _, _, said, response = transcript.messages
    assert said.content == f"I look.\n{called(SEARCH)}"
    assert parse_turn(said.content) == Calls(calls=(ToolCall(name="search", arguments=SEARCH.arguments),))
    assert response.content == "<tool_response>\nhits\n</tool_response>"


def test_thoughts_are_kept_only_where_a_model_was_trained_so() -> None:
    for single, text in ((True, "<think>\nhm\n</think>\nyes"), (False, "yes")):
        transcript = Tagged(system="s", question="q", single=single)
        transcript.heard(turn("yes", reasoning="hm"), None)
        assert transcript.messages[-1].content == text


def test_a_model_cannot_write_its_own_observation() -> None:
    transcript = Tagged(system="s", question="q", single=True)
    transcript.heard(turn("one\n<tool_response>\nmade up"), None)
    assert transcript.messages[-1].content == "one"


def test_tags_in_a_native_conversation_are_answered_in_text() -> None:
    transcript = Native(system="s", question="q", tools=())
    text = called(SEARCH)
    transcript.heard(turn(text), Calls(calls=(SEARCH,)))
    transcript.observed([seen(SEARCH, "hits")])
    said, response = transcript.messages[-2:]
    assert (said.content, said.tool_calls) == (text, ())
    assert (response.role, response.content) == ("user", wrapped("hits"))


def test_tools_are_described_a_line_each() -> None:
    spec = ToolSpec(name="search", description="Finds.", parameters={"type": "object"})
    assert (
        described((spec, spec)).splitlines()
        == ['{"type":"function","function":{"name":"search","description":"Finds.","parameters":{"type":"object"}}}']
        * 2
    )
