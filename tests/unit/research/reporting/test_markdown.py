"""Markdown: what a reader sees, and that nothing of a source becomes markup in any renderer."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.support.reports import Made, a_claim, a_report, a_source, chinese, cite, english, simple

from leadline.domain import Contradiction, Section, Sentence, StopReason, Verdict
from leadline.research.reporting.markdown import code, escape, to_markdown
from leadline.telling import wording
from leadline.telling.numbering import answer
from leadline.text.clean import squeeze, visible

HOSTILE = [
    "![x](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "[click]: https://evil.example",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<https://evil.example>",
    "https://evil.example/path www.evil.example evil.com me@evil.com mailto:me@evil.com",
    "*a* **b** _c_ __d__ `e` ``f`` ~~g~~ ~h~",
    "# not a heading",
    "ends as a heading ##",
    "> not a quotation",
    "- not a list",
    "+ not a list",
    "1. not a list",
    "1) not a list",
    "---",
    "===",
    "***",
    "```sh",
    "~~~sh",
    "    indented",
    "a | b\n--- | ---\n1 | 2",
    "&lt;b&gt; &#x5b; &amp;",
    r"\[x](y) \\ \* C:\Users\me",
    "ends with a backslash\\",
    "snake_case __init__ _a_ a__b a_",
    "line\nbreak\r\nand\x0bmore\u2028lines",
    "\u202etxt.exe\u2066 zero\u200bwidth \x00\x1b[31m",
    "lone \ud800 surrogate",
    "$x$ $\\href{javascript:alert(1)}{x}$",
    "{% raw %} {{ x }} {: onclick=x}",
    "[ ] task [x] task",
    "[Otter] It was built. [the Otter] more [see] x\n\n[see]: https://evil.example",
    "[see](https://evil.example) [see][1] [see] [1] ![see] x [toc] [see @x] y",
    "[1]: https://evil.example 'definition'",
    "“引文”——《标题》<b>",
    "HTTP://EVIL.EXAMPLE ftp://evil.example //evil.example",
]
text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet="ab1 _*[]()<>!`~#&;:/\\.@-+=|${}%^\"'\n\u202e\u200b中", max_size=40),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=3).map(" ".join),
    st.text(max_size=30),
)
STRICT = MarkdownIt("commonmark")
GENEROUS = MarkdownIt("gfm-like", {"html": True, "typographer": False})
CODE = re.compile(r"(?<!`)`[^\s`\\<&{}$](?:[^`\\<&{}$]*[^\s`\\<&{}$])?`(?!`)")
INERT = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak", "hardbreak"}


def tokens(parsed: list[Token]) -> list[Token]:
    return [t for token in parsed for t in (token, *(token.children or ()))]


def links(parser: MarkdownIt, source: str) -> list[str]:
    return [str(t.attrs["href"]) for t in tokens(parser.parse(source)) if t.type == "link_open"]


def shown(parser: MarkdownIt, source: str) -> str:
    return "".join(t.content for t in tokens(parser.parse(source)) if t.type in {"text", "text_special", "code_inline"})


@pytest.mark.parametrize("parser", [STRICT, GENEROUS], ids=["commonmark", "gfm"])
@given(value=text)
@example(value="a.com")
@example(value="x _a")
@example(value="a_\u0301_b")
@example(value="`a.md` \\a.md a.md` (a.md) a/b_c.md, b.md. _a.md_ **a.md** a.md/ -a.md 1.md 1.de. 1) a.md/.com")
def test_escaped_text_is_text(parser: MarkdownIt, value: str) -> None:
    """It stands as one paragraph of plain text and names as code, and reads as it did before."""
    escaped = escape(value)
    assert {t.type for t in tokens(parser.parse(escaped))} <= INERT | {"code_inline"}
    assert shown(parser, escaped) == CODE.sub(lambda span: span[0][1:-1], visible(squeeze(value)).strip())
    assert shown(parser, f"## {escaped}") == shown(parser, escaped)


@pytest.mark.parametrize(
    ("said", "escaped"),
    [
        ("trieste-1960.md", "`trieste-1960.md`"),
        ("Found but not read: sub/trieste_1960.md.", "Found but not read: `sub/trieste_1960.md`."),
        ('Could not be read: /srv/a/b.md (it\'s "c.md")', 'Could not be read: `/srv/a/b.md` (it\'s "`c.md`")'),
        ("See evil.com, and (evil.com/login)", "See `evil.com`, and (`evil.com/login`)"),
        ("node.js and data.db and scan.pdf, v1.2", "node.js and data.db and scan.pdf, v1.2"),
        ("It sank.It lay there", "It `sank.It` lay there"),
        ("At http://127.0.0.1:9/v1: nothing.", "At `http://127.0.0.1:9/v1`: nothing."),
        ("(https://www.gnu.org/a_b.html)", "(`https://www.gnu.org/a_b.html`)"),
        ("Set __NOMAGIC__.", "Set `__NOMAGIC__`."),
        ("me@evil.com", "me\\@evil\\.com"),
        ("1. first", "1\\. first"),
    ],
)
def test_names_of_files_and_hosts_read_as_they_are_and_are_no_links(said: str, escaped: str) -> None:
    assert escape(said) == escaped
    for parser in (STRICT, GENEROUS):
        for line in (escaped, f"**{escaped}**, x", f"*({escaped})*", f"## {escaped}"):
            assert links(parser, line) == []
            assert shown(parser, line).startswith((said, f"({said})"))


def test_what_a_source_has_as_code_stays_code_where_it_is_only_that() -> None:
    """No renderer may see more in it; all else has its marks escaped."""
    for kept in ("Set `wal_level` to `replica`.", "`en.wikipedia.org` does not answer", "`a b` and `*c*`"):
        assert escape(kept) == kept
    for text in ("`{{ x }}`", "`<b>`", "``a``", "` a`", "`a\\`", "a ` b", "`$x$`"):
        assert "\\`" in escape(text), text


def test_a_name_in_brackets_is_read_without_backslashes_and_its_quote_is_not_told_twice() -> None:
    assert escape("[The Otter] It was built in Hull.") == "[The Otter] It was built in Hull."
    body = "The Otter dived. It was built in Hull."
    source = a_source(body)
    said = a_claim("[The Otter] It was built in Hull.", cite(source, body, "It was built in Hull."), decided_by="quote")
    told = to_markdown(a_report([said], [source]))
    assert told.count("It was built in Hull") == 1


@given(value=text)
def test_code_is_one_span(value: str) -> None:
    made = tokens(STRICT.parse(f"x {code(value)}"))
    assert [t.content for t in made if t.type == "code_inline"] == [c for c in [visible(squeeze(value)).strip()] if c]
    assert {t.type for t in made} <= INERT | {"code_inline"}


@pytest.mark.parametrize("parser", [STRICT, GENEROUS], ids=["commonmark", "gfm"])
@settings(max_examples=60)
@given(parts=st.tuples(text, text, text, text, text))
def test_no_source_reaches_a_reports_markup(parser: MarkdownIt, parts: tuple[str, ...]) -> None:
    title, quote, uri, author, said = parts
    body = f"before {quote or 'x'} after"
    source = a_source(body, uri=uri, title=title, authors=(author,), published=author)
    evidence = cite(source, body, quote or "x", locator=title)
    claims = [
        a_claim(said, evidence, verdict=Verdict.UNSUPPORTED, decided_by="judge", reasons=(quote, title)),
        a_claim(quote, evidence, decided_by="quote", index=1),
    ]
    report = a_report(
        claims,
        [source],
        question=said,
        answer=said,
        answer_claims=(claims[0].id,),
        contradictions=(Contradiction(about=said, sides=(evidence, evidence)),),
        unexamined=(said, quote),
        notes=(title,),
        sections=(Section(title=title, sentences=tuple(Sentence(text=c.text, claim_id=c.id) for c in claims)),),
    )
    rendered = to_markdown(report)
    made = tokens(parser.parse(rendered))
    assert not [
        t for t in made if t.type in {"image", "html_block", "html_inline", "fence", "code_block", "table_open"}
    ]
    assert links(parser, rendered) == []
    assert visible(rendered) == rendered
    assert [t.markup for t in made if t.type == "heading_open" and t.tag == "h1"] == ["#"]


def test_a_citable_address_is_a_link_and_no_other() -> None:
    body = "Some text."
    for uri, linked in [
        ("https://example.org/a?b=c#d", True),
        ("http://example.org", True),
        ("https://bank.example@evil.example/", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://example.org/\u202egpj.exe", False),
        ("https://example.org/a b", False),
        ("https://example.org/<b>", False),
        ("file:///srv/a%20b.md", False),
        ("document:team/notes.md", False),
    ]:
        source = a_source(body, uri=uri, title="A")
        rendered = to_markdown(a_report([a_claim("It is.", cite(source, body, "Some text."))], [source]))
        assert bool(links(STRICT, rendered)) is linked, uri
        assert bool(links(GENEROUS, rendered)) is linked, uri


def test_a_local_file_is_named_by_its_path() -> None:
    made = simple("Some text.", "Some text.")
    source = replace(made.report.sources[0], uri="file:///srv/my%20papers/a_b.md", title="")
    rendered = to_markdown(replace(made.report, sources=(source,)))
    assert "**`a_b.md`**" in rendered
    assert "`/srv/my papers/a_b.md`" in rendered


def test_a_report_without_a_model_says_nothing_twice() -> None:
    body = "The lamp was lit in 1868. It burns oil. Keepers lived there."
    source = a_source(body, title="The lamp")
    quotes = ["The lamp was lit in 1868", "It burns oil."]
    claims = [
        a_claim(
            f"{q.rstrip('.')}.",
            cite(source, body, q, locator="page 2, heading: The lamp › History"),
            decided_by="quote",
            index=i,
        )
        for i, q in enumerate(quotes)
    ]
    rendered = to_markdown(a_report(claims, [source]))
    assert rendered.count("The lamp was lit in 1868") == 1
    assert rendered.count("It burns oil") == 1
    assert "- The lamp was lit in 1868. [1]\n- It burns oil. [2]" in rendered
    assert "- [1][2] page 2, History" in rendered
    assert "Claims: verbatim quotation (2)" in rendered


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            english(),
            [
                "**Answer:** The lighthouse at Skarvik stands 34 metres tall. [1]",
                "*(contradicted by the source, checked by value; the evidence says 1979, not 1982)*",
                "[4] *(matches by wording)*",
                "*(not supported by the source",
                "## Where sources disagree\n\n- 34 metres / 31 metres\n  - “It stands 34 metres tall.” [5] (The lighthouse)",
                "`/srv/papers/lights/register of lights.txt` (stored in part",
                "- [3] page 3, Automation: “The lamp was automated in 1979.”",
                "US$0.0123",
            ],
        ),
        (
            chinese(),
            [
                "**回答：** 赵州桥的净跨度为37.02米。",
                "*(与来源矛盾，按数值核对；证据为 1955年，而非 1965年)*",
                "*(措辞相符)*",
                "## 来源之间的矛盾",
                "第 3 页, 修缮： “1955年对该桥进行了全面修缮。”",
                "`/srv/papers/地方志.txt`",
                "结束原因：已作答",
            ],
        ),
    ],
    ids=["en", "zh"],
)
def test_a_checked_report_reads_well(made: Made, expected: list[str]) -> None:
    rendered = to_markdown(made.report)
    assert [e for e in expected if e not in rendered] == []
    assert rendered == to_markdown(made.report)
    assert max(len(line) for line in rendered.splitlines()) < 1_000


def test_weak_claims_are_never_bare() -> None:
    body = "Some text."
    source = a_source(body)
    for verdict in Verdict:
        for decided_by in ("quote", "values", "words", "judge", "none"):
            claim = a_claim("It is so.", cite(source, body, "Some text."), verdict=verdict, decided_by=decided_by)
            bare = "- It is so. [1]\n" in (r := to_markdown(a_report([claim], [source]))) or "It is so. [1]\n" in r
            assert bare is (verdict is Verdict.SUPPORTED and decided_by in {"quote", "values"})


def test_evidence_that_was_searched_for_afterwards_is_said_so() -> None:
    body = "Some text."
    source = a_source(body)
    claim = a_claim("It is so.", cite(source, body, "Some text."), decided_by="words", bound_by="retrieval")
    assert "matches by wording; evidence found by search" in to_markdown(a_report([claim], [source]))


def test_a_long_quote_is_cut_here() -> None:
    body = "word " * 10_000
    source = a_source(body)
    claim = a_claim("It is so.", cite(source, body, body.strip()))
    assert len(to_markdown(a_report([claim], [source]))) < 2_000


def test_the_answer_is_cut_behind_its_claims() -> None:
    body = "One. Two."
    source = a_source(body)
    one = a_claim("It is one.", cite(source, body, "One."))
    two = a_claim("It is two.", cite(source, body, "Two."), index=1)
    lost = a_claim("Nowhere.", cite(source, body, "Two."), index=2)
    report = a_report(
        [one, two, lost],
        [source],
        answer="It is one. In short: It is two. So.",
        answer_claims=(one.id, two.id, lost.id),
        sections=(),
    )
    told = answer(report, {c.id: c for c in report.claims})
    assert [(t.text.strip(), t.claim and t.claim.text) for t in told] == [
        ("It is one.", "It is one."),
        ("In short:", None),
        ("It is two.", "It is two."),
        ("So.", None),
        ("", "Nowhere."),
    ]
    assert "It is one. [1] In short: It is two. [2] So. [2]" in to_markdown(report)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("decided_by", ["quote", "values", "words", "judge", "none"])
def test_every_verdict_has_a_name_and_a_meaning(language: str, verdict: Verdict, decided_by: str) -> None:
    claim = a_claim("x", verdict=verdict, decided_by=decided_by)
    assert wording.label(claim, language)
    assert wording.meaning(claim, language) or (verdict, decided_by) == (Verdict.SUPPORTED, "none")


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_end_has_words(reason: StopReason) -> None:
    assert "_" not in wording._ended(reason, "en")
    assert not wording._ended(reason, "zh").isascii()


def test_reasons_are_told_in_the_reports_language() -> None:
    claim = a_claim("x", decided_by="values", reasons=("the evidence says 3 km, not 5 km", "budget", "my own words"))
    assert wording.reasons(claim, "zh") == ("证据为 3 km，而非 5 km", "剩余预算不足以核查", "my own words")
    assert wording.reasons(claim, "en")[0] == "the evidence says 3 km, not 5 km"


OPENINGS = (
    "the evidence ",
    "in the evidence ",
    "in the table ",
    "the quotation ",
    "a negation ",
    "no passage ",
    "some of ",
    "few of ",
    "too long ",
    "it says ",
    "it holds ",
    "the judge gave ",
)


def given_reasons() -> list[str]:
    """Return the reasons that the checks can give, as their code has them, `1982` in place of what is filled in."""
    folder = Path(wording.__file__).parents[1] / "research" / "verification"
    found = []
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "1982" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    known = [reason for reason in found if reason.startswith(OPENINGS) and "\n" not in reason]
    return [r for r in dict.fromkeys(known) if not any(r != other and other.startswith(r) for other in known)]


def test_every_reason_that_checks_give_is_told_in_chinese() -> None:
    known = given_reasons()
    assert len(known) >= 10
    told = {reason: wording.reasons(a_claim("x", reasons=(reason,)), "zh")[0] for reason in known}
    assert {reason for reason, chinese_ in told.items() if chinese_.isascii()} == set()
