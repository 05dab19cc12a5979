"""Measure the local corpus: index speed, rescan, search, beside a bare FTS5 table.

    python benchmarks/corpus.py [--files 20000] [--chunks 20000] [--queries 200] [--json]

Four tasks over synthesised, seeded text, half English, half Chinese:

- files: that many small Markdown files are indexed, then rescanned unchanged, then with one added.
- chunks: documents of about ten passages each are indexed; queries of two to five words, and
  Chinese ones of two characters and more, are searched through the same path as the engine's.
- bare: the same passages and queries on a plain FTS5 table, without hits, titles or snippets.
- vectors: the chunks again with vectors of 768 numbers from an embedder in this process, which
  costs nothing but chance: what making, keeping and comparing them adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import shutil
import sqlite3
import statistics
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Final

from leadline.extract.children import ExtractPool
from leadline.ports import Query
from leadline.resilience import SystemClock
from leadline.search.corpus import Corpus, EmbedLimits
from leadline.text.tokens import fts_query, fts_tokens

SEED: Final = 20_240_305
ENGLISH: Final = 12_000
CHINESE: Final = 3_000
PASSAGE: Final = 1_000
DIMENSIONS: Final = 768
STOP: Final = 30


class Words:
    """Words by a Zipf law: few are everywhere, most are rare, as in real text."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 repeatable text
        syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "en", "ar", "is")]
        self.english = ["".join(self.random.choices(syllables, k=self.random.randint(1, 4))) for _ in range(ENGLISH)]
        chars = [chr(0x4E00 + self.random.randrange(6_000)) for _ in range(1_800)]
        self.chinese = [
            "".join(self.random.choices(chars, k=self.random.choice((2, 2, 2, 3, 4)))) for _ in range(CHINESE)
        ]
        self._weights = [1 / (rank + 3) for rank in range(ENGLISH)]

    def sentence(self, language: str) -> str:
        """Return one sentence."""
        pool = self.english if language == "en" else self.chinese
        picked = self.random.choices(pool, weights=self._weights[: len(pool)], k=self.random.randint(8, 24))
        return " ".join(picked).capitalize() + ". " if language == "en" else "".join(picked) + "。"

    def text(self, language: str, size: int) -> str:
        """Return about `size` characters of prose."""
        parts: list[str] = []
        length = 0
        while length < size:
            parts.append(self.sentence(language))
            length += len(parts[-1])
            if self.random.random() < 0.15:
                parts.append("\n\n")
        return "".join(parts)

    def query(self, language: str) -> str:
        """Return a query of words of all ranks below those that would be stop words."""
        pool = self.english if language == "en" else self.chinese
        span = math.log(STOP), math.log(len(pool) - 1)
        count = self.random.randint(2, 5)
        picked = [pool[int(math.exp(self.random.uniform(*span)))] for _ in range(count)]
        return (" " if language == "en" else "的").join(picked)


def document(words: Words, number: int, size: int) -> str:
    """Return a Markdown document; every second one is Chinese."""
    language = "en" if number % 2 else "zh"
    title = words.sentence(language).strip()[:60]
    half = size // 2
    return f"# {title}\n\n{words.text(language, half)}\n\n## Part two\n\n{words.text(language, half)}\n"


def write(folder: Path, count: int, size: int) -> int:
    """Write `count` documents in folders of 100; return the bytes."""
    words = Words(SEED)
    total = 0
    for number in range(count):
        path = folder / f"{number // 100:04}" / f"{number:06}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = document(words, number, size).encode()
        path.write_bytes(data)
        total += len(data)
    return total


async def measure_files(folder: Path, count: int) -> dict[str, float]:
    """Index many small files, rescan them, add one."""
    size = write(folder / "files", count, 600)
    async with (
        ExtractPool(workers=2) as pool,
        await Corpus.open(folder / "index", [folder / "files"], parser=pool, clock=SystemClock()) as corpus,
    ):
        first = await corpus.refresh()
        await asyncio.sleep(2.1)  # until their times are beyond doubt
        await corpus.refresh()
        again = await corpus.refresh()
        (folder / "files" / "added.md").write_text("# Zyzzyva\n\nA weevil.\n", encoding="utf-8")
        added = await corpus.refresh()
        found = await corpus.search(Query(text="zyzzyva"), deadline=5)
    if (first.added, again.unchanged, added.added, len(found.hits)) != (count, count, 1, 1):
        raise SystemExit(f"wrong result: {first} {again} {added} {found}")
    return {
        "index files/s": count / first.seconds,
        "index MB/s": size / 1e6 / first.seconds,
        "rescan s": again.seconds,
        "add one s": added.seconds,
    }


