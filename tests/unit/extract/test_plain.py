from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import TooLarge, UnknownFormat
from leadline.extract.registry import extract
from leadline.extract.types import Limits, locate

MARKDOWN = """---
title: "The Guide"
author: Ann Bee
date: 2024-03-05
---
# Install

Some text.

```sh
# not a heading
```

Linux
-----

- item
---

## Next ##
"""


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.rst", "a.py", "a.csv", "a.json", "a.log", "a.yaml"])
def test_stored_text_is_the_decoded_file_unchanged(name: str) -> None:
    text = '# Héading\r\n\r\n  indented\u3000中文,"x"\t\r\n\r\n\r\nend  '
    result = extract(text.encode(), name=name)
    assert result.text == text
    assert result.locators


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])).filter(lambda text: not text.startswith("\ufeff"))
)
def test_any_text_is_unchanged(text: str) -> None:
    if "~{" in text:  # a declaration of HZ, which is ASCII by its bytes
        return
    assert extract(text.encode(), name="a.txt").text == text


def test_markdown_headings_and_front_matter() -> None:
    result = extract(MARKDOWN.encode(), name="guide.md")
    assert (result.title, result.authors, result.published) == (
        "The Guide",
        ("Ann Bee",),
        "2024-03-05",
    )
    labels = [place.label for place in result.locators]
    assert labels == ["Install", "Install › Linux", "Install › Next"]
    assert locate(result.locators, MARKDOWN.index("- item")) == "heading: Install › Linux"
    assert all(
        MARKDOWN[place.start :].lstrip("# ").startswith(place.label.split(" › ")[-1]) for place in result.locators
    )


def test_markdown_without_headings_has_lines() -> None:
    result = extract(b"one\n\ntwo\n", name="a.md")
    assert locate(result.locators, 5) == "line 3"


def test_rst_headings() -> None:
    text = "=====\nTitle\n=====\n\nIntro\n\nPart\n====\n\ntext\n\nSub\n---\n\nmore\n\nOther\n=====\n"
    result = extract(text.encode(), name="a.rst")
    assert result.title == "Title"
    assert [place.label for place in result.locators] == [
        "Title",
        "Title › Part",
        "Title › Part › Sub",
        "Title › Other",
    ]


def test_a_short_first_line_alone_is_the_title() -> None:
    assert extract(b"Ada Lovelace\n\nShe was a mathematician.", name="a.txt").title == "Ada Lovelace"
    assert extract(b"A sentence.\n\nAnother.", name="a.txt").title is None
    assert extract(b"one\ntwo\n", name="a.txt").title is None


def test_source_code_has_line_numbers() -> None:
    result = extract(b"def f():\n    return 1\n", name="a.py")
    assert locate(result.locators, 12) == "line 2"
    assert result.content_type == "text/x-python"


def test_long_text_is_cut_and_says_so() -> None:
    result = extract(b"word " * 1000, name="a.txt", limits=Limits(chars=100))
    assert (len(result.text), result.truncated) == (100, True)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(TooLarge, match=r"`a\.txt` has 11 bytes; at most 10"):
        extract(b"x" * 11, name="a.txt", limits=Limits(bytes=10))


@pytest.mark.parametrize(
    ("name", "raw"),
    [("a.bin", bytes(range(256))), ("a.txt", b"\x00" * 50), ("a.png", b"\x89PNG\r\n\x1a\n")],
)
def test_binary_data_is_refused_by_name(name: str, raw: bytes) -> None:
    with pytest.raises(UnknownFormat, match=name):
        extract(raw, name=name)


def test_damage_is_mentioned() -> None:
    result = extract("中文".encode() * 200 + b"\xff", name="a.txt")
    assert "U+FFFD" in result.warnings[0]
