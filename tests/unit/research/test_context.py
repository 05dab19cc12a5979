from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import Message, ToolCall
from leadline.research import context
from leadline.research.strategies.react import Native, Tagged


def said(text: str) -> Message:
    return Message(role="assistant", content=text)


def seen(text: str) -> Message:
    return Message(role="tool", content=text, call_id="c")


def test_tokens_are_estimated_on_the_high_side() -> None:
    assert context.tokens("") == 0
    assert context.tokens("four") == 1
    assert context.tokens("five!") == 2
    assert context.tokens("赵州桥建于隋代") == 7
    assert context.tokens("赵州 abcd") >= 3
    calls = (ToolCall(name="search", arguments={"query": "x" * 400}),)
    assert context.prompt_tokens([Message(role="assistant", content="", tool_calls=calls)]) > 100


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=20)), max_size=12))
def test_a_growing_prompt_is_counted_as_a_whole_one(parts: list[tuple[str, str]]) -> None:
    counted = context.PromptTokens()
    messages: tuple[Message, ...] = ()
    for role, text in parts:
        messages = (*messages, Message(role=role, content=text))  # type: ignore[arg-type]  # one of two roles
        assert counted.of(messages) == context.prompt_tokens(messages)
    assert counted.of(messages[1:]) == context.prompt_tokens(messages[1:])


def test_an_observation_is_cut_around_its_goal() -> None:
    filler = "The weather was fine that day. " * 100
    text = filler + "The lamp was lit in 1698. " + filler
    cut = context.cut(text, "When was the lamp lit?", 600)
    assert "1698" in cut
    assert len(cut) < 900
    assert context.CUT_MARK.strip() in cut or cut in text
    assert context.cut("short", "goal", 600) == "short"


def test_a_fold_keeps_the_latest_rounds_whole() -> None:
    rounds = [m for n in range(6) for m in (said(f"round {n}"), seen(f"a{n}"), seen(f"b{n}"))]
    kept = context.latest(rounds)
    assert [m.content for m in kept] == ["round 3", "a3", "b3", "round 4", "a4", "b4", "round 5", "a5", "b5"]
    assert context.latest(kept) == kept


def test_shrinking_leaves_the_models_words() -> None:
    short = context.shrink([said("x" * 5_000), seen("y" * 5_000), seen("z" * 300)])
    assert [len(m.content) for m in short] == [5_000, 2_500, 300]


def test_the_lines_that_close_an_observation_stay() -> None:
    fenced = "<<data m>>\n" + "x" * 5_000 + "\n<<end of data m>>\n</tool_response>"
    [short] = context.shrink([seen(fenced)])
    assert short.content.startswith("<<data m>>\nx")
    assert short.content.endswith("\n<<end of data m>>\n</tool_response>")
    assert context.CUT_MARK in short.content


def test_only_the_longest_observations_give_room() -> None:
    rounds = [said("z" * 9_000), seen("x" * 4_000), seen("y" * 1_000), seen("w" * 300)]
    assert [len(m.content) for m in context.spared(rounds, 1_500)] == [9_000, 2_500, 1_000, 300]
    assert [len(m.content) for m in context.spared(rounds, 99_000)] == [9_000, 400, 400, 300]
    assert context.spared(rounds, 0) == tuple(rounds)


def test_turns_alternate_after_joining() -> None:
    user = Message(role="user", content="a")
    joined = context.joined([user, user, said("b"), seen("c"), seen("d"), user])
    assert [(m.role, m.content) for m in joined] == [
        ("user", "a\n\na"),
        ("assistant", "b"),
        ("tool", "c"),
        ("tool", "d"),
        ("user", "a"),
    ]


def grown(transcript: Native | Tagged, rounds: int) -> None:
    for n in range(rounds):
        transcript.messages = (*transcript.messages, said(f"round {n}"))
        transcript.told(f"seen {n} " + "x" * 3_000)


def test_folds_begin_anew_from_the_question() -> None:
    for transcript in (
        Native(system="rules", question="why?", tools=()),
        Tagged(system="rules", question="why?", single=True),
    ):
        grown(transcript, 6)
        transcript.fold("digest one")
        assert transcript.messages[1].content == "why?\n\ndigest one"
        assert [m.role for m in transcript.messages] == ["system", "user"] + ["assistant", "user"] * 3
        before = sum(len(m.content) for m in transcript.messages)
        transcript.fold("digest two")  # nothing older is left: what was seen gets shorter
        assert transcript.messages[1].content == "why?\n\ndigest two"
        assert sum(len(m.content) for m in transcript.messages) < before
        grown(transcript, 2)
        transcript.fold("digest three")
        assert transcript.messages[1].content == "why?\n\ndigest three"


def test_without_folding_a_transcript_only_grows() -> None:
    transcript = Native(system="rules", question="why?", tools=())
    before = transcript.messages
    grown(transcript, 3)
    assert transcript.messages[: len(before)] == before
