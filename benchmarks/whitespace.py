"""What squeezing whitespace would save of what a model is shown of documents.

    python benchmarks/whitespace.py [FOLDER]

Extracts each file of FOLDER (the example's corpus unless given) as a visit does, and squeezes runs of
spaces and of empty lines in two ways: everywhere, which is the bound of what can be saved and
damages code and tables; and in prose alone, where neither tables, code, lists nor quotes are touched.
Pieces are what tokenizers of the GPT family split a text into before they count (words with the space
before them, runs of signs, of digits, of whitespace): a long run of spaces is one or two of them.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from leadline.errors import ExtractError
from leadline.extract.registry import extract

ROOT: Final = Path(__file__).resolve().parents[1]
PIECES: Final = re.compile(r"[^\S\r\n]?[^\W\d_]+|\d{1,3}| ?[^\s\w]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+|_+")
KEPT: Final = re.compile(r"^(?:\s{4,}|\t|\s*[|>*+\-#]|\s*\d+[.)]\s|```)|\t|\S {2,}\S.* {2,}\S")


def squeezed(text: str) -> str:
    """Return a text whose runs of blanks are one, and of empty lines one."""
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r"\s*\n\s*\n\s*", "\n\n", text).strip()


def squeezed_prose(text: str) -> str:
    """Return a text whose paragraphs are squeezed of which no line looks like code, a table, a list or a quote."""
    parts = re.split(r"(\n\s*\n)", text)
    return "".join(part if any(map(KEPT.search, part.split("\n"))) else squeezed(part) or "\n\n" for part in parts)


def main() -> None:
    """Measure and print a line a way."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples" / "corpus"
    signs: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    read = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            text = extract(path.read_bytes(), name=path.name).text
        except ExtractError:
            continue
        read += 1
        for way, shown in (("as it is", text), ("everywhere", squeezed(text)), ("prose", squeezed_prose(text))):
            signs[way] += len(shown)
            pieces[way] += len(PIECES.findall(shown))
    print(f"{read} documents, {signs['as it is']} code points, {pieces['as it is']} pieces")
    for way in ("everywhere", "prose"):
        saved = [1 - counted[way] / counted["as it is"] for counted in (signs, pieces)]
        print(f"squeezed {way}: {saved[0]:.2%} of code points, {saved[1]:.2%} of pieces saved")


if __name__ == "__main__":
    main()
