from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from leadline.extract.html_visible import is_hiding
from leadline.extract.registry import extract
from leadline.extract.types import Extracted, Link, locate

PAGE = """<!doctype html><html lang="en-GB"><head><title>Guide - Site</title>
<meta name=author content="Ann Bee"><meta property="article:published_time" content="2024-03-05T10:00:00Z">
<base href="/docs/"><script type="application/ld+json">{"@graph":[{"author":[{"name":"Bob"}]}]}</script></head>
<body><nav><a href="x">Home</a></nav><main><h1>Install<a class=headerlink href=#i>¶</a></h1>
<p>First <b>bold</b> text<br>second line.</p><h2>Linux</h2>
<ul><li>one</li><li>two<ol start=3><li>deep</li></ol></li></ul><p>Para.</p>
<table><caption>Cap</caption><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>1 <i>x</i></td></tr></table>
<pre>line 1
  line 2
</pre><dl><dt>term</dt><dd>meaning</dd></dl><h3>Sub &amp; more</h3>tail <a href="a.html#x">link</a>
<a href="javascript:x">j</a></main><footer>foot</footer></body></html>"""

TEXT = """Install

First bold text
second line.

Linux

- one
- two
  3. deep

Para.

Cap

k | v
a | 1 x

line 1
  line 2

term
meaning

Sub & more

tail link j"""


def page(body: str, head: str = "") -> Extracted:
    return extract(
        f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode(),
        name="a.html",
    )


def test_a_page_becomes_blocks_with_headings() -> None:
    result = extract(PAGE.encode(), name="https://example.org/a/b.html")
    assert result.text == TEXT
    assert result.title == "Guide - Site"
    assert result.authors == ("Ann Bee", "Bob")
    assert (result.published, result.language) == ("2024-03-05", "en-gb")
    assert locate(result.locators, TEXT.index("Para.")) == "heading: Install › Linux"
    assert locate(result.locators, len(TEXT)) == "heading: Install › Linux › Sub & more"


def test_links_are_absolute_and_only_of_the_web() -> None:
    result = extract(PAGE.encode(), name="https://example.org/a/b.html")
    assert result.links == (
        Link("https://example.org/docs/x", "Home"),
        Link("https://example.org/docs/a.html", "link"),
    )
    assert not page('<a href="b.html">b</a><a href="http://[">c</a>').links


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>SECRET</p>",
        "<div aria-hidden=true><p>SECRET</p></div>",
        '<p style="display : NONE">SECRET</p>',
        '<p style="visibility:hidden">SECRET</p>',
        '<span style="font-size: 0px">SECRET</span>',
        '<p style="color:#FFF">SECRET</p>',
        '<p style="color: white; font-size: 10px">SECRET</p>',
        '<p style="background:#000;color:#000">SECRET</p>',
        '<font color="#ffffff">SECRET</font>',
        '<p style="position:absolute;left:-9999px">SECRET</p>',
        '<p style="opacity:0">SECRET</p>',
        '<p style="height:0;overflow:hidden">SECRET</p>',
        "<!-- SECRET -->",
        "<script>SECRET</script><style>SECRET</style><template>SECRET</template>",
        "<noscript>SECRET</noscript><iframe>SECRET</iframe><svg><text>SECRET</text></svg>",
        '<input type=hidden value="SECRET"><select><option>SECRET</select>',
        '<p class="gone">SECRET</p>',
    ],
)
def test_what_nobody_sees_is_not_text(hidden: str) -> None:
    body = "<main><h1>Title</h1><p>Some visible words stand here for everyone to read.</p>"
    result = page(f"{body}{hidden}</main>", "<style>.gone, #x { display: none; }</style>")
    assert "SECRET" not in result.text
    assert "Some visible words" in result.text


@pytest.mark.parametrize(
    "style",
    [
        "color:#333",
        "opacity:0.9",
        "font-size:10px",
        "left:-5px",
        "color:white;background:#000",
        "width:100%",
    ],
)
def test_ordinary_styles_hide_nothing(style: str) -> None:
    assert not is_hiding(style)


