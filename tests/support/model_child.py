"""A model server as a process of its own, to be killed: it searches, reads, answers, and tells metrics as vLLM does.

Run with the address of the page that it reads, and its port (0: a free one) and seconds before each
answer where wanted; prints its own address and that of its metrics.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from itertools import count
from urllib.parse import urlsplit

from tests.support.exporters import vllm

from leadline.domain import ToolCall
from leadline.testing import Asked, Reply, ScriptedServer


def script(asked: Asked, number: int, *, page: str) -> Reply:
    """Return the turn that comes next; no search is for what another one was."""
    if "numbered excerpts" in asked.system:
        return Reply(text="ANSWER: It was first lit in 1844 [1].")
    if "17 + 25" in asked.last:
        return Reply(tool_calls=(ToolCall(name="add", arguments={"a": 17, "b": 25}, id="a0"),))
    if "as JSON" in asked.last:
        return Reply(text='{"name": "Skerryvore", "year": 1844}')
    turns = (
        ToolCall(name="search", arguments={"query": f"lighthouse lit {number}"}, id="s0"),
        ToolCall(name="visit", arguments={"url": page}, id="v0"),
    )
    if asked.body["max_tokens"] > 1 and asked.turn < len(turns):
        return Reply(tool_calls=(turns[asked.turn],))
    return Reply(text="<answer>1844.</answer>")


async def main(page: str, port: str = "0", delay: str = "0") -> None:
    """Serve until killed."""
    scrapes, calls = count(1), count(1)

    def answered(asked: Asked) -> Reply:
        return replace(script(asked, next(calls), page=page), first_delay=float(delay))

    async with ScriptedServer(answered, port=int(port), metrics=lambda: vllm(next(scrapes))) as server:
        print(server.url, urlsplit(server.url).netloc, flush=True)  # noqa: T201 the parent reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
