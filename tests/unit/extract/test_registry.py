from __future__ import annotations

import hashlib
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.extract.documents import docx, paragraph, pdf

from leadline.errors import ExtractError, UnknownFormat
from leadline.extract import registry, sniff
from leadline.extract.registry import EXTRACTOR_VERSION, extract, media_types
from leadline.extract.types import Limits
from leadline.extract.work import Job

SEEDS = [
    pdf("Hello", "World"),
    docx(paragraph("Hello") + "<w:tbl><w:tr><w:tc/></w:tr></w:tbl>"),
    b"<html><body><table><tr><td>a</td></tr></table><ul><li>x</ul></body></html>",
    b"# Title\n\ntext\n",
]


def names() -> list[str]:
    return sorted(media_types())


def mutated(seed: bytes, changes: list[tuple[int, int]]) -> bytes:
    raw = bytearray(seed)
    for place, value in changes:
        raw[place % len(raw)] = value
    return bytes(raw)


@settings(max_examples=30)
@given(raw=st.binary(max_size=400))
@pytest.mark.parametrize("media_type", names())
def test_a_parser_raises_nothing_but_its_own_errors(media_type: str, raw: bytes) -> None:
    known = registry._format_of(media_type)
    assert known is not None
    job = Job(raw=raw, media_type=media_type, name="x", limits=Limits(chars=10_000))
    try:
        said = registry._run(known, job).text
    except ExtractError as error:
        said = str(error)
        named = "`x`" in said
    else:
        named = True
    said.encode()
    assert named


@settings(max_examples=60)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=12),
    name=st.sampled_from(["a.pdf", "a.docx", "a.html", "a.txt", "a", None]),
)
def test_damaged_documents_raise_nothing_but_errors(
    seed: bytes, changes: list[tuple[int, int]], name: str | None
) -> None:
    raw = mutated(seed, changes)
    try:
        result = extract(raw, name=name)
    except ExtractError:
        return
    result.text.encode()
    starts = [place.start for place in result.locators]
    assert starts == sorted(starts)
    assert all(0 <= start <= len(result.text) for start in starts)
    assert asdict(extract(raw, name=name)) == asdict(result)


def test_every_extractor_has_one_version() -> None:
    assert set(EXTRACTOR_VERSION) >= {"plain", "markdown", "html", "pdf", "docx"}
    assert all(version >= 1 for version in EXTRACTOR_VERSION.values())


def test_the_hash_is_that_of_the_bytes() -> None:
    raw = "Größe".encode("cp1252")
    result = extract(raw, name="a.txt")
    assert result.raw_sha256 == hashlib.sha256(raw).hexdigest()


def test_kinds_without_a_parser_are_named() -> None:
    with pytest.raises(UnknownFormat, match="old binary Office file"):
        extract(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), name="a.doc")
    with pytest.raises(UnknownFormat, match="an archive: unpack it first"):
        extract(b"PK\x05\x06" + bytes(18), name="a.zip")
    with pytest.raises(UnknownFormat, match="the document is binary data of an unknown kind"):
        extract(bytes(range(256)) * 3)


def test_an_unknown_kind_of_text_is_plain_text() -> None:
    result = extract(b"some words", declared="text/x-unheard-of")
    assert (result.content_type, result.extractor) == ("text/x-unheard-of", "plain/1")


def test_an_unforeseen_failure_of_a_parser_is_a_broken_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def burst(job: Job) -> None:
        raise KeyError(job.media_type)

    monkeypatch.setattr("leadline.extract.plain.parse_plain", burst)
    with pytest.raises(ExtractError, match=rf"damaged {sniff.PLAIN} \(KeyError"):
        extract(b"x", name="a.txt")
