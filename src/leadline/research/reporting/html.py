"""A report as one HTML file: nothing is loaded, nothing of a source runs.

A click on a citation shows the stored text around the quotation, the quotation marked; without
script the citation leads to the same text further down. The content security policy allows the
file's own style and script by hash and nothing else, but for pictures that lie in the file where
programs of the run made some. All text is escaped; images and markup of sources never pass.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from leadline.domain import Claim, Report, Source, Verdict
from leadline.research.reporting.assets import asset
from leadline.research.reporting.contexts import Context, Cut, Piece, Standing, contexts, shown
from leadline.research.reporting.html_artefacts import artefacts, has_pictures
from leadline.telling.addresses import address, linkable, name, readable
from leadline.telling.artefacts import NO_BODIES
from leadline.telling.news import Item, heading, news, titled
from leadline.telling.numbering import Numbered, Numbers, Told, answer, flat, quoting, said, sentences, subject
from leadline.telling.wording import facts, label, meaning, place, reasons, strategy, strong, word
from leadline.text.clean import squeeze

_HINT: Final = 120
"""Characters of a title or place in a citation's tool tip."""

_QUOTE: Final = 300
"""Characters of a quotation in the list of sources; all of it stands in its context."""

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")


class _Page:
    """What the parts of a page share: the report, its claims, its citations by number."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.language = report.language
        self.claims = {claim.id: claim for claim in report.claims}
        self.sources = {source.id: source for source in report.sources}
        self.numbers = Numbers(report)
        self._anchored: set[int] = set()

    def word(self, key: str) -> str:
        """Return a word of the frame, escaped."""
        return text(word(key, self.language))

    def place(self, numbered: Numbered) -> str:
        """Return where in its source a citation lies, unescaped."""
        citation = numbered.citation
        return place(citation.locator, title=self.sources[citation.source_id].title, language=self.language)

    def cites(self, cited: Iterable[Numbered]) -> str:
        """Return links to the evidence; the first link of each number is where its evidence leads back to."""
        return "".join(self._cite(numbered) for numbered in cited)

    def _cite(self, numbered: Numbered) -> str:
        n = numbered.number
        about = [name(self.sources[numbered.citation.source_id]), self.place(numbered)]
        hint = text(" · ".join(squeeze(part, limit=_HINT) for part in about if part))
        back = "" if n in self._anchored else f' id="c{n}"'
        self._anchored.add(n)
        spoken = f"{self.word('citation')} {n}: {hint}"
        return f'<a class="cite" href="#e{n}"{back} title="{hint}" aria-label="{spoken}">{n}</a>'


def to_html(report: Report, texts: Mapping[str, str], bodies: Mapping[str, bytes] = NO_BODIES) -> str:
    """Return the page; `texts` are the stored texts of the report's sources by source id.

    A source whose text is not given shows its quotations alone. `bodies` are by their hash what
    programs made, and the programs' texts.
    """
    page = _Page(report)
    parts = [
        _header(page),
        _answer(page),
        _changes(page),
        *(_section(page, title, sentences(part, page.claims)) for title, part in titled(report)),
        artefacts(report, bodies),
        _contradictions(page),
        _list(page.word("unexamined"), report.unexamined),
        _sources(page),
        _notes(page),
        _evidence(page, texts),
    ]
    return _document(page, "\n".join(part for part in parts if part))


def text(value: str) -> str:
    """Return text escaped for content and attributes, without characters that hide or turn text."""
    return html.escape(shown(value), quote=True)


def _document(page: _Page, body: str) -> str:
    style, script = asset("report.css"), asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        f"{'img-src data:; ' if has_pictures(page.report) else ''}"
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="{"zh-Hans" if page.language == "zh" else "en"}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{text(squeeze(page.report.question, limit=_HINT))}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#report">{page.word("skip")}</a>
<main id="report" tabindex="-1">
{body}
</main>
<dialog id="panel" aria-labelledby="panel-name">
<div class="bar"><h2 id="panel-name"></h2><button id="panel-close" type="button">{page.word("close")}</button></div>
<p id="panel-place"></p>
<div id="panel-about"></div>
<div id="panel-text" class="text" role="group" aria-labelledby="panel-name" tabindex="0"></div>
</dialog>
<script>{script}</script>
</body>
</html>
"""


