"""Research a multi-hop question set without a model and write what its scorer reads.

    python benchmarks/quality/multihop.py FOLDER QUESTIONS.jsonl OUT.jsonl [--limit N] [--every K]

FOLDER holds one text file a document (the title, a blank line, the text), QUESTIONS.jsonl rows
with `id` and `question`. Each question goes through the whole engine: index, journal, verification.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from leadline import Leadline, Report
from leadline.settings import load

SIDE_BY_SIDE = 4


def told(report: Report) -> str:
    """Return the report's text: the answer, then each sentence with the title of its source."""
    titles = {source.id: source.title for source in report.sources}
    claims = {claim.id: claim for claim in report.claims}
    lines = [report.answer] if report.answer else []
    for section in report.sections:
        for sentence in section.sentences:
            cited = claims[sentence.claim_id].citations if sentence.claim_id else ()
            title = titles[cited[0].source_id] + ": " if cited else ""
            lines.append(f"{title}{sentence.text}")
    return "\n".join(lines)


def row(key: str, report: Report) -> dict[str, object]:
    """Return a report as the scorer reads it."""
    names = {source.id: (source.final_uri or source.uri).rsplit("/", 1)[-1] for source in report.sources}
    citations = [{"document": names[c.source_id], "quote": c.quote} for claim in report.claims for c in claim.citations]
    found: dict[str, object] = {
        "id": key,
        "report_text": told(report),
        "citations": citations,
        "stop": report.stop_reason,
    }
    return found | {"answer": report.answer} if report.answer else found


async def answer(engine: Leadline, corpus: str, *, waiting: Iterator[dict[str, str]], file: TextIO) -> None:
    """Research what waits, one question after another, and write a row each."""
    for question in waiting:
        run_id = await engine.start(question["question"], options=engine.options(corpora=(corpus,)))
        report = await engine.result(run_id)
        file.write(json.dumps(row(question["id"], report), ensure_ascii=False) + "\n")


async def run(folder: Path, questions: list[dict[str, str]], *, out: Path, data: Path) -> None:
    """Research every question in one engine, a few side by side."""
    waiting = iter(questions)
    async with Leadline(load(flags={"data_dir": str(data)})) as engine:
        begun = time.perf_counter()
        corpus = await engine.corpus([folder])
        print(f"indexed in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        with out.open("w", encoding="utf-8") as file:
            async with asyncio.TaskGroup() as group:
                work = (answer(engine, corpus, waiting=waiting, file=file) for _ in range(SIDE_BY_SIDE))
                _ = [group.create_task(one) for one in work]
        seconds = time.perf_counter() - begun
    print(f"{len(questions)} questions in {seconds:.1f} s: {seconds / max(1, len(questions)) * 1000:.0f} ms each")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, default=None, help="only the first N questions")
    parser.add_argument("--every", type=int, default=1, help="only every K-th question")
    parser.add_argument("--data-dir", type=Path, default=None, help="keep the index here")
    options = parser.parse_args()
    lines = options.questions.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines if line.strip()][:: options.every][: options.limit]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(options.folder, questions, out=options.out, data=options.data_dir or Path(folder)))


if __name__ == "__main__":
    main()
