"""ReSum: ReAct whose transcript is folded to question and summary when the window is nearly full.

(Wu et al. 2025, arXiv:2509.13313.) A model without tools writes the summary, and each builds on the
one before it. Where it gives none that can be used, the fold is the one of ReAct: what was searched
and read, by the ledger, below the last summary that there was. Summaries are the model's words:
they lead the search, and no quotation ever comes from them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from leadline import codec
from leadline.domain import Message, ModelAnswer
from leadline.errors import ContextOverflow
from leadline.research import context
from leadline.research.fencing import Fence
from leadline.research.loop import Transcript, digest, think_act_observe
from leadline.research.parse import Calls, parse_turn
from leadline.research.phrases import language_name
from leadline.research.prompts import prompt
from leadline.research.strategies.react import Conversation, transcript_for
from leadline.research.study import Gathered, Study
from leadline.text.clean import neutralise
from leadline.text.think import split_thoughts

FOLD_AT: Final = 0.9
"""Share of the window at which a transcript is folded, or less where the answer needs more room."""

SUMMARY_SHARE: Final = 8
"""A summary may have one part in so many of the window."""

MOST_SUMMARY: Final = 4_096
"""Tokens that a summary has at most."""

THOUGHT: Final = 2
"""A model that thinks first may take so many times a summary's tokens."""

TRIES: Final = 2
"""How often a summary is asked for where the server takes less than was thought."""

_SUMMARY: Final = re.compile(r"<summary>(.*?)(?:</summary>|\Z)", re.DOTALL)
_WORDS_A_TOKEN: Final = 0.6


async def gather(study: Study) -> Gathered:
    """Run the loop; fold by summaries."""
    fence = Fence.drawn(study.branch.random)
    return await think_act_observe(study, transcript_for(study), folding=Summaries(fence))


def summary_tokens(window: int) -> int:
    """Return the tokens that a summary may have."""
    return max(200, min(MOST_SUMMARY, window // SUMMARY_SHARE))


class Summaries:
    """Folds a conversation to a summary that grows from fold to fold."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._last = ""

    def limit(self, study: Study) -> int:
        """See `loop.Folding`."""
        return min(study.room, int(study.options.window * FOLD_AT))

    async def fold(self, study: Study, transcript: Transcript, *, reason: str) -> str:
        """See `loop.Folding`: summarise all rounds since the last fold; where that fails, list them."""
        assert isinstance(transcript, Conversation)  # noqa: S101 `gather` gives no other
        rounds = [replace(m, content=transcript.fence.without(m.content)) for m in transcript.rounds]
        lacking = await self._summarise(study, rounds, server=reason == "server")
        if study.interrupted:
            return reason
        if not lacking:
            transcript.fold(self._told(transcript.fence), keep=0)
            return reason
        listed = digest(study)
        transcript.fold(f"{self._told(transcript.fence)}\n\n{listed}" if self._last else listed)
        return f"{reason}, {lacking}"

    def _told(self, fence: Fence) -> str:
        """Return the last summary as the conversation goes on from it."""
        summary = fence.around(self._last) if fence.mark else f"<summary>\n{self._last}\n</summary>"
        return prompt("folded").format(summary=summary)

    async def _summarise(self, study: Study, rounds: Sequence[Message], *, server: bool) -> str:
        """Ask for a summary and keep it; return why there is none, or nothing."""
        if not rounds:
            return "nothing new to summarise"
        most = summary_tokens(study.options.window)
        room = study.room if server else study.options.window - THOUGHT * most
        for _ in range(TRIES):
            messages = self._asking(study, rounds, room)
            if not study.spares(messages, max_tokens=THOUGHT * most + study.options.max_tokens):
                return "no budget for a summary"
            reply = await study.ask(messages, purpose="fold", max_tokens=THOUGHT * most)
            if reply.answer is not None:
                return self._take(reply.answer, most)
            if reply.failure is None or reply.failure.code != ContextOverflow.code:
                break
            room //= 2
        return "no summary: the model failed"

    def _take(self, answer: ModelAnswer, most: int) -> str:
        said, _ = split_thoughts(answer.text)
        if answer.tool_calls or isinstance(parse_turn(said), Calls):
            return "no summary: it called tools"
        found = _SUMMARY.search(said)
        text = neutralise(found[1] if found else said).strip()
        if not text or text.startswith("\u2039think>"):
            return "no summary: it was empty"
        cut_off = answer.finish == "length" and "</summary>" not in said
        if cut_off or context.tokens(text) > 2 * most:
            return "no summary: it was too long"
        self._last = text
        return ""

    def _asking(self, study: Study, rounds: Sequence[Message], room: int) -> tuple[Message, ...]:
        """Return the request: rules, question, the last summary, and as much of the rounds as `room` tokens hold."""
        words = int(summary_tokens(study.options.window) * _WORDS_A_TOKEN)
        system = prompt("fold").format(words=words, language=language_name(study.question.language))
        parts = [f"Question: {study.question.text}", self._fence.notice]
        if self._last:
            parts.append(f"Earlier summary:\n{self._fence.around(self._last)}")
        kept: Sequence[Message] = rounds
        while True:
            told = self._fence.around("\n\n".join(map(_spoken, kept)))
            user = "\n\n".join([*parts, f"Conversation since:\n{told}"])
            messages = (Message(role="system", content=system), Message(role="user", content=user))
            excess = study.estimate(messages) - room
            shorter = context.spared(kept, excess * len(user) // max(1, study.estimate(messages)))
            if excess <= 0 or shorter == tuple(kept):
                return messages
            kept = shorter


def _spoken(message: Message) -> str:
    """Return a message as a line of a conversation that is told."""
    if message.role == "assistant":
        calls = [codec.encode({"name": c.name, "arguments": dict(c.arguments)}).decode() for c in message.tool_calls]
        return "\n".join(["Assistant:", *filter(None, [message.content]), *calls])
    return f"Result:\n{message.content}"