async def measure_search(folder: Path, chunks: int, queries: int) -> dict[str, float]:
    """Index long documents and search them."""
    size = write(folder / "chunks", chunks // 10, PASSAGE * 10)
    async with (
        ExtractPool(workers=2) as pool,
        await Corpus.open(folder / "index", [folder / "chunks"], parser=pool, clock=SystemClock()) as corpus,
    ):
        report = await corpus.refresh()
        index = folder / "index" / f"{corpus.id}.db"
        with closing(sqlite3.connect(index)) as connection:
            (passages,) = connection.execute("SELECT count(*) FROM passages").fetchone()
        figures = {
            "passages": passages,
            "text MB/s": size / 1e6 / report.seconds,
            "index MB per MB": index.stat().st_size / size,
        }
        for language in ("en", "zh"):
            words = Words(SEED + 1 if language == "en" else SEED + 2)
            words.english, words.chinese = Words(SEED).english, Words(SEED).chinese
            asked = [words.query(language) for _ in range(queries)]
            figures |= percentiles(f"search {language}", [await timed(corpus, text) for text in asked])
            figures |= percentiles(f"bare {language}", list(bare(folder / "chunks", asked)))
    return figures


class Chance:
    """An embedder whose vectors are drawn by chance, the same for the same text."""

    name = "chance"

    def __init__(self) -> None:
        self._pool = [[random.Random(f"{SEED} {at}").gauss(0, 1) for _ in range(DIMENSIONS)] for at in range(64)]  # noqa: S311 repeatable vectors

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Sequence[Sequence[float]]:
        """Return a rotation of one of a few vectors for each text."""
        return [self._vector(zlib.crc32(text.encode())) for text in texts]

    def _vector(self, chance: int) -> list[float]:
        vector, turn = self._pool[chance % 64], chance // 64 % DIMENSIONS
        return vector[turn:] + vector[:turn]


async def measure_vectors(folder: Path, queries: int) -> dict[str, float]:
    """Embed what `measure_search` indexed, and search it both ways."""
    limits = EmbedLimits(seconds=600, tokens=1_000_000_000)
    async with (
        ExtractPool(workers=2) as pool,
        await Corpus.open(
            folder / "index",
            [folder / "chunks"],
            parser=pool,
            clock=SystemClock(),
            embedder=Chance(),
            embed_limits=limits,
        ) as corpus,
    ):
        report = await corpus.refresh()
        if report.pending or report.warnings or not report.embedded:
            raise SystemExit(f"wrong result: {report}")
        begun = perf_counter()
        again = await corpus.refresh()
        figures = {
            "embed passages/s": report.embedded / report.seconds,
            "nothing new s": perf_counter() - begun,
            "load s": await timed(corpus, "first"),
            "vector MB": next((folder / "index").glob("*.vectors.*.db")).stat().st_size / 1e6,
        }
        if again.embedded:
            raise SystemExit(f"embedded twice: {again}")
        words = Words(SEED + 1)
        words.english = Words(SEED).english
        asked = [words.query("en") for _ in range(queries)]
        return figures | percentiles("with vectors", [await timed(corpus, text) for text in asked])


async def timed(corpus: Corpus, text: str) -> float:
    """Return the seconds of one search, from the loop and back."""
    begun = perf_counter()
    await corpus.search(Query(text=text), deadline=5)
    return perf_counter() - begun


def bare(folder: Path, queries: Sequence[str]) -> Iterator[float]:
    """Yield the seconds of each query on a table that holds the text and nothing else."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE bare USING fts5(body, tokenize = 'porter unicode61')")
        for path in sorted(folder.rglob("*.md")):
            text = path.read_text(encoding="utf-8")
            rows = ((fts_tokens(text[at : at + PASSAGE]),) for at in range(0, len(text), PASSAGE))
            connection.executemany("INSERT INTO bare VALUES (?)", rows)
        connection.execute("INSERT INTO bare (bare) VALUES ('optimize')")
        for query in queries:
            begun = perf_counter()
            connection.execute(
                "SELECT rowid, rank FROM bare WHERE bare MATCH ? ORDER BY rank LIMIT 40", (fts_query(query),)
            ).fetchall()
            yield perf_counter() - begun


def percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Return p50 and p95 in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20)
    return {f"{name} p50 ms": 1000 * statistics.median(seconds), f"{name} p95 ms": 1000 * cuts[-1]}


def main() -> None:
    """Run both tasks and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="leadline-corpus-"))
    try:
        figures = asyncio.run(measure_search(folder, options.chunks, options.queries))
        figures |= asyncio.run(measure_vectors(folder, options.queries))
        figures |= asyncio.run(measure_files(folder, options.files))
    finally:
        shutil.rmtree(folder)
    show: Callable[[dict[str, float]], str] = json.dumps if options.json else table
    print(show(figures))


def table(figures: dict[str, float]) -> str:
    """Return the figures one a line."""
    return "\n".join(f"{name:22} {value:12.3f}" for name, value in figures.items())


if __name__ == "__main__":
    main()
