from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.extract.documents import archive, docx, pdf

from leadline.extract import sniff


@pytest.mark.parametrize(
    ("name", "head", "declared", "expected"),
    [
        ("a.txt", pdf("x"), "text/plain", sniff.PDF),
        ("a.pdf", b"just words", None, sniff.PLAIN),
        ("notes", docx(""), None, sniff.DOCX),
        ("a.zip", archive({"a.txt": "x"}), None, sniff.ZIP),
        ("a.md", b"<!DOCTYPE html><html>", None, sniff.HTML),
        ("a.md", b"<div align=center>logo</div>", None, sniff.MARKDOWN),
        (
            "https://example.org/a.php",
            b"<head><title>x</title>",
            "text/html; charset=x",
            sniff.HTML,
        ),
        ("https://example.org/a.md", b"# Title", "text/html", sniff.MARKDOWN),
        ("https://example.org/a", b"# Title", "text/markdown", sniff.MARKDOWN),
        ("main.py", b"import os", None, "text/x-python"),
        ("Makefile", b"all:\n\ttrue", None, "text/x-makefile"),
        ("README", b"words", None, sniff.PLAIN),
        (None, b"words", None, sniff.PLAIN),
        (None, b"", None, sniff.PLAIN),
        ("x.bin", bytes(range(256)) * 4, "application/octet-stream", None),
        ("x.txt", b"\x00\x01\x02\x03\x00\x00\x00", "text/plain", None),
        ("x.txt", "wide text".encode("utf-16-le"), None, sniff.PLAIN),
        ("x.png", b"\x89PNG\r\n\x1a\n\x00\x00", None, "image/png"),
        ("x.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", None, sniff.OLE),
        ("x.txt", b"ID3 is a tag format, and RIFF another", None, sniff.PLAIN),
        (None, b'<?xml version="1.0"?><rss/>', None, sniff.XML),
        ("C:\\docs\\Report.HTM", b"<p>hello", None, sniff.HTML),
    ],
)
def test_kinds(name: str | None, head: bytes, declared: str | None, expected: str | None) -> None:
    assert sniff.media_type(name, head, declared) == expected


@given(st.text(max_size=20) | st.none(), st.binary(max_size=200), st.text(max_size=20) | st.none())
def test_nothing_makes_it_raise(name: str | None, head: bytes, declared: str | None) -> None:
    sniff.media_type(name, head, declared)
