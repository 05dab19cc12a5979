"""Reports that renderers stumble over."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.reports import a_claim, a_report, a_source, chinese, cite, english

from leadline.domain import Contradiction, Report, Section, Sentence, Verdict

HOSTILE = (
    "<w:p>no markup</w:p> & &amp; ]]> <!-- x -->",
    "quotes \" and ' and \\ and { and } and } $x$ %y #z _a_ ^b ~c",
    "control \x00\x01\x08\x0b\x0c\x1b\x1f characters \ufffe\uffff and \ud800 alone",
    "turned \u202etxt.exe\u2066 and zero\u200bwidth",
    "lines\nand\r\nmore\u2028lines",
    "@article{x, title = {y}}",
    "TY  - JOUR\r\nER  - \r\n",
    "private \ue001 use and unassigned \U000e0fff\u0378",
)
LONG = "x" * 3_000
ADDRESS = "https://example.org/" + "/".join(f"part-{n}?a={n}&b=%20" for n in range(40))


def hostile() -> Report:
    """Return a report in which every text is hostile."""
    texts = [f"{each} number {n}" for n, each in enumerate(HOSTILE)]
    sources = [
        a_source(text, f"https://example.org/{n}", title=each, authors=(each,), published=each)
        for n, (text, each) in enumerate(zip(texts, HOSTILE, strict=True))
    ]
    claims = [
        a_claim(each, cite(source, text, text), index=n, verdict=Verdict.PARTIAL, reasons=(each,))
        for n, (each, text, source) in enumerate(zip(HOSTILE, texts, sources, strict=True))
    ]
    pair = Contradiction(about=HOSTILE[0], sides=(claims[0].citations[0], claims[1].citations[0]))
    return a_report(
        claims, sources, question=HOSTILE[2], contradictions=(pair,), unexamined=HOSTILE, notes=HOSTILE, models=HOSTILE
    )


def empty() -> Report:
    """Return a report in which nothing was found."""
    return a_report([], [], question="", sections=(), stop_reason="nothing_found")


def many(count: int = 200) -> Report:
    """Return a report with many sources, each cited once."""
    texts = [f"Fact {n} stands in source {n}." for n in range(count)]
    sources = [a_source(text, f"https://example.org/{n}", title=f"Source {n}") for n, text in enumerate(texts)]
    cited = zip(texts, sources, strict=True)
    claims = [a_claim(text, cite(source, text, text), index=n) for n, (text, source) in enumerate(cited)]
    return a_report(claims, sources)


def wordy() -> Report:
    """Return a report with words and an address that are longer than any line."""
    text = f"A word {LONG} and another."
    source = a_source(text, ADDRESS, title=LONG)
    return a_report([a_claim(text, cite(source, text, text))], [source], question=LONG)


def scripts() -> Report:
    """Return a report whose sources are in scripts that join or turn their letters."""
    hebrew, arabic, russian = "זהו ציטוט בעברית עם 123.", "هذا اقتباس باللغة العربية.", "Москва — столица России."
    sources = [
        a_source(text, f"https://example.org/{n}", title=text) for n, text in enumerate((hebrew, arabic, russian))
    ]
    claims = [
        a_claim(f"Claim {n} → ok.", cite(source, text, text), index=n)
        for n, (source, text) in enumerate(zip(sources, (hebrew, arabic, russian), strict=True))
    ]
    section = Section(title="שלום", sentences=tuple(Sentence(text=c.text, claim_id=c.id) for c in claims))
    return a_report(claims, sources, sections=(section,))


REPORTS: dict[str, Callable[[], Report]] = {
    "english": lambda: english().report,
    "chinese": lambda: chinese().report,
    "hostile": hostile,
    "empty": empty,
    "many": many,
    "wordy": wordy,
    "scripts": scripts,
}
