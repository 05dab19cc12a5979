"""Think, act, observe, until an answer or the budget.

The loop knows no dialect: a `Transcript` turns what was heard and seen into messages. It ends with
what it has when the model answers, repeats itself, talks rubbish, or fails for good; the reason
is in what it returns, and the report is written from the ledger all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from leadline.domain import Flag, Message, ModelAnswer, StopReason, ToolSpec
from leadline.events import ContextFolded
from leadline.research.branch import Reply
from leadline.research.parse import Answer, Calls, Malformed, parse_turn
from leadline.research.study import Gathered, Seen, Study

PATIENCE = 3
"""Rounds in a row that may bring nothing (rubbish, repetitions, failures) before gathering ends."""

CALLS_A_ROUND = 8
"""Calls of one turn that are made; a model that asks for more is told so."""

RETRY_CODES = frozenset({"model_unavailable", "model_rate_limited", "model_timeout", "model_broken", "deadline"})
"""Failures after which the loop asks once more."""


class Transcript(Protocol):
    """A conversation in one dialect."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages so far."""
        ...

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """Tools to offer natively; none where the dialect describes them in text."""
        ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which the server must stop."""
        ...

    def heard(self, answer: ModelAnswer, calls: Calls | None) -> None:
        """Add the model's turn."""
        ...

    def observed(self, seen: Sequence[Seen]) -> None:
        """Add the outcomes of the turn's calls."""
        ...

    def told(self, text: str) -> None:
        """Add a message to the model that is no tool's outcome."""
        ...

    def fold(self, digest: str) -> None:
        """Replace the older rounds by a digest."""
        ...


async def think_act_observe(study: Study, transcript: Transcript) -> Gathered:
    """Run rounds until there is a reason to stop."""
    barren = 0
    while True:
        reason = study.stop(transcript.messages, max_tokens=study.options.max_tokens)
        if reason is not None:
            return _ended(reason, transcript)
        if study.next_round() is Flag.FINISH:
            return _ended(StopReason.FINISHED_EARLY, transcript)
        _fit(study, transcript)
        reply = await study.ask(
            transcript.messages,
            purpose="gather",
            tools=transcript.tools,
            stop=transcript.stop,
        )
        if reply.answer is None:
            barren += 1
            if not _goes_on(reply, study, transcript, barren=barren):
                return _failed(reply, transcript)
            continue
        turn = parse_turn(reply.answer.text, native_calls=reply.answer.tool_calls, tools=tuple(study.specs.values()))
        if isinstance(turn, Answer):
            transcript.heard(reply.answer, None)
            return Gathered(stop=StopReason.ANSWERED, answer=turn.text, messages=transcript.messages)
        fresh = await _act(study, transcript, answer=reply.answer, turn=turn)
        barren = 0 if fresh else barren + 1
        if barren >= PATIENCE:
            gathered = _ended(StopReason.ANSWERED, transcript)
            gathered.notes.append("loop")
            return gathered


async def _act(study: Study, transcript: Transcript, *, answer: ModelAnswer, turn: Calls | Malformed) -> bool:
    """Carry out a turn; return whether it brought anything new."""
    if isinstance(turn, Malformed):
        transcript.heard(answer, None)
        transcript.told(f"Error ({turn.code}): {turn.reason}")
        return False
    transcript.heard(answer, turn)
    seen = await study.act(turn.calls[:CALLS_A_ROUND], limit=observation_limit(study, len(turn.calls)))
    for call in turn.calls[CALLS_A_ROUND:]:
        text = f"Error (too_many_calls): only {CALLS_A_ROUND} calls a turn are made; this one was not."
        seen.append(Seen(call=call, text=text, fresh=False))
    transcript.observed(seen)
    if turn.broken:
        transcript.told("\n".join(f"Error (malformed_call): {reason}" for reason in turn.broken))
    return any(outcome.fresh for outcome in seen)


def observation_limit(study: Study, calls: int) -> int:
    """Return the characters each of `calls` observations may have: together a sixth of the window, at least 600."""
    return max(600, study.options.window * 4 // 6 // max(1, min(calls, CALLS_A_ROUND)))


def _fit(study: Study, transcript: Transcript) -> None:
    """Fold before a prompt that would not leave room for the answer."""
    room = study.options.window - study.options.max_tokens
    before = study.estimate(transcript.messages)
    if before <= room:
        return
    _fold(study, transcript, before=before, reason="window")


def _fold(study: Study, transcript: Transcript, *, before: int, reason: str) -> None:
    transcript.fold(digest(study))
    after = study.estimate(transcript.messages)
    study.branch.note(ContextFolded(round=study.branch.round, before=before, after=after, reason=reason))


def digest(study: Study) -> str:
    """Return what a fold leaves of the rounds it drops: what was searched and read, by the ledger."""
    lines = ["Earlier rounds were removed to save space. What they did:"]
    lines += [f"- searched: {query}" for query in study.searched[-40:]]
    lines += [f"- read: {source.title or source.uri}" for source in study.ledger.sources[-60:]]
    lines.append("All passages that were read are kept for the report; do not read them again. Go on from here.")
    return "\n".join(lines)


def _goes_on(reply: Reply, study: Study, transcript: Transcript, *, barren: int) -> bool:
    """Return whether another round may help after a failed call."""
    assert reply.failure is not None  # noqa: S101 a reply holds an answer or a failure
    if reply.failure.code == "interrupted":
        return True  # the next round sees the flag
    if reply.failure.code == "context_overflow" and barren < PATIENCE:
        _fold(study, transcript, before=study.estimate(transcript.messages), reason="server")
        return True
    return reply.failure.code in RETRY_CODES and barren < 2


def _failed(reply: Reply, transcript: Transcript) -> Gathered:
    assert reply.failure is not None  # noqa: S101 a reply holds an answer or a failure
    return Gathered(
        stop=StopReason.ERROR,
        failure_code=reply.failure.code,
        failure_message=reply.failure.message,
        messages=transcript.messages,
    )


def _ended(reason: StopReason, transcript: Transcript) -> Gathered:
    return Gathered(stop=reason, messages=transcript.messages)
