"""When a browser is asked at all."""

from __future__ import annotations

import pytest

from leadline.extract.types import Extracted
from leadline.fetch.http import Page
from leadline.fetch.rendering import ARGUMENTS, letters, script_built

SHELL = b"<div id=app></div><SCRIPT src=/app.js></SCRIPT>"


def page(body: bytes = SHELL, *, media_type: str = "text/html", personal: bool = False) -> Page:
    url = "https://site.example/"
    return Page(
        url=url,
        final_url=url,
        status=200,
        headers={},
        body=body,
        media_type=media_type,
        fetched_at=0.0,
        personal=personal,
    )


def text(words: str) -> Extracted:
    return Extracted(text=words, content_type="text/html", extractor="x/1", raw_sha256="0")


@pytest.mark.parametrize(
    ("made", "words", "asked"),
    [
        (page(), "", True),
        (page(), "You need to enable JavaScript to run this app.", True),
        (page(media_type="application/xhtml+xml"), "", True),
        (page(), "word " * 60, False),  # it says something by itself
        (page(), "水" * 200, False),
        (page(b"<p>short</p>"), "short", False),  # there is nothing that could build more
        (page(b"%PDF <script>", media_type="application/pdf"), "", False),
        (page(personal=True), "", False),  # the browser would not send the operator's headers
    ],
)
def test_only_a_page_that_says_nothing_without_its_scripts(made: Page, words: str, asked: bool) -> None:
    assert script_built(made, text(words)) is asked


def test_letters_are_what_is_no_space() -> None:
    assert letters(" a b\n\tc　水 ") == 4


def test_no_argument_takes_chromiums_sandbox_away() -> None:
    forbidden = ("no-sandbox", "disable-setuid", "disable-namespace", "disable-seccomp", "disable-web-security")
    assert not [argument for argument in ARGUMENTS if any(word in argument for word in forbidden)]
    assert not any("single-process" in argument or "ignore-certificate" in argument for argument in ARGUMENTS)
