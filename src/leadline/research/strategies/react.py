"""ReAct: the model thinks, calls tools, observes, until it answers (Yao et al. 2022, arXiv:2210.03629).

Three dialects: `native` (the server's own tool calls), `tags` (calls as JSON in text), `tongyi`
(the published format of Tongyi DeepResearch: one call a turn, results as user messages).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from leadline import codec
from leadline.domain import Dialect, Message, ModelAnswer, ToolCall, ToolSpec
from leadline.research import context
from leadline.research.fencing import Fence
from leadline.research.loop import CALLS_A_TURN, think_act_observe
from leadline.research.parse import Calls, Turn, parse_turn
from leadline.research.phrases import language_name
from leadline.research.prompts import prompt
from leadline.research.study import Gathered, Seen, Study
from leadline.text.clean import neutralise

TOOL_RESPONSE = "<tool_response>"


async def gather(study: Study) -> Gathered:
    """Run the loop with the transcript of the run's dialect."""
    return await think_act_observe(study, transcript_for(study))


def transcript_for(study: Study) -> Native | Tagged:
    """Return an empty transcript: instructions and question.

    Nothing that differs between runs stands before the question, so that servers' prefix caches
    serve instructions and tools to all of them. Tongyi's format has no place for a fence.
    """
    day = datetime.fromtimestamp(study.began_at, UTC).strftime("%Y-%m-%d")
    specs = tuple(study.specs.values())
    if study.options.dialect is Dialect.TONGYI:
        system = prompt("tongyi").format(tools=described(specs), date=day)
        return Tagged(system=system, question=study.question.text, single=True)
    system = prompt("react").format(date=day, language=language_name(study.question.language))
    fence = Fence.drawn(study.branch.random)
    if study.options.dialect is Dialect.TAGS:
        system = system + "\n\n" + prompt("tags").format(tools=described(specs))
        return Tagged(system=system, question=study.question.text, single=False, fence=fence)
    return Native(system=system, question=study.question.text, tools=specs, fence=fence)


def described(specs: Sequence[ToolSpec]) -> str:
    """Return the tools as one JSON schema a line, as chat templates print them."""
    return "\n".join(
        codec.encode(
            {
                "type": "function",
                "function": {"name": s.name, "description": s.description, "parameters": dict(s.parameters)},
            }
        ).decode()
        for s in specs
    )


class Conversation:
    """What the dialects share: messages that only grow, and folds that start from instructions and question."""

    tools: tuple[ToolSpec, ...] = ()
    stop: tuple[str, ...] = ()
    calls_a_turn: int = CALLS_A_TURN

    def __init__(self, *, system: str, question: str, fence: Fence | None = None) -> None:
        self.fence = fence or Fence()
        asked = "\n\n".join(filter(None, [question, self.fence.notice]))
        self._head = (Message(role="system", content=system), Message(role="user", content=asked))
        self.messages: tuple[Message, ...] = self._head
        self._folded = False

    @property
    def rounds(self) -> tuple[Message, ...]:
        """What came after the question, or after the digest of what was folded."""
        return self.messages[len(self._head) :]

    def turn(self, answer: ModelAnswer, tools: Sequence[ToolSpec]) -> Turn:
        """Return what the model wants."""
        return parse_turn(answer.text, native_calls=answer.tool_calls, tools=tools)

    def told(self, text: str) -> None:
        """Add a user message; what follows another one joins it, for servers that want turns to alternate."""
        *before, last = self.messages
        self.messages = (*before, *context.joined((last, Message(role="user", content=text))))

    def fold(self, digest: str, *, keep: int = context.KEEP_ROUNDS) -> None:
        """Replace all but `keep` rounds by the digest, below the question; where no more are left, shorten those."""
        kept = context.latest(self.rounds, keep=keep)
        self._folded = self._folded or len(kept) < len(self.rounds)
        kept = context.shrink(kept) if len(kept) == len(self.rounds) else kept
        note = (Message(role="user", content=digest),) if self._folded else ()
        self.messages = context.joined((*self._head, *note, *kept))

    def shown(self, outcome: Seen) -> str:
        """Return an outcome as the model sees it: in the fence what came from outside, bare what the engine says."""
        return neutralise(outcome.text) if outcome.observation is None else self.fence.around(outcome.text)


class Native(Conversation):
    """Calls and results as the server's API has them; a model that writes tags all the same is understood."""

    def __init__(self, *, system: str, question: str, tools: tuple[ToolSpec, ...], fence: Fence | None = None) -> None:
        super().__init__(system=system, question=question, fence=fence)
        self.tools = tools
        self._by_text = False

    def heard(self, answer: ModelAnswer, calls: Calls | None) -> None:
        """Add the model's turn, with its calls as the server gave them."""
        self._by_text = not answer.tool_calls
        native = () if calls is None or self._by_text else calls.calls
        message = Message(role="assistant", content=answer.text, tool_calls=native, opaque=answer.opaque)
        self.messages = (*self.messages, message)

    def observed(self, seen: Sequence[Seen]) -> None:
        """Add results: tool messages, or one user message where the model called by text."""
        if self._by_text:
            self.told("\n".join(wrapped(self.shown(outcome)) for outcome in seen))
            return
        results = tuple(Message(role="tool", content=self.shown(o), call_id=o.call.id) for o in seen)
        self.messages = (*self.messages, *results)


class Tagged(Conversation):
    """Calls and results as tags in text; `single` keeps to one call a turn, as Tongyi was trained."""

    stop = ("\n" + TOOL_RESPONSE, TOOL_RESPONSE)

    def __init__(self, *, system: str, question: str, single: bool, fence: Fence | None = None) -> None:
        super().__init__(system=system, question=question, fence=fence)
        self.single = single
        self.calls_a_turn = 1 if single else CALLS_A_TURN

    def heard(self, answer: ModelAnswer, calls: Calls | None) -> None:
        """Add the model's turn as it wrote it, thoughts included where it was trained so.

        Calls that the server read out of the text are written back into it.
        """
        text = answer.text.split(TOOL_RESPONSE)[0].rstrip("\n")
        if answer.tool_calls and calls is not None:
            text = "\n".join([*filter(None, [text]), *(called(call) for call in calls.calls)])
        if answer.reasoning and self.single:
            text = f"<think>\n{answer.reasoning.strip()}\n</think>\n{text.lstrip()}"
        self.messages = (*self.messages, Message(role="assistant", content=text))

    def observed(self, seen: Sequence[Seen]) -> None:
        """Add the results as one user message."""
        self.told("\n".join(wrapped(self.shown(outcome)) for outcome in seen))


def called(call: ToolCall) -> str:
    """Return a call as a model writes it in text."""
    body = codec.encode({"name": call.name, "arguments": dict(call.arguments)}).decode()
    return f"<tool_call>\n{body}\n</tool_call>"


def wrapped(text: str) -> str:
    """Return an observation in its tags; what it holds was made inert before."""
    return f"{TOOL_RESPONSE}\n{text}\n</tool_response>"
