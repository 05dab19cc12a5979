"""A process of its own that refreshes a corpus: refresh_child.py INDEX FOLDER.

Prints a line for each document done, then what it found as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from leadline.extract.children import ExtractPool
from leadline.resilience import SystemClock
from leadline.search.corpus import Corpus, IndexProgress


def tell(progress: IndexProgress) -> None:
    print(progress.done, flush=True)  # noqa: T201 its way to speak


async def main(index: str, folder: str) -> None:
    async with (
        ExtractPool(workers=1) as pool,
        await Corpus.open(Path(index), [folder], parser=pool, clock=SystemClock()) as corpus,
    ):
        report = await corpus.refresh(progress=tell)
    counts = {"added": report.added, "unchanged": report.unchanged, "documents": report.documents}
    print(json.dumps(counts), flush=True)  # noqa: T201 its way to speak


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
