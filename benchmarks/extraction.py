"""Measure the extraction of main text: pages a CPU-second and F1, beside trafilatura in the same run.

    python benchmarks/extraction.py FOLDER [--json]

FOLDER holds sets of pages, each with `gold.jsonl` (`html`, `url`, and `gold` as text). Bar: three
times trafilatura's pages a CPU-second; without trafilatura installed its row is left out.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from leadline.extract.registry import extract

RUN = 4
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
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    arguments = parser.parse_args()
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
