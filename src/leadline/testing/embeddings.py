"""Vectors of a scripted server: hashed bags of words, the same for the same text on every machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from leadline.codec import encode
from leadline.testing.script import Fault, Reply, refusal
from leadline.text import tokens


@dataclass(kw_only=True, slots=True)
class Embeddings:
    """What `ScriptedServer` answers at `/v1/embeddings`; may be changed while it runs.

    A text's vector has `dimensions` numbers, one place a content word. Words that `synonyms` map to
    one word share its place, so that they are found by vectors and by nothing else. With `fault`
    or another `status` than 200 the server fails so; texts of more than `longest` characters are
    refused as too long. `requests` are the texts of all requests so far.
    """

    dimensions: int = 512
    synonyms: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = Fault.NONE
    status: int = 200
    longest: int | None = None
    requests: list[list[str]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """All texts so far, in order."""
        return [text for request in self.requests for text in request]

    def vector(self, text: str) -> list[float]:
        """Return the vector of a text, of length 1 where the text has words."""
        numbers = [0.0] * self.dimensions
        same = {"".join(tokens.terms(word)): "".join(tokens.terms(meant)) for word, meant in self.synonyms.items()}
        for term in tokens.content_terms(text):
            digest = blake2b(same.get(term, term).encode(), digest_size=8).digest()
            numbers[int.from_bytes(digest) % self.dimensions] += 1.0
        length = math.hypot(*numbers) or 1.0
        return [number / length for number in numbers]

    def reply(self, body: Mapping[str, Any]) -> Reply:
        """Return the answer to a request, and keep what it asked."""
        given = body["input"]
        texts = [given] if isinstance(given, str) else list(given)
        self.requests.append(texts)
        if self.status != 200:
            return refusal(self.status, "the script refuses to embed")
        if self.longest is not None and max(map(len, texts)) > self.longest:
            return refusal(400, f"This model's maximum context length is {self.longest} tokens.")
        rows = [{"object": "embedding", "index": at, "embedding": self.vector(text)} for at, text in enumerate(texts)]
        value = {"object": "list", "model": body.get("model", ""), "data": rows}
        return Reply(body="{" if self.fault is Fault.WRONG_JSON else encode(value).decode(), fault=self.fault)