def _hash(body: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()


# --- what is told ----------------------------------------------------------------------------


def _header(page: _Page) -> str:
    report = page.report
    at = _TIME.sub(r"\1 \2 UTC", report.created_at)
    made = [
        f"{word('generated', page.language)} {at}",
        strategy(report.strategy, page.language),
        ", ".join(report.models),
    ]
    return (
        f'<header><h1 dir="auto">{text(report.question)}</h1>'
        f'<p class="meta">{text(" · ".join(m for m in made if m))}</p></header>'
    )


def _answer(page: _Page) -> str:
    told = answer(page.report, page.claims)
    if not told:
        return ""
    return f'<section class="answer" aria-label="{page.word("answer")}">{_prose(page, told)}</section>'


def _changes(page: _Page) -> str:
    changes = page.report.changes
    if changes is None:
        return ""
    parts = [f"<h2>{text(heading(changes, page.language))}</h2>"]
    if not changes.any:
        parts.append(f"<p>{page.word('no_changes')}</p>")
    for kind in news(page.report, page.language):
        items = [f'<li dir="auto">{_item(page, item, gone=kind.gone)}</li>' for item in kind.items]
        if kind.more:
            items.append(f"<li>{text(word('more', page.language).format(kind.more))}</li>")
        parts.append(f"<h3>{text(kind.title)}</h3><ul>{''.join(items)}</ul>")
    return f'<section class="changes">{"".join(parts)}</section>'


def _item(page: _Page, item: Item, *, gone: bool) -> str:
    told = f"<bdi>{text(squeeze(item.text, limit=_QUOTE))}</bdi>" if item.source is None else _named(item.source)
    if gone:
        told = f"<del>{told}</del>"
    cited = page.cites(page.numbers.numbered(item.claim.citations)) if item.claim is not None else ""
    note = f' <span class="why">{text(item.note)}</span>' if item.note else ""
    return f"{told}{cited}{note}"


def _section(page: _Page, title: str, told: Sequence[Told]) -> str:
    heading = f'<h2 dir="auto">{text(title)}</h2>' if title else ""
    if not quoting(told):
        return f"<section>{heading}{_prose(page, told)}</section>"
    items = "\n".join(f'<li dir="auto">{_told(page, t)}</li>' for t in told)
    return f'<section>{heading}<ul class="quoted">{items}</ul></section>'


def _prose(page: _Page, told: Sequence[Told]) -> str:
    return f'<p dir="auto">{" ".join(_told(page, t) for t in told)}</p>'


def _told(page: _Page, told: Told) -> str:
    """Return a sentence with its citations and its verdict; a weak one is also set apart by its look."""
    claim = told.claim
    if claim is None:
        return f"<bdi>{text(told.text)}</bdi>"
    kind = "strong" if strong(claim) else str(claim.verdict)
    cited = page.cites(page.numbers.numbered(claim.citations))
    return f'<span class="claim {kind}"><bdi>{text(told.text)}</bdi>{cited}{_verdict(page, claim)}</span>'


def _verdict(page: _Page, claim: Claim) -> str:
    why = reasons(claim, page.language)
    told = f'<span class="why">{text(("；" if page.language == "zh" else "; ").join(why))}</span>' if why else ""
    shown_as = text(label(claim, page.language))
    if strong(claim):  # the style draws a mark; the words are for who does not see it, and for the pointer
        return (
            f'&nbsp;<span class="verdict strong" title="{shown_as}"><span class="unseen">{shown_as}</span></span>{told}'
        )
    return f' <span class="verdict {claim.verdict}">{shown_as}</span>{told}'


def _contradictions(page: _Page) -> str:
    pairs = []
    for pair in page.report.contradictions:
        sides = "".join(_side(page, side) for side in page.numbers.numbered(pair.sides))
        pairs.append(f'<div class="pair"><h3 dir="auto">{text(subject(pair))}</h3>{sides}</div>')
    return f"<section><h2>{page.word('contradictions')}</h2>{''.join(pairs)}</section>" if pairs else ""


def _side(page: _Page, side: Numbered) -> str:
    source = page.sources[side.citation.source_id]
    quote = text(squeeze(side.citation.quote, limit=_QUOTE))
    return f'<p><q>{quote}</q>{page.cites([side])} <span class="where"><bdi>{text(name(source))}</bdi></span></p>'


def _list(title: str, items: Iterable[str]) -> str:
    lines = "".join(f'<li dir="auto">{text(item)}</li>' for item in items)
    return f"<section><h2>{title}</h2><ul>{lines}</ul></section>" if lines else ""


def _notes(page: _Page) -> str:
    lines = "".join(f"<p>{text(line)}</p>" for line in (*page.report.notes, facts(page.report)))
    claims = sorted(page.report.claims, key=_weight)
    used = {f"{'✓ ' if strong(c) else ''}{label(c, page.language)}": meaning(c, page.language) for c in claims}
    rows = "".join(f"<dt>{text(term)}</dt><dd>{text(told)}</dd>" for term, told in used.items() if told)
    legend = f"<details><summary>{page.word('legend')}</summary><dl>{rows}</dl></details>" if rows else ""
    return f'<section class="notes" aria-label="{page.word("notes")}">{lines}{legend}</section>'


def _weight(claim: Claim) -> int:
    return list(Verdict).index(claim.verdict)


# --- what it stands on -----------------------------------------------------------------------


def _sources(page: _Page) -> str:
    if not page.report.sources:
        return ""
    repeated = frozenset(said(page.report))
    items = "\n".join(f"<li>{_source(page, source, repeated)}</li>" for source in page.report.sources)
    return f'<section><h2>{page.word("sources")}</h2><ul class="sources">{items}</ul></section>'


def _source(page: _Page, source: Source, repeated: frozenset[str]) -> str:
    about = [*source.authors, source.published or "", page.word("truncated") if source.truncated else ""]
    lines = [_named(source), *(f'<span class="where">{part}</span>' for part in _wheres(page, source))]
    if any(about):
        lines.insert(1, f'<span class="where">{" · ".join(text(a) for a in about if a)}</span>')
    places: dict[str, list[Numbered]] = {}
    for numbered in page.numbers.in_source(source.id):
        where = f"<bdi>{text(page.place(numbered))}</bdi>"
        if flat(numbered.citation.quote) not in repeated:
            where += f' <q dir="auto">{text(squeeze(numbered.citation.quote, limit=_QUOTE))}</q>'
        places.setdefault(where, []).append(numbered)
    items = "".join(f"<li>{page.cites(cited)} {where}</li>" for where, cited in places.items())
    return "".join(lines) + (f"<ul>{items}</ul>" if items else "")


def _named(source: Source) -> str:
    uri, title = address(source), f"<bdi>{text(name(source))}</bdi>"
    return f'<a href="{text(uri)}" rel="noopener noreferrer nofollow">{title}</a>' if linkable(uri) else title


def _wheres(page: _Page, source: Source) -> list[str]:
    """Return the addresses of a source and the hash of its text, escaped."""
    also = ", ".join(readable(uri) for uri in source.also[:2])
    told = [f"<bdi>{text(readable(address(source)))}</bdi>"]
    if also:
        told.append(f"{page.word('also')} <bdi>{text(also)}</bdi>")
    return [" · ".join(told), f"SHA-256 {text(source.sha256[:16])}…"]


def _evidence(page: _Page, texts: Mapping[str, str]) -> str:
    blocks = [
        _block(page, source, context)
        for source in page.report.sources
        for context in contexts(page.numbers.in_source(source.id), texts.get(source.id))
    ]
    if not blocks:
        return ""
    return (
        f'<details id="evidence" open><summary><h2>{page.word("evidence")}</h2></summary>\n'
        + "\n".join(blocks)
        + "\n</details>"
    )


def _block(page: _Page, source: Source, context: Context) -> str:
    title = text(name(source))
    known = _LANGUAGE.fullmatch(source.language or "")
    language = f' lang="{source.language}"' if known else ""
    warned = "" if context.standing is Standing.STANDS else f'<p class="warning">{page.word(context.standing)}</p>'
    head = '<span class="cut">[…]</span>' if context.before else ""
    tail = '<span class="cut">[…]</span>' if context.after else ""
    pieces = "".join(_piece(page, piece) for piece in context.pieces)
    # A line feed right after <pre> is dropped by parsers: this one, not the text's own.
    return (
        f'<article class="evidence"><h3 dir="auto">{title}</h3>'
        f'<div class="about"><p class="where"><bdi>{text(readable(address(source)))}</bdi></p>{warned}</div>'
        f'{head}<pre class="text" dir="auto"{language} role="group" aria-label="{title}" tabindex="0">'
        f"\n{pieces}</pre>{tail}</article>"
    )


def _piece(page: _Page, piece: Piece) -> str:
    labels = "".join(_label(page, numbered, cut) for numbered, cut in piece.opens)
    body = text(piece.text)
    return labels + (f"<mark>{body}</mark>" if piece.marked and body else body)


def _label(page: _Page, numbered: Numbered, cut: Cut) -> str:
    """Return the number before a quotation, drawn by the style so that it is no part of the text.

    It carries what the script needs to show this quotation alone.
    """
    n = numbered.number
    data = f"{cut.low} {cut.start} {cut.end} {cut.high} {cut.before:d} {cut.after:d}"
    where = text(page.place(numbered))
    return (
        f'<a class="at" id="e{n}" href="#c{n}" data-n="{n}" data-cut="{data}" data-place="{where}"'
        f' aria-label="{page.word("citation")} {n}"></a>'
    )
