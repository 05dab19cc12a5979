"""The word tier against human labels: writes scores for a "does this source support this claim" set.

    python benchmarks/quality/attribution.py FOLDER scores.jsonl
    python FOLDER/score_attribution.py scores.jsonl

FOLDER holds dev.jsonl and ood.jsonl (rows with id, claim, references), which are not part of this
repository. Scores are those that a report shows beside a claim. A diagnostic, not a gate: the
labels judge whole answers, most of them long, and nothing here is tuned on the second file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leadline.domain import DraftSentence, Source, sha256, source_id
from leadline.research.evidence import Ledger
from leadline.research.verification.verify import check_claims


def a_source(text: str) -> Source:
    """Return the source of a stored text without an address."""
    digest = sha256(text.encode("utf-8", "surrogatepass"))
    return Source(
        id=source_id(digest),
        uri=f"document:attribution/{digest}",
        sha256=digest,
        raw_sha256=digest,
        extractor="text/1",
        content_type="text/plain",
        chars=len(text),
    )


def score(row: Mapping[str, Any]) -> float:
    """Return how well the references of a row bear out its claim, 0 to 1."""
    ledger = Ledger()
    excerpts = []
    for text in row["references"]:
        if text.strip():
            source = ledger.admit(a_source(text), text)
            excerpts.append(ledger.excerpt(source.id, 0, len(text)).id)
    if not excerpts:
        return 0.0
    sentence = DraftSentence(text=row["claim"], excerpt_ids=tuple(excerpts))
    return check_claims([sentence], ledger)[0].checks.score or 0.0


def rows(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of both files."""
    for name in ("dev.jsonl", "ood.jsonl"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield json.loads(line)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the word tier's scores of a labelled set.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("scores", type=Path)
    arguments = parser.parse_args()
    began, count = time.process_time(), 0
    with arguments.scores.open("w", encoding="utf-8") as out:
        for row in rows(arguments.folder):
            out.write(json.dumps({"id": row["id"], "score": score(row)}) + "\n")
            count += 1
    taken = (time.process_time() - began) * 1000 / max(1, count)
    print(f"{count} claims, {taken:.1f} CPU-ms each -> {arguments.scores}")


if __name__ == "__main__":
    main()