def test_white_text_on_a_dark_ground_stays() -> None:
    assert "Banner" in page('<table bgcolor="black"><tr><td><font color=white>Banner</font></td></tr></table>').text


def test_navigation_around_the_content_is_left_out() -> None:
    prose = "<p>" + "A long paragraph about the matter at hand, with commas. " * 5 + "</p>"
    links = "".join(f"<li><a href='/{n}'>Item {n}</a></li>" for n in range(30))
    result = page(
        f"<header>Brand</header><div class=sidebar><ul>{links}</ul></div><div class=body>{prose * 4}</div>"
        "<div class='related-posts'><p>You may also like this other story of ours today</p></div><footer>Imprint</footer>"
    )
    assert result.text.count("A long paragraph") == 20
    for noise in ("Brand", "Item 3", "Imprint", "also like"):
        assert noise not in result.text


def test_a_page_of_links_alone_is_kept() -> None:
    links = "".join(f"<li><a href='/{n}'>Chapter {n}</a></li>" for n in range(9))
    assert "Chapter 8" in page(f"<h1>Contents</h1><ul>{links}</ul>").text


def test_a_layout_table_is_read_as_blocks() -> None:
    result = page("<table><tr><td><h2>Head</h2><p>One.</p></td><td><pre>code</pre></td></tr></table>")
    assert result.text == "Head\n\nOne.\n\ncode"


def test_a_fragment_and_an_empty_page() -> None:
    assert extract(b"<p>just <i>this", name="a.html").text == "just this"
    assert extract(b"", name="a.html").text == ""
    assert extract(b"<html></html>", name="a.html").text == ""


def test_the_charset_of_the_page_is_heeded() -> None:
    raw = '<html><head><meta charset="windows-1251"></head><body><p>Привет</p></body></html>'.encode("cp1251")
    assert extract(raw, name="a.html").text == "Привет"


def test_a_page_over_the_cap_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.extract.html.MOST_BYTES", 50_000)
    result = extract(b"<html><body>" + b"<p>word</p>" * 6_000, name="a.html")
    assert result.truncated
    assert "first 50000 bytes" in result.warnings[0]
    assert result.text.startswith("word\n\nword")


def test_a_page_of_countless_tags_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.extract.html.MOST_TAGS", 100)
    result = extract(b"<p>word" * 101, name="a.html")
    assert result.text.count("word") == 100
    assert result.truncated


def test_a_page_of_countless_attributes_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.extract.html.MOST_ATTRIBUTES", 100)
    result = extract(b"<p a=1>word" * 102, name="a.html")
    assert result.text.count("word") == 100
    assert result.truncated


def test_twenty_thousand_nested_elements_are_read() -> None:
    assert extract(b"<div>" * 20_000 + b"deep", name="a.html").text == "deep"
    assert "deep" in extract(b"<table><tr><td>" * 1_000 + b"deep", name="a.html").text


def test_control_characters_and_entities() -> None:
    assert page("<p>a&#0;b&nbsp;c&#xD800;d &lt;tag&gt;</p>").text.endswith("<tag>")


@pytest.mark.shared_data
def test_nothing_planted_out_of_sight_is_text(shared_data: Path) -> None:
    folder = shared_data / "injection"
    seen = []
    for line in (folder / "cases.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        text = extract((folder / case["page"]).read_bytes(), name=case["url"]).text
        if case["invisible"] and case["canary"] in text:
            seen.append(case["id"])
    assert seen == []


@pytest.mark.shared_data
@pytest.mark.slow
def test_articles_are_kept_whole(shared_data: Path) -> None:
    folder = shared_data / "extract" / "aeb"
    shares = []
    for line in (folder / "gold.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        words = re.findall(r"\w+", row["gold"])
        got = set(re.findall(r"\w+", extract((folder / row["html"]).read_bytes(), name=row["url"]).text))
        shares.append(sum(word in got for word in words) / max(1, len(words)))
    assert sum(shares) / len(shares) >= 0.98
