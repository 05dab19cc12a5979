"""Think, act, observe, until an answer or the budget.

The loop knows no dialect: a `Transcript` turns what was heard and seen into messages. It ends with
what it has when the model answers, repeats itself, talks rubbish, or fails for good; the reason
is in what it returns, and the report is written from the ledger all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from leadline.domain import Failure, Flag, Message, ModelAnswer, StopReason, ToolSpec
from leadline.errors import ContextOverflow, ModelBroken, ModelRateLimited, ModelTimeout, ModelUnavailable
from leadline.events import ContextFolded
from leadline.research.branch import Reply
from leadline.research.parse import Answer, Calls, Malformed, Turn
from leadline.research.recorder import DEADLINE, INTERRUPTED
from leadline.research.study import Gathered, Seen, Study

PATIENCE = 3
"""Rounds in a row that may bring nothing (rubbish, repetitions, failures) before gathering ends."""

CALLS_A_TURN = 8
"""Calls of one turn that are made side by side, where the dialect has no other number."""

RETRY_CODES = frozenset({ModelUnavailable.code, ModelRateLimited.code, ModelTimeout.code, ModelBroken.code, DEADLINE})
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
    def calls_a_turn(self) -> int:
        """Calls of one turn that are made; a model that asks for more is told so."""
        ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which the server must stop."""
        ...

    def turn(self, answer: ModelAnswer, tools: Sequence[ToolSpec]) -> Turn:
        """Return what the model wants."""
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


class Folding(Protocol):
    """When a transcript is folded, and what is left of it then."""

    def limit(self, study: Study) -> int:
        """Return the tokens beyond which a prompt is folded before it is sent."""
        ...

    async def fold(self, study: Study, transcript: Transcript, *, reason: str) -> str:
        """Fold the transcript; return the reason to be recorded. Where a flag came, it may stay as it is."""
        ...


class Digesting:
    """Folds to what was searched and read, by the ledger: no model is asked."""

    def limit(self, study: Study) -> int:
        """See `Folding`: all that leaves room for the answer."""
        return study.room

    async def fold(self, study: Study, transcript: Transcript, *, reason: str) -> str:
        """See `Folding`."""
        transcript.fold(digest(study))
        return reason


@dataclass(kw_only=True, slots=True)
class Course:
    """How the rounds went: how many in a row brought nothing, whether any brought something, the last failure."""

    barren: int = 0
    useful: bool = False
    failure: Failure | None = None

    def failed(self, failure: Failure) -> None:
        """Take note of a call that gave no answer."""
        self.barren += 1
        self.failure = failure

    def saw(self, turn: Calls | Malformed, *, fresh: bool) -> None:
        """Take note of a turn. Turns that never could be acted on are a failure of the model."""
        self.useful = self.useful or fresh
        self.barren = 0 if fresh else self.barren + 1
        self.failure = None
        if self.barren >= PATIENCE and not self.useful:
            why = turn.reason if isinstance(turn, Malformed) else "its calls name no tool or repeat each other"
            self.failure = Failure(code=ModelBroken.code, message=f"the model's turns could not be acted on: {why}")


async def think_act_observe(study: Study, transcript: Transcript, *, folding: Folding | None = None) -> Gathered:
    """Run rounds until there is a reason to stop."""
    course = Course()
    folding = folding or Digesting()
    while True:
        reason = study.stop(transcript.messages, max_tokens=study.options.max_tokens)
        if reason is None and study.next_round() is Flag.FINISH:
            return _ended(StopReason.FINISHED_EARLY, transcript)
        if reason is not None:
            return _ended(reason, transcript, None if course.useful else course.failure)
        reply = await _asked(study, transcript, folding)
        if reply.answer is None:
            if not _goes_on(reply.failure, course):
                return _ended(StopReason.ERROR, transcript, course.failure)
            await _shorten(study, transcript, folding, after=reply.failure)
            continue
        turn = transcript.turn(reply.answer, tuple(study.specs.values()))
        if isinstance(turn, Answer):
            transcript.heard(reply.answer, None)
            return Gathered(stop=StopReason.ANSWERED, answer=turn.text, messages=transcript.messages)
        course.saw(turn, fresh=await _act(study, transcript, answer=reply.answer, turn=turn))
        if course.barren >= PATIENCE:
            return _gave_up(transcript, course)


