"""Ask a question of a small web that this script serves, twice: the second time everything is in the cache.

    python examples/ask_the_web.py ["A question about the example corpus"]

The web is that of `leadline.testing`: a search with the answers of a SearXNG, and the texts of
examples/corpus as its pages. Nothing leaves the machine. With your own search service the same is
`leadline ask "..." --web`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from leadline.testing import SmallWeb, WebPage

CORPUS = Path(__file__).resolve().parent / "corpus"
QUESTION = "When was the first stone lighthouse on the Eddystone lit?"


def pages() -> dict[str, WebPage]:
    """Return the corpus as pages: web pages as they are, texts with a title around them."""
    found = {}
    for path in sorted(CORPUS.rglob("*")):
        address = f"/{path.relative_to(CORPUS).with_suffix('').as_posix()}"
        if path.suffix == ".html":
            found[address] = WebPage(body=path.read_bytes())
        elif path.suffix in {".md", ".txt"}:
            title, _, rest = path.read_text(encoding="utf-8").lstrip("# ").partition("\n")
            paragraphs = "".join(f"<p>{escape(text)}</p>" for text in rest.split("\n\n") if text.strip())
            page = f"<!doctype html><title>{escape(title)}</title><main><h1>{escape(title)}</h1>{paragraphs}</main>"
            found[address] = WebPage(body=page.encode())
    return found


async def ask(web: SmallWeb, question: str, data: str) -> str:
    """Return the report that the program prints."""
    program = Path(sys.executable).with_name("leadline")
    asked = await asyncio.create_subprocess_exec(
        program,
        *("ask", question, "--web", "--quiet", "--data-dir", data),
        env={**os.environ, **web.environment},
        stdout=subprocess.PIPE,
    )
    report, _ = await asked.communicate()
    if asked.returncode:
        raise SystemExit(asked.returncode)
    return report.decode()


async def main(question: str) -> None:
    """Ask twice; print the report, and how often the web was asked for it."""
    async with SmallWeb(await asyncio.to_thread(pages)) as web:
        with tempfile.TemporaryDirectory() as data:
            print(await ask(web, question, data))
            first = len(web.requests)
            await ask(web, question, data)
        print(f"requests to the web: {first} the first time, {len(web.requests) - first} the second")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else QUESTION))
