"""How many tokens a text is, without a tokenizer: a guess by script, corrected by what servers count.

Tokenizers differ by model and download their vocabularies at run time; what a budget needs is the
right size, and `usage` of real answers teaches it within a call or two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leadline.codec import encode
from leadline.domain import Message, ModelRequest

# Tokens a character: Latin text in byte-pair vocabularies, and a byte of UTF-8 beyond the first,
# so that a CJK character is 0.7 and a Cyrillic one 0.5 of a token.
_ASCII: Final = 0.25
_EXTRA_BYTE: Final = 0.325
# What a chat template adds to each message: role, separators.
_PER_MESSAGE: Final = 4.0
_WEIGHT_OF_NEW: Final = 0.3
_LEAST, _MOST = 0.2, 5.0  # a server that counts outside of this counts something else
_ENOUGH_TO_LEARN: Final = 32.0


def guess_tokens(text: str) -> float:
    """Return about how many tokens `text` is, by its script alone."""
    count = len(text)
    if text.isascii():
        return count * _ASCII
    extra = len(text.encode("utf-8", "surrogatepass")) - count
    return max(count - extra / 2, 0.0) * _ASCII + extra * _EXTRA_BYTE


def guess_messages(messages: Iterable[Message]) -> float:
    """Return about how many tokens messages are in a prompt, by their script alone."""
    total = 0.0
    for message in messages:
        total += _PER_MESSAGE + guess_tokens(message.content)
        for call in message.tool_calls:
            total += guess_tokens(call.name) + len(encode(call.arguments)) * _ASCII
    return total


def guess_request(request: ModelRequest) -> float:
    """Return about how many tokens a request's prompt is: messages, tools and schema."""
    total = guess_messages(request.messages)
    for tool in request.tools:
        total += guess_tokens(tool.description) + len(encode(tool.parameters)) * _ASCII
    if request.schema is not None:
        total += len(encode(request.schema)) * _ASCII
    return total


class TokenEstimator:
    """Guesses times a factor learnt for each model from the `usage` of its answers."""

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}

    def factor(self, model: str) -> float:
        """Return what guesses for `model` are multiplied by; 1 before anything was learnt."""
        return self._factors.get(model, 1.0)

    def text(self, text: str, *, model: str) -> int:
        """Return the estimated tokens of a text."""
        return round(guess_tokens(text) * self.factor(model))

    def request(self, request: ModelRequest) -> int:
        """Return the estimated prompt tokens of a request."""
        return round(guess_request(request) * self.factor(request.model))

    def learn(self, guess: float, tokens: int, *, model: str) -> None:
        """Take note that what was guessed as `guess` was counted as `tokens` by the server.

        Short texts teach nothing (the template's own tokens rule), nor do absurd counts.
        """
        if guess < _ENOUGH_TO_LEARN or tokens <= 0:
            return
        seen = tokens / guess
        if not _LEAST <= seen <= _MOST:
            return
        known = self._factors.get(model)
        new = seen if known is None else known + _WEIGHT_OF_NEW * (seen - known)
        self._factors[model] = new
