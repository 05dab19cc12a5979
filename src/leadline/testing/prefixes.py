"""How much of what a model server was asked it had just seen: what its prefix cache can serve.

Measured on the requests that a `ScriptedServer` received, in bytes of tools and messages in the
order in which chat templates print them: tools first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leadline.codec import canonical
from leadline.testing.script import Asked

SESSION = "x-session-id"


class Reuse(NamedTuple):
    """Shares of bytes over the later requests of each session, and how many those were.

    `repeated`: of all bytes asked, those that the request before began with as well. `kept`: of the
    bytes of the request before, those that the next one begins with; 1 for a conversation that
    only grows. `prompt`: bytes of a request, on average. `bound`: what `repeated` would be if each
    request began with all of the one before, which no prompt of these lengths can exceed;
    `repeated` is `kept` times `bound`. Of n requests of a conversation that begins with H bytes
    and grows by d with each, it is 1 - d / (H + n d / 2): short conversations cannot repeat much.
    """

    repeated: float
    kept: float
    prompt: float
    requests: int
    bound: float


def prefix_reuse(requests: Sequence[Asked]) -> Reuse:
    """Return the reuse over all sessions; raises `ValueError` where no session asked twice."""
    last: dict[str, bytes] = {}
    common = before = asked = count = 0
    for request in requests:
        session = request.headers.get(SESSION, "")
        prompt = prompt_of(request)
        known = last.get(session)
        if known is not None:
            common += _common(known, prompt)
            before += len(known)
            asked += len(prompt)
            count += 1
        last[session] = prompt
    if not count:
        raise ValueError("no session asked twice: nothing can be repeated")
    return Reuse(
        repeated=common / asked,
        kept=common / before,
        prompt=asked / count,
        requests=count,
        bound=before / asked,
    )


def prompt_of(request: Asked) -> bytes:
    """Return the prompt's bytes: tools, then messages."""
    parts = [canonical(request.body.get("tools") or []), *map(canonical, request.messages)]
    return b"\n".join(parts)


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes both begin with: by halving, for prompts are long."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