async def _asked(study: Study, transcript: Transcript, folding: Folding) -> Reply:
    """Fold where that must be, and ask; a flag that came while folding breaks the asking off too."""
    await _fit(study, transcript, folding)
    if study.interrupted:
        return Reply(failure=Failure(code=INTERRUPTED, message="stopped on request while folding"))
    return await study.ask(transcript.messages, purpose="gather", tools=transcript.tools, stop=transcript.stop)


async def _act(study: Study, transcript: Transcript, *, answer: ModelAnswer, turn: Calls | Malformed) -> bool:
    """Carry out a turn; return whether it brought anything new."""
    if isinstance(turn, Malformed):
        transcript.heard(answer, None)
        transcript.told(f"Error ({turn.code}): {turn.reason}")
        return False
    transcript.heard(answer, turn)
    most = transcript.calls_a_turn
    seen = await study.act(turn.calls[:most], limit=observation_limit(study, min(most, len(turn.calls))))
    for call in turn.calls[most:]:
        made = "only one call a turn is made" if most == 1 else f"only {most} calls a turn are made"
        seen.append(Seen(call=call, text=f"Error (too_many_calls): {made}; this one was not.", fresh=False))
    transcript.observed(seen)
    if turn.broken:
        transcript.told("\n".join(f"Error (malformed_call): {reason}" for reason in turn.broken))
    return any(outcome.fresh for outcome in seen)


def observation_limit(study: Study, calls: int) -> int:
    """Return the characters each of `calls` observations may have: together a sixth of the window, at least 600."""
    return max(600, study.options.window * 4 // 6 // max(1, calls))


async def _fit(study: Study, transcript: Transcript, folding: Folding) -> None:
    """Fold, as often as it helps, before a prompt that is longer than it may be."""
    while (before := study.estimate(transcript.messages)) > folding.limit(study):
        await _fold(study, transcript, folding, before=before, reason="window")
        if study.interrupted or study.estimate(transcript.messages) >= before:
            return


async def _shorten(study: Study, transcript: Transcript, folding: Folding, *, after: Failure | None) -> None:
    """Fold after a server refused a prompt as too long: it takes less than was thought."""
    if after is not None and after.code == ContextOverflow.code:
        before = study.estimate(transcript.messages)
        study.room = min(study.room, before * 3 // 4)
        await _fold(study, transcript, folding, before=before, reason="server")


async def _fold(study: Study, transcript: Transcript, folding: Folding, *, before: int, reason: str) -> None:
    why = await folding.fold(study, transcript, reason=reason)
    if not study.interrupted:
        after = study.estimate(transcript.messages)
        study.branch.note(ContextFolded(round=study.branch.round, before=before, after=after, reason=why))


def digest(study: Study) -> str:
    """Return what a fold leaves of the rounds it drops: what was searched and read, by the ledger."""
    lines = ["Earlier rounds were removed to save space. What they did:"]
    lines += [f"- searched: {query}" for query in study.searched[-40:]]
    lines += [f"- read: {source.title or source.uri}" for source in study.ledger.sources[-60:]]
    lines.append("All passages that were read are kept for the report; do not read them again. Go on from here.")
    return "\n".join(lines)


def _goes_on(failure: Failure | None, course: Course) -> bool:
    """Return whether another round may help after a failed call."""
    assert failure is not None  # noqa: S101 a reply holds an answer or a failure
    if failure.code == INTERRUPTED:
        return True  # the next round sees the flag
    course.failed(failure)
    if failure.code == ContextOverflow.code:
        return course.barren < PATIENCE
    return failure.code in RETRY_CODES and course.barren < 2


def _gave_up(transcript: Transcript, course: Course) -> Gathered:
    """End gathering with a model that brings nothing any more, or never did."""
    if course.failure is not None:
        return _ended(StopReason.ERROR, transcript, course.failure)
    gathered = _ended(StopReason.ANSWERED, transcript)
    gathered.notes.append("loop")
    return gathered


def _ended(reason: StopReason, transcript: Transcript, failure: Failure | None = None) -> Gathered:
    """Return what gathering came to. A model that never answered is why it ended, unless it used up the time."""
    gathered = Gathered(stop=reason, messages=transcript.messages)
    if failure is not None:
        late = failure.code in {DEADLINE, ModelTimeout.code}
        gathered.failure = replace(failure, code=ModelTimeout.code) if late else failure
        gathered.stop = reason if late and reason is StopReason.DEADLINE else StopReason.ERROR
    return gathered
