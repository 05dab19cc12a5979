"""What was read of a document, as bytes and back; other bytes are nobody's."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from leadline.extract import stored
from leadline.extract.types import Extracted, Link, Locator

READ = Extracted(
    text="Das Lot — 测深锤.\r\n",
    title="Lot",
    authors=("A", "B"),
    published="2024-03-05",
    language="de",
    locators=(Locator(0, "page", "1"), Locator(4, "heading", "Lot")),
    links=(Link("https://a.example/", "a"),),
    content_type="text/plain",
    extractor="plain/1",
    truncated=True,
    warnings=("w",),
    raw_sha256="0" * 64,
)


def test_it_comes_back_as_it_was_but_for_links() -> None:
    assert stored.from_bytes(stored.to_bytes(READ)) == replace(READ, links=())


@given(st.binary(max_size=200), st.integers(0, 400))
def test_other_bytes_are_refused(junk: bytes, at: int) -> None:
    whole = stored.to_bytes(READ)
    assert stored.from_bytes(junk) is None
    assert not junk or stored.from_bytes(whole + junk) is None
    assert stored.from_bytes(whole[: min(at, len(whole) - 1)]) is None
