"""What fits the model's window: estimate, cut at insertion, fold. Pure.

Between two folds a transcript only grows, so that servers' prefix caches hit. An observation is
cut when it is inserted, around what the goal asks, and never again; its full text stays in the
ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from heapq import heapify, heapreplace

from leadline.domain import Message
from leadline.text.rank import windows

MESSAGE_TOKENS = 6
"""Tokens that a message's frame takes beside its text."""

KEEP_ROUNDS = 3
"""Rounds that a fold leaves as they are."""

CUT_MARK = "\n[…]\n"

LEAST = 400
"""Characters that an observation keeps however small the window is."""

CLOSING = 80
"""Characters at the end of an observation in which the lines stand that close it."""


def tokens(text: str) -> int:
    """Estimate the tokens of a text without a tokenizer: CJK characters one each, others four a token.

    CJK is told by its three bytes in UTF-8, which is fast and good enough.

    On the high side, as a reservation should be; real counts come from the servers' usage.
    """
    wide = 0 if text.isascii() else (len(text.encode("utf-8", "replace")) - len(text)) // 2
    return wide + (max(0, len(text) - wide) + 3) // 4


def prompt_tokens(messages: Sequence[Message]) -> int:
    """Estimate the tokens of a prompt."""
    return sum(
        tokens(m.content) + MESSAGE_TOKENS + sum(tokens(str(c.arguments)) + MESSAGE_TOKENS for c in m.tool_calls)
        for m in messages
    )


class PromptTokens:
    """Estimates a transcript that grows: what was counted for the last one is not counted again."""

    def __init__(self) -> None:
        self._counted: tuple[Message, ...] = ()
        self._total = 0

    def of(self, messages: Sequence[Message]) -> int:
        """Return `prompt_tokens(messages)`."""
        known = len(self._counted)
        if tuple(messages[:known]) != self._counted:  # the same objects compare at once
            self._counted, self._total, known = (), 0, 0
        self._total += prompt_tokens(messages[known:])
        self._counted = tuple(messages)
        return self._total


def cut(text: str, goal: str, limit: int) -> str:
    """Return at most about `limit` characters of `text`: the passages nearest to `goal`, in order.

    Cuts lie at passage borders and are marked.
    """
    if len(text) <= limit:
        return text
    spans = windows(text, goal, limit_chars=limit)
    if not spans:
        return text[:limit] + CUT_MARK
    parts: list[str] = []
    reached = 0
    for span in spans:
        if parts and span.start > reached:
            parts.append(CUT_MARK)
        parts.append(text[span.start : span.end])
        reached = span.end
    return "".join(parts)[: limit + len(CUT_MARK) * len(spans)]


def latest(rounds: Sequence[Message], *, keep: int = KEEP_ROUNDS) -> tuple[Message, ...]:
    """Return the last `keep` rounds.

    A round begins with an assistant message, so that no tool message loses its call.
    """
    starts = [i for i, m in enumerate(rounds) if m.role == "assistant"]
    if len(starts) <= keep:
        return tuple(rounds)
    return tuple(rounds[starts[-keep] :]) if keep else ()


def shrink(rounds: Sequence[Message]) -> tuple[Message, ...]:
    """Return the rounds with every observation cut to half: the last resort of a small window."""
    return tuple(
        m if m.role == "assistant" else replace(m, content=halved(m.content, max(LEAST, len(m.content) // 2)))
        for m in rounds
    )


def spared(rounds: Sequence[Message], chars: int) -> tuple[Message, ...]:
    """Return the rounds with about `chars` characters less: the longest observations give first, none below 400."""
    sizes = {i: len(m.content) for i, m in enumerate(rounds) if m.role != "assistant"}
    longest = [(-size, i) for i, size in sizes.items()]
    heapify(longest)
    while chars > 0 and longest and -longest[0][0] > LEAST:
        size, at = -longest[0][0], longest[0][1]
        less = min(chars, size - max(LEAST, size // 2))
        sizes[at] = size - less
        chars -= less
        heapreplace(longest, (less - size, at))
    return tuple(
        replace(m, content=halved(m.content, sizes[i])) if len(m.content) > sizes.get(i, len(m.content)) else m
        for i, m in enumerate(rounds)
    )


def halved(text: str, limit: int) -> str:
    """Return `text` with its middle left out, so that the lines that close it stay."""
    if len(text) <= limit:
        return text
    tail = min(CLOSING, limit // 2)
    return text[: max(0, limit - tail - len(CUT_MARK))] + CUT_MARK + text[-tail:]


def joined(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages with neighbouring user messages made one: turns alternate, as many templates demand."""
    made: list[Message] = []
    for message in messages:
        if made and message.role == made[-1].role == "user":
            made[-1] = replace(made[-1], content=f"{made[-1].content}\n\n{message.content}")
        else:
            made.append(message)
    return tuple(made)
