"""Start a service over a small web of this script's own, and ask it with the client, step by step and in one call.

    python examples/ask_a_service.py ["A question about the example corpus"]

Nothing leaves the machine. With your own service only the two lines with `Client` are needed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

from ask_the_web import QUESTION, pages

from leadline.client import Client
from leadline.events import Record, ToolAsked
from leadline.testing import SmallWeb


def ask(url: str, question: str) -> None:
    """Watch one run, then have another in one call."""
    with Client(url) as client:
        run = client.start(question, strategy="extractive", web=True)
        print(f"run {run.id} is {run.state.value}")
        for item in client.events(run.id):
            if isinstance(item, Record) and isinstance(item.event, ToolAsked):
                print(f"  {item.seq}: {item.event.tool}")
        report = client.result(run.id)
        for claim in report.claims:
            print(f"- {claim.text} ({claim.verdict.value}; {claim.citations[0].source_id})")
        again = client.research(question, strategy="extractive", web=True)
        print(f"the same in one call: {len(again.claims)} claims from {len(again.sources)} sources")


async def main(question: str) -> None:
    """Serve the pages and a service over them, and ask."""
    with tempfile.TemporaryDirectory() as folder:
        async with SmallWeb(pages()) as web:
            environment = {**os.environ, **web.environment, "LEADLINE_DATA_DIR": folder}
            service = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "leadline",
                "serve",
                "--port",
                "0",
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                url = (await service.stdout.readline()).decode().strip() if service.stdout else ""
                await asyncio.to_thread(ask, url, question)
            finally:
                service.terminate()
                await service.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else QUESTION))
