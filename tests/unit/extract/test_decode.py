from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.extract.decode import decode, detect

CHINESE = "中文维基百科是维基百科协作计划的中文版本，自2002年10月24日正式成立。" * 6
RUSSIAN = "Москва является столицей Российской Федерации и крупнейшим по численности городом. " * 6
JAPANESE = "日本語の文章をいくつかの文字コードで符号化して、正しく読めるかどうかを確かめる。" * 6
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy a šťastně skočil přes plot do zahrady. " * 6


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "gb18030"),
        (CHINESE, "utf-8"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (CZECH, "cp1250"),
        (CZECH, "iso8859-2"),
        ("plain words and nothing else", "ascii"),
    ],
)
def test_usual_encodings_are_found_without_a_declaration(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("marked", [True, False])
def test_wide_encodings_are_found_by_mark_or_zeros(encoding: str, marked: bool) -> None:
    text = "Two bytes or four for each of these letters.\n" * 5
    mark = "\ufeff".encode(encoding) if marked else b""
    assert decode(mark + text.encode(encoding)).text == text


def test_the_mark_is_dropped_and_nothing_else_changes() -> None:
    text = "\r\nline one \t\r\n\r\n  line\u00a0two\f\n"
    assert decode(codecs.BOM_UTF8 + text.encode()).text == text


@pytest.mark.parametrize("declared", ["windows-1251", "text/html; charset=windows-1251", 'charset="CP1251"'])
def test_a_declaration_is_heeded(declared: str) -> None:
    assert decode("Привет".encode("cp1251"), declared=declared).text == "Привет"


def test_a_declaration_that_the_bytes_refute_is_not() -> None:
    assert decode("Grüße".encode(), declared="iso-8859-1").text == "Grüße"
    assert decode("Grüße".encode("cp1252"), declared="utf-8").text == "Grüße"
    assert decode("Grüße".encode(), declared="no-such-thing").text == "Grüße"
    assert decode(b"abc", declared="base64").text == "abc"


def test_meta_is_heeded_in_markup_only() -> None:
    page = b'<html><head><meta charset="gb2312"></head><body>' + "你好".encode("gb2312")
    assert "你好" in decode(page, markup=True).text
    assert detect(b'<?xml version="1.0" encoding="koi8-r"?>' + "мир".encode("koi8-r")) == "koi8-r"


def test_damaged_utf8_stays_utf8() -> None:
    data = CHINESE.encode() + b"\xff" + CHINESE.encode()
    found = decode(data)
    assert found.text == f"{CHINESE}\ufffd{CHINESE}"
    assert found.damaged


@given(st.binary(max_size=300), st.one_of(st.none(), st.text(max_size=30)), st.booleans())
def test_nothing_makes_it_raise(data: bytes, declared: str | None, markup: bool) -> None:
    found = decode(data, declared=declared, markup=markup)
    codecs.lookup(found.encoding)
    found.text.encode()


@given(st.text())
def test_utf8_comes_back_unchanged(text: str) -> None:
    if "\x1b" in text or "~{" in text or "\x00" in text or text.startswith("\ufeff"):
        return
    assert decode(text.encode()).text == text


@pytest.mark.shared_data
def test_the_collected_samples(shared_data: Path) -> None:
    folder = shared_data / "charset"
    rows = [json.loads(line) for line in (folder / "gold.jsonl").read_text("utf-8").splitlines()]
    right = 0
    for row in rows:
        data = (folder / row["file"]).read_bytes()
        truth = data.decode(codecs.lookup(row["charset"]).name, "replace") if row["python_decodes"] else None
        right += truth is None or _alike(truth, decode(data, markup=True).text)
    assert right >= 30, f"{right} of {len(rows)}"


def _alike(left: str, right: str) -> bool:
    left, right = ("".join(text.split()).lstrip("\ufeff") for text in (left, right))
    equal = sum(a == b for a, b in zip(left, right, strict=False))
    return equal >= 0.99 * max(len(left), len(right), 1)
