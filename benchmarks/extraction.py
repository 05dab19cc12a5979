"""Measure the extraction of main text: pages a CPU-second and F1, beside trafilatura in the same run.

    python benchmarks/extraction.py [FOLDER] [--made N] [--json]

N pages (60 where no folder is named) are made of words, the same ones each time, and read beside a
bare parse of their text. FOLDER holds sets of pages, each with `gold.jsonl` (`html`, `url`, and `gold`
as text). Bar: three times trafilatura's pages a CPU-second; without trafilatura installed its row is
left out.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from leadline.extract.registry import extract

RUN = 4
MADE = 60
BAR = 3.0

Reader = Callable[[bytes, str], str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One reader on one set; `f1` counts runs of four words, averaged over pages; `None` without gold texts."""

    reader: str
    pages: int
    pages_a_cpu_second: float
    f1: float | None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A page and, where it is known, its article's text."""

    html: bytes
    url: str
    gold: str | None


def ours(html: bytes, url: str) -> str:
    return extract(html, name=url, declared="text/html").text


def theirs(html: bytes, url: str) -> str:
    found = import_module("trafilatura").extract(html, url=url)
    return found if isinstance(found, str) else ""


def parse(html: bytes, url: str) -> str:
    """Parse a page and return all of its text: what any extraction comes on top of."""
    body = LexborHTMLParser(html).body
    return url if body is None else body.text()


def made(count: int) -> list[Sample]:
    """Return pages with an article among navigation and asides, the same ones each time."""
    return [Sample(html=_made(number), url=f"https://page.test/{number}", gold=None) for number in range(count)]


def _made(number: int) -> bytes:
    words = random.Random(number)  # noqa: S311 repeatable pages

    def text(length: int) -> str:
        return " ".join("".join(words.choices("aeinorst", k=words.randint(2, 9))) for _ in range(length)) + "."

    links = "".join(f"<li><a href='/{at}'>{text(3)}</a></li>" for at in range(40))
    article = "".join(
        f"<h2>{text(5)}</h2><p>{text(90)}</p><p>{text(70)} <a href='/x'>{text(2)}</a></p>" for _ in range(12)
    )
    page = (
        f"<nav><ul>{links}</ul></nav><main><article><h1>{text(6)}</h1>{article}</article></main><aside>{links}</aside>"
    )
    return f"<html><head><title>{text(6)}</title></head><body>{page}<footer>{text(30)}</footer></body></html>".encode()


def samples(folder: Path) -> list[Sample]:
    rows = [json.loads(line) for line in (folder / "gold.jsonl").read_text(encoding="utf-8").splitlines()]
    return [Sample(html=(folder / r["html"]).read_bytes(), url=r["url"], gold=r.get("gold")) for r in rows]


def runs(text: str) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return Counter(tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))) if words else Counter()


def f1(pairs: Sequence[tuple[str, str]]) -> float | None:
    if not pairs:
        return None
    precisions, recalls = [], []
    for gold, got in pairs:
        wanted, found = runs(gold), runs(got)
        shared = (wanted & found).total()
        precisions.append(shared / max(1, found.total()))
        recalls.append(shared / max(1, wanted.total()))
    precision, recall = sum(precisions) / len(pairs), sum(recalls) / len(pairs)
    return 2 * precision * recall / max(precision + recall, 1e-9)


def measure(name: str, reader: Reader, pages: Sequence[Sample]) -> Row:
    reader(pages[0].html, pages[0].url)  # what is loaded when first used
    begun = time.process_time()
    got = [reader(page.html, page.url) for page in pages]
    seconds = time.process_time() - begun
    pairs = [(page.gold, text) for page, text in zip(pages, got, strict=True) if page.gold is not None]
    return Row(reader=name, pages=len(pages), pages_a_cpu_second=len(pages) / seconds, f1=f1(pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--made", type=int, metavar="N", help="pages that are made here")
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    arguments = parser.parse_args()
    if arguments.made or arguments.folder is None:
        rows = [
            measure(name, reader, made(arguments.made or MADE))
            for name, reader in (("leadline", ours), ("bare parse", parse))
        ]
        print(json.dumps([asdict(row) for row in rows]) if arguments.json else rows)
    if arguments.folder is None:
        return
    readers: dict[str, Reader] = {"leadline": ours}
    if find_spec("trafilatura") is not None:
        readers["trafilatura"] = theirs
    for folder in sorted(path.parent for path in arguments.folder.glob("*/gold.jsonl")):
        pages = samples(folder)
        rows = [measure(name, reader, pages) for name, reader in readers.items()]
        if arguments.json:
            print(json.dumps({"set": folder.name, "rows": [asdict(row) for row in rows]}))
            continue
        for row in rows:
            quality = "" if row.f1 is None else f", F1 {row.f1:.3f}"
            print(f"{folder.name}: {row.reader}: {row.pages_a_cpu_second:.0f} pages a CPU-second{quality}")
        if len(rows) > 1:
            ratio = rows[0].pages_a_cpu_second / rows[1].pages_a_cpu_second
            print(f"{folder.name}: {ratio:.1f} times as fast (bar: {BAR:g})")


if __name__ == "__main__":
    main()
