"""The page: closed to everything a source could bring, complete without its script, small."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.reports import Made, a_claim, a_report, a_source, chinese, cite, english, simple

from leadline.domain import Contradiction, Verdict
from leadline.research.reporting.html import to_html

HOSTILE = [
    "<script>alert(1)</script>",
    "</pre><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title><base href=https://evil.example>",
    "<a href=javascript:alert(1)>x</a>",
    "<!-- --><meta http-equiv=refresh content=0;url=https://evil.example>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    'https://evil.example/" onclick="alert(1)',
    "&lt;b&gt;&#60;b&#62;",
    "\u202egnp.exe\u2066\u200b\x00\x1b",
    "lone \ud800",
    "line\r\nbreak",
]
text = st.one_of(st.sampled_from(HOSTILE), st.text(alphabet="<>\"'&=/ ab:;-!\n\r\u202e中", max_size=40))
NAME = re.compile(r"[\w-]+")
TAGS = set(
    NAME.findall(
        "html head meta title style body a main header h1 h2 h3 p section span bdi ul li q div details summary "
        "dl dt dd article pre mark dialog button script"
    )
)
ATTRIBUTES = set(
    NAME.findall(
        "lang charset http-equiv content name class href id tabindex dir title aria-label rel open role data-n "
        "data-cut data-place aria-labelledby type"
    )
)


class Page(HTMLParser):
    """What is in a page: tags, attributes, addresses, and the text of its elements."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]

    def inside(self, tag: str) -> str:
        return "".join(data for where, data in self.texts if where == tag)


@settings(max_examples=60)
@given(parts=st.tuples(text, text, text, text, text))
def test_a_source_brings_nothing_but_text(parts: tuple[str, ...]) -> None:
    title, quote, uri, author, said = parts
    body = f"before {quote or 'x'} after {said}"
    source = a_source(body, uri=uri, title=title, authors=(author,), language=author, also=(uri, title))
    evidence = cite(source, body, quote or "x", locator=title)
    claim = a_claim(said, evidence, verdict=Verdict.PARTIAL, decided_by="judge", reasons=(quote, author))
    report = a_report(
        [claim],
        [source],
        question=said,
        answer=said,
        answer_claims=(claim.id,),
        models=(author,),
        contradictions=(Contradiction(about=title, sides=(evidence, evidence)),),
        unexamined=(uri,),
        notes=(quote,),
    )
    made = to_html(report, {source.id: body})
    page = Page(made)
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == page.tags.count("style") == page.tags.count("title") == 1
    assert {name for _, name, _ in page.attributes} <= ATTRIBUTES
    assert [href for href in page.all("href") if not href.startswith(("#", "http://", "https://"))] == []
    assert not re.search("[\x00-\x08\x0b-\x1f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]", made)
    made.encode()


def test_the_policy_allows_the_files_own_style_and_script_and_nothing_else() -> None:
    made = to_html(*english())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', made)
    hashes = {
        kind: "'sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() + "'"
        for kind, body in re.findall(r"<(style|script)>(.*?)</\1>", made, re.DOTALL)
    }
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src {hashes['style']}",
        f"script-src {hashes['script']}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    page = Page(made)
    assert not {"style", "src", "srcset"} & {name for _, name, _ in page.attributes}
    assert not re.search(r"url\(|@import|https?:", page.inside("style") + page.inside("script"))


@pytest.mark.parametrize("made", [english(), chinese()], ids=["en", "zh"])
def test_every_citation_leads_to_its_quotation_and_back(made: Made) -> None:
    page = Page(to_html(*made))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    inner = {href[1:] for href in page.all("href") if href.startswith("#")}
    assert inner <= set(ids)
    quotes = {c.quote for claim in made.report.claims for c in claim.citations}
    marks = {data for tag, data in page.texts if tag == "mark"}
    assert {q for q in quotes if not any(q in m or m in q for m in marks)} == set()
    assert all(label for label in page.all("aria-label"))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            english(),
            [
                "matches by wording",
                "checked by value",
                "contradicted by the source, checked by value",
                "the evidence says 1979, not 1982",
            ],
        ),
        (chinese(), ["措辞相符", "数值相符", "与来源矛盾，按数值核对", "证据为 1955年，而非 1965年"]),
    ],
    ids=["en", "zh"],
)
def test_verdicts_say_how_they_were_decided(made: Made, expected: list[str]) -> None:
    page = Page(to_html(*made))
    spans = [data for tag, data in page.texts if tag == "span"]
    assert [e for e in expected if e not in spans] == []
    assert page.all("lang")[0] == {"en": "en", "zh": "zh-Hans"}[made.report.language]


def test_the_same_inputs_give_the_same_bytes() -> None:
    made = english()
    assert to_html(*made) == to_html(made.report, dict(reversed(list(made.texts.items()))))


def test_a_text_that_is_missing_or_differs_is_said_so() -> None:
    made = simple("What it says.", "What it says.")
    assert "stored text is not at hand" in to_html(made.report, {})
    changed = to_html(made.report, dict.fromkeys(made.texts, "Something else now."))
    assert "do not rely on it" in changed
    assert "Something else" not in changed
    assert "do not rely" not in to_html(*made)


@pytest.mark.parametrize(
    ("uri", "linked"),
    [
        ("https://example.org/a?b=c&d#e", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://bank.example@evil.example/", False),
        ("https://example.org/\u202egpj.exe", False),
        ("file:///srv/a%20b.md", False),
        ("document:team/notes.md", False),
    ],
)
def test_only_web_addresses_are_links(uri: str, linked: bool) -> None:
    made = simple("Some text.", "Some text.")
    page = Page(to_html(replace(made.report, sources=(replace(made.report.sources[0], uri=uri),)), made.texts))
    assert [href for href in page.all("href") if not href.startswith("#")] == ([uri] if linked else [])
    assert page.all("rel") == (["noopener noreferrer nofollow"] if linked else [])


def test_a_shared_quotation_has_one_number() -> None:
    body = "One fact. Another."
    source = a_source(body)
    claims = [a_claim(f"Claim {i}.", cite(source, body, "One fact."), index=i) for i in range(5)]
    made = to_html(a_report(claims, [source]), {source.id: body})
    assert made.count('id="e1"') == made.count('id="c1"') == 1
    assert made.count('href="#e1"') == 6  # five claims, and the list of sources
    assert 'id="e2"' not in made


def test_many_citations_of_a_large_text_stay_small() -> None:
    """5 MB of text, 200 citations that lie close together and 200 that lie apart."""
    body = "".join(f"Sentence number {i} of a long text. " for i in range(140_000))
    source = a_source(body)
    near = [i * 150 for i in range(200)]
    far = [1_000_000 + i * 18_000 for i in range(200)]
    for starts, most in ((near, 300_000), (far, 2_600_000)):
        claims = [
            a_claim(
                f"Claim {i}.",
                replace(cite(source, body, "Sentence"), start=s, end=s + 40, quote=body[s : s + 40]),
                index=i,
            )
            for i, s in enumerate(starts)
        ]
        report = a_report(claims, [source])
        assert len(to_html(report, {source.id: body})) < most


def test_a_quotation_may_be_longer_than_its_context() -> None:
    body = "x" * 7_000 + "y" * 30_000 + "z" * 7_000
    made = simple(body, "y" * 30_000)
    page = Page(to_html(made.report, made.texts))
    assert page.inside("mark") == "y" * 30_000
    # The first line feed after <pre> belongs to no text: parsers drop it.
    assert page.inside("pre") == "\n" + "x" * 5_000 + "z" * 5_000
    assert page.all("data-cut") == ["0 5000 35000 40000 1 1"]
