from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.unit.extract.documents import pdf

from leadline.errors import BrokenDocument, EncryptedDocument, ExtractError
from leadline.extract.registry import extract
from leadline.extract.types import locate


def test_pages_are_located_and_facts_read() -> None:
    raw = pdf(
        "Hello world",
        "",
        "Third page",
        info="/Title (A title) /Author (Ann; Bob) /CreationDate (D:20240305120000Z)",
    )
    result = extract(raw, name="a.pdf")
    assert result.text == "Hello world\n\nThird page"
    assert locate(result.locators, 3) == "page 1"
    assert locate(result.locators, result.text.index("Third")) == "page 3"
    assert (result.title, result.authors, result.published) == (
        "A title",
        ("Ann", "Bob"),
        "2024-03-05",
    )
    assert re.fullmatch(r"pdf-pdfium\d+/1", result.extractor)


def test_what_a_program_writes_for_want_of_an_author_is_none() -> None:
    assert extract(pdf("x", info="/Author (\\(anonymous\\); Ann)"), name="a.pdf").authors == ("Ann",)


def test_printed_page_labels_are_used() -> None:
    raw = pdf("Preface", "Chapter", labels="0 << /S /r >> 1 << /S /D /St 1 >>")
    result = extract(raw, name="a.pdf")
    assert [place.label for place in result.locators] == ["i (1 of 2)", "1 (2 of 2)"]


def test_a_scan_without_text_says_so() -> None:
    result = extract(pdf(""), name="a.pdf")
    assert not result.text
    assert "scanned" in result.warnings[0]


def test_a_worthless_title_is_none() -> None:
    assert extract(pdf("x", info="/Title (Microsoft Word - draft.doc)"), name="a.pdf").title is None


@pytest.mark.parametrize("cut", [20, 200, 400])
def test_a_cut_off_file_is_read_or_reported(cut: int) -> None:
    raw = pdf("Hello world", "Second")
    try:
        text = extract(raw[:-cut], name="a.pdf").text
    except BrokenDocument as error:
        text = str(error)
    assert "Hello" in text or "`a.pdf`" in text or not text


def test_rubbish_is_broken() -> None:
    with pytest.raises(BrokenDocument, match=r"`a\.pdf`: neither pdfium nor pdfminer"):
        extract(b"%PDF-1.7 and nothing else", name="a.pdf")


@pytest.mark.shared_data
def test_every_collected_file_that_a_reader_can_read(shared_data: Path) -> None:
    folder = shared_data / "pdf"
    failed: list[str] = []
    for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        try:
            result = extract((folder / row["file"]).read_bytes(), name=row["file"], password=row["password"])
        except ExtractError:
            failed.append(row["file"])
        else:
            assert result.text.strip() or row["expect"] != "text", row["file"]
    assert len(failed) <= 2, failed


@pytest.mark.shared_data
def test_an_encrypted_file_needs_its_password(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "pdf" / "manifest.jsonl").read_text("utf-8").splitlines()]
    row = next(row for row in rows if row["category"] == "encrypted" and row["expect"] == "text")
    raw = (shared_data / "pdf" / row["file"]).read_bytes()
    with pytest.raises(EncryptedDocument, match="give the password"):
        extract(raw, name="a.pdf")
    with pytest.raises(EncryptedDocument, match="does not open it"):
        extract(raw, name="a.pdf", password="wrong")
    assert extract(raw, name="a.pdf", password=row["password"]).text
