"""A model server as a process of its own, to be killed: it searches, reads, answers, and tells metrics as vLLM does.

Run with the address of the page that it reads; prints its own address and that of its metrics.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from aiohttp import web
from tests.support.exporters import vllm

from leadline.domain import ToolCall
from leadline.testing import Asked, Reply, ScriptedServer


def script(asked: Asked, number: int) -> Reply:
    """Return the turn that comes next; no search is for what another one was."""
    if "numbered excerpts" in asked.system:
        return Reply(text="ANSWER: It was first lit in 1844 [1].")
    turns = (
        ToolCall(name="search", arguments={"query": f"lighthouse lit {number}"}, id="s0"),
        ToolCall(name="visit", arguments={"url": sys.argv[1]}, id="v0"),
    )
    if asked.body["max_tokens"] > 1 and asked.turn < len(turns):
        return Reply(tool_calls=(turns[asked.turn],))
    return Reply(text="<answer>1844.</answer>")


async def main() -> None:
    """Serve until killed."""
    scrapes, calls = count(1), count(1)

    async def metrics(request: web.Request) -> web.Response:
        del request
        return web.Response(text=vllm(next(scrapes)))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ScriptedServer(lambda asked: script(asked, next(calls))) as server:
        print(server.url, f"127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201 the parent reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
