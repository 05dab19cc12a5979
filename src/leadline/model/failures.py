"""What a model server's refusal means: status, headers and body to one typed error.

The texts are those of real servers; each pattern names its own. A body is foreign data: it is cut,
put on one line, and freed of keys before any of it enters a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from leadline.errors import (
    ContextOverflow,
    ModelBroken,
    ModelDenied,
    ModelError,
    ModelRateLimited,
    ModelUnavailable,
)
from leadline.text.clean import squeeze

_SHOWN: Final = 300
_SEARCHED: Final = 8192
_SECRET: Final = re.compile(r"(?i)\bbearer\s+\S{6,}|\b(?:sk|pk|gsk|hf|xai|key|api)[-_][\w*.-]{6,}|\bAIza[\w-]{20,}")
_OVERFLOW_CODES: Final = frozenset(
    {
        "context_length_exceeded",  # OpenAI, llama-cpp-python, Groq, DeepSeek
        "exceed_context_size_error",  # llama.cpp
        "string_above_max_length",  # OpenAI
        "context_window_exceeded",
        "model_context_window_exceeded",
    }
)
# Where a group is named `window`, it is the limit in tokens.
_OVERFLOW_TEXTS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # OpenAI, vLLM, OpenRouter; SGLang says "maximum context length of"
        r"maximum context length (?:is|of) (?P<window>\d+)",
        # vLLM, of a prompt that is longer without any answer
        r"longer than the maximum model length of (?P<window>\d+)",
        # vLLM, when nothing is left for the answer
        r"max_tokens must be at least 1, got -\d+",
        # SGLang, which names the input's own length first
        r"longer than the model's context length \((?P<window>\d+) tokens?\)",
        r"input length \(\d+ tokens\) exceeds the maximum allowed length \((?P<window>\d+) tokens\)",
        # llama.cpp, new and old
        r"exceeds the available context size \((?P<window>\d+) tokens?\)",
        r"exceeds the available context size",
        r"context size has been exceeded",
        # llama-cpp-python: "Requested tokens (2285) exceed context window of 2048"
        r"exceed context window of (?P<window>\d+)",
        # text-generation-inference
        r"`inputs` tokens \+ `max_new_tokens` must be <= (?P<window>\d+)",
        r"`inputs` must have less than (?P<window>\d+) tokens",
        # Ollama
        r"input (?:length )?exceeds (?:the )?context length",
        r"prompt too long; exceeded max context length",
        # Anthropic, and gateways before it: "prompt is too long: 205668 tokens > 200000 maximum"
        r"prompt is too long: \d+ tokens > (?P<window>\d+)",
        r"`max_tokens` exceed context limit: \d+ \+ \d+ > (?P<window>\d+)",
        r"prompt is too long",
        # Gemini
        r"input token count.{0,40} exceeds the maximum number of tokens allowed \((?P<window>\d+)\)",
        # Mistral, of a prompt and its number of tokens
        r"too large for model with (?P<window>\d+) maximum context length",
        # LM Studio
        r"loaded with context length of only (?P<window>\d+)",
    )
)
_WINDOW_FIELDS: Final = ("n_ctx", "max_model_len", "context_length")
# OpenAI answers 429 also where no waiting helps.
_NO_MONEY: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_DENIED: Final = frozenset({401, 402, 403, 404})
_OVERFLOW_STATUS: Final = frozenset({400, 413, 422, 500})
_COME_AGAIN: Final = frozenset({408, 409, 425})


class Refused(ModelError):
    """The server understood the request and did not like it; `text` is its reason, for negotiation."""

    def __init__(self, message: str, *, status: int, text: str) -> None:
        super().__init__(message)
        self.status = status
        self.text = text


class Crashed(ModelUnavailable):
    """The server failed inside (500, 501): perhaps over a part of the request it does not master."""


class Silent(ModelBroken):
    """A stream ended as if it were whole, without any of the answer: the reason may be told without a stream."""


class Redactor:
    """Makes foreign text fit for a message: short, on one line, without keys."""

    def __init__(self, *secrets: str | None) -> None:
        self._secrets = tuple(s for s in secrets if s)

    def __repr__(self) -> str:
        return "Redactor()"

    def __call__(self, text: str) -> str:
        """Return the clean beginning of `text`."""
        text = text[:_SEARCHED]
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return squeeze(_SECRET.sub("***", text), limit=_SHOWN)


def failure(
    status: int,
    body: bytes,
    *,
    server: str,
    redact: Redactor,
    headers: Mapping[str, str] | None = None,
    now: float = 0.0,
) -> ModelError:
    """Return the error that an HTTP answer other than 200 stands for.

    `server` names it in messages. `now` is Unix time, for a Retry-After that is a date.
    """
    detail = _detail(body)
    told = redact(detail.text) or "no reason given"
    overflow = _overflow(status, detail, f"{server}: the request is longer than the window: {told}")
    if overflow is not None:
        return overflow
    wait = retry_after(headers or {}, now=now)
    if status == 429:
        if detail.code in _NO_MONEY:
            return ModelDenied(f"{server} refuses, quota used up: {told}")
        return ModelRateLimited(f"{server} is rate limited (429): {told}", retry_after=wait)
    if status in _DENIED:
        return ModelDenied(f"{server} answers {status}: {told}; {_ADVICE[status]}")
    if status >= 500 or status in _COME_AGAIN:
        kind = Crashed if status in {500, 501} else ModelUnavailable
        return kind(f"{server} answers {status}: {told}", retry_after=wait)
    if 300 <= status < 400:
        return ModelDenied(f"{server} redirects ({status}); set the address it redirects to")
    return Refused(f"{server} refuses the request ({status}): {told}", status=status, text=detail.text)


_ADVICE: Final = {
    401: "check the API key",
    402: "the account has no credit",
    403: "the key may not use this model",
    404: "check the model's name and the address",
}


def failure_in_stream(value: dict[str, Any], *, server: str, redact: Redactor) -> ModelError:
    """Return the error that a JSON object inside a 200 answer reports."""
    body = orjson.dumps(value)
    detail = _detail(body)
    status = detail.status if 400 <= detail.status < 600 else 0
    if status:
        error = failure(status, body, server=server, redact=redact)
        if not isinstance(error, Refused):
            return error
    told = redact(detail.text) or "no reason given"
    overflow = _overflow(400, detail, f"{server}: the request is longer than the window: {told}")
    return overflow or ModelBroken(f"{server} failed in midst of its answer: {told}")


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the seconds that a server asks to wait (RFC 9110, 10.2.3), or `None`."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isascii() and milliseconds.isdigit():
        return int(milliseconds[:12]) / 1000
    value = headers.get("Retry-After", headers.get("retry-after", "")).strip()
    try:
        seconds = float(value)
    except ValueError:
        return _until(value, now)
    return seconds if 0 <= seconds < 1e9 else None


def _until(date: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


class _Detail:
    """What a body says: a text, a code, a status of its own, a window."""

    def __init__(self, text: str, value: object) -> None:
        self.text = text
        self.code = ""
        self.status = 0
        self.window: int | None = None
        if isinstance(value, dict):
            self._read(value)

    def _read(self, value: dict[str, Any]) -> None:
        for key in ("code", "type", "error_type"):
            found = value.get(key)
            if isinstance(found, int) and not self.status:
                self.status = found
            elif isinstance(found, str) and (not self.code or found in _OVERFLOW_CODES):
                self.code = found
        for key in _WINDOW_FIELDS:
            if isinstance(value.get(key), int):
                self.window = value[key]


def _detail(body: bytes) -> _Detail:
    """Return the message inside any of the shapes in use; a page of HTML loses its tags."""
    text = body[:_SEARCHED].decode("utf-8", "replace")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _Detail(re.sub(r"<[^>]{0,500}>", " ", text), None)
    inner = value
    for key in ("error", "detail"):
        if isinstance(inner, dict) and key in inner:
            inner = inner[key]
    if isinstance(inner, dict):
        message = inner.get("message", inner.get("error"))
        return _Detail(message if isinstance(message, str) else text, inner)
    # text-generation-inference: {"error": "...", "error_type": "validation"}
    return _Detail(inner if isinstance(inner, str) else text, value)


def _overflow(status: int, detail: _Detail, message: str) -> ContextOverflow | None:
    if detail.code in _OVERFLOW_CODES:
        return ContextOverflow(message, window=detail.window or _window(detail.text))
    if status not in _OVERFLOW_STATUS:
        return None
    for pattern in _OVERFLOW_TEXTS:
        found = pattern.search(detail.text)
        if found is not None:
            window = found.groupdict().get("window")
            return ContextOverflow(message, window=int(window) if window else detail.window)
    return ContextOverflow(message) if status == 413 else None


def _window(text: str) -> int | None:
    for pattern in _OVERFLOW_TEXTS:
        found = pattern.search(text)
        if found is not None and found.groupdict().get("window"):
            return int(found["window"])
    return None
