"""What programs made, in the page: shown under the page's policy, and inert."""

from __future__ import annotations

import base64
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.support.reports import chinese, english

from leadline.domain import Artefact, sha256
from leadline.research.reporting.html import to_html

PIXELS = b"\x89PNG picture"
PROGRAM = b"print('</pre><script>x</script>')\n"
HOSTILE = '"><script>alert(1)</script><img src="https://evil.test/x">'
PICTURE = Artefact(
    name=HOSTILE, sha256=sha256(PIXELS), media_type="image/png", size=9, program=sha256(PROGRAM), caption=HOSTILE
)
BODIES = {sha256(PIXELS): PIXELS, sha256(PROGRAM): PROGRAM}


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def page(*made: Artefact, bodies: dict[str, bytes] | None = None) -> str:
    given = english()
    return to_html(replace(given.report, artefacts=made), given.texts, BODIES if bodies is None else bodies)


def test_a_picture_lies_in_the_page_and_hostile_names_are_text() -> None:
    tags = Tags(page(PICTURE))
    (image,) = tags.named("img")
    assert image["src"] == f"data:image/png;base64,{base64.b64encode(PIXELS).decode()}"
    assert HOSTILE in str(image["alt"])
    assert len(tags.named("script")) == 1
    policy = next(m["content"] for m in tags.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "img-src data:;" in str(policy)
    assert "&lt;/pre&gt;&lt;script&gt;" in page(PICTURE)


def test_without_pictures_the_policy_allows_none() -> None:
    table = replace(PICTURE, name="t.csv", media_type="text/csv")
    assert "img-src" not in page()
    assert "img-src" not in page(table)
    assert "programs" not in page()


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("text/csv", "text/csv"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
    ],
)
def test_a_file_is_saved_and_never_run(kind: str, shown: str) -> None:
    tags = Tags(page(replace(PICTURE, name="t.csv", media_type=kind)))
    (link,) = [link for link in tags.named("a") if "download" in link]
    assert str(link["href"]).startswith(f"data:{shown};base64,")
    assert link["download"] == "t.csv"
    assert tags.named("img") == []


def test_what_is_gone_or_large_is_named() -> None:
    made = page(PICTURE, bodies={})
    assert Tags(made).named("img") == []
    assert "not at hand" in made
    body = bytes(2 << 20)
    large = replace(PICTURE, name="t.bin", media_type="application/octet-stream", sha256=sha256(body))
    made = page(large, bodies={sha256(body): body})
    assert "t.bin" in made
    assert len(made) < 200_000


def test_it_speaks_the_language_of_the_report() -> None:
    given = chinese()
    made = to_html(replace(given.report, artefacts=(PICTURE,)), given.texts, BODIES)
    assert "程序生成的图与文件" in made
    assert "图 1：" in made
