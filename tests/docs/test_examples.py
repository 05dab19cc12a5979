"""The example corpus and its questions are what examples/README.md says they are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CORPUS = EXAMPLES / "corpus"
CHINESE = re.compile("[\u4e00-\u9fff]")
MADE = {
    "challenger-expedition": "sounding/challenger-expedition.pdf",
    "john-smeaton": "engineering/john-smeaton.pdf",
    "zhaozhou-bridge": "engineering/zhaozhou-bridge.pdf",
    "dujiangyan": "engineering/dujiangyan.docx",
    "postgresql-wal": "databases/postgresql-wal.docx",
}


def documents() -> list[Path]:
    return sorted(path for path in CORPUS.rglob("*") if path.is_file())


def text_of(path: Path) -> str:
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            return "\n".join(page.get_textpage().get_text_range() for page in pdf)
    if path.suffix == ".docx":
        return "\n".join(paragraph.text for paragraph in docx.Document(str(path)).paragraphs)
    return path.read_text(encoding="utf-8")


def folded(text: str) -> str:
    return re.sub(r"[\s#]+", "", text)


def questions() -> list[dict[str, Any]]:
    lines = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_corpus_is_as_large_as_the_readme_says() -> None:
    chinese = [path for path in documents() if CHINESE.search(text_of(path)[:200])]
    assert len(documents()) == 25
    assert len(chinese) == 10
    assert {path.suffix for path in documents()} == {".md", ".txt", ".html", ".pdf", ".docx"}


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_document_says_who_wrote_it_and_when(path: Path) -> None:
    beginning = text_of(path)[:600]
    assert re.search("Leadline (example corpus|示例文集)", beginning)
    assert "2026-11-20" in beginning


@pytest.mark.parametrize("name", MADE)
def test_made_documents_hold_their_source(name: str) -> None:
    source = (EXAMPLES / "sources" / f"{name}.txt").read_text(encoding="utf-8")
    assert folded(text_of(CORPUS / MADE[name])) == folded(source)


def test_every_source_is_made_into_a_document() -> None:
    assert {path.stem for path in (EXAMPLES / "sources").iterdir()} == set(MADE)


def test_questions_are_twenty_in_two_languages() -> None:
    rows = questions()
    assert len({row["id"] for row in rows}) == len(rows) == 20
    assert sum(bool(CHINESE.search(row["question"])) for row in rows) == 8
    assert sum(row["answer"] is None for row in rows) == 3
    assert sum(len(row["documents"]) > 1 for row in rows) >= 6


@pytest.mark.parametrize("row", questions(), ids=lambda row: row["id"])
def test_answers_stand_in_their_documents(row: dict[str, Any]) -> None:
    if row["answer"] is None:
        assert row["documents"] == []
        return
    together = folded("".join(text_of(CORPUS / name) for name in row["documents"]))
    figures = re.findall(r"\d[\d,.]*", row["answer"])
    parts = figures or re.split("和| and ", row["answer"])
    assert [part for part in parts if folded(part) not in together] == []


def test_the_web_is_asked_once_and_then_the_cache(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "ask_the_web.py"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1759" in done.stdout
    counts = re.search(r"requests to the web: (\d+) the first time, (\d+) the second", done.stdout)
    assert counts is not None
    assert int(counts[1]) > 1
    assert int(counts[2]) == 0
