"""A report as Markdown: readable in a terminal, safe in any renderer.

No markup, image or link of a source passes through: what comes from sources or models is escaped,
and the only links are the addresses of cited sources and, by the hash of its bytes, what programs of
the run made: that lies in a folder beside the report (`telling.artefacts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from leadline.domain import Report, Source
from leadline.telling.addresses import address, linkable, name, readable
from leadline.telling.artefacts import NO_BODIES, Group, groups, listing, path_of, program_path, title
from leadline.telling.news import Item, heading, news, titled
from leadline.telling.numbering import Numbered, Numbers, Told, answer, flat, quoting, said, sentences, subject
from leadline.telling.wording import facts, label, place, reasons, strong, word
from leadline.text.clean import squeeze, visible

_QUOTE: Final = 300
"""Characters of a quotation that are shown beside its source; the whole of it is in JSON and HTML."""

_LISTED: Final = 200
"""Lines of a program that are listed; the whole of it lies beside the report."""

# Endings after which renderers take a bare name for a host: countries' (ISO 3166, as the root zone has them) and
# the common ones.
_ENDINGS: Final = (
    r"(?:a[cdefgilmnoqrstuwxz]|b[abdefghijmnorstvwyz]|c[acdfghiklmnoruvwxyz]|d[ejkmoz]|e[cegrstu]|f[ijkmor]"
    r"|g[abdefghilmnpqrstuwy]|h[kmnrtu]|i[delmnoqrst]|j[emop]|k[eghimnprwyz]|l[abcikrstuvy]|m[acdeghklmnopqrstuvwxyz]"
    r"|n[acefgilopruz]|om|p[aefghklmnrstwy]|qa|r[eosuw]|s[abcdeghijklmnorstuvxyz]|t[cdfghjklmnortvwz]|u[agksyz]"
    r"|v[aceginu]|w[fs]|y[et]|z[amw]"
    r"|biz|com|edu|gov|net|org|pro|web|xxx|aero|asia|coop|info|museum|name|shop|рф)\b"
)
# Only what some renderer would act on: text full of backslashes cannot be read in a terminal.
_ACTIVE: Final = re.compile(
    # What a source has as code, `wal_level`, stays code where nothing in it could be more than text anywhere.
    r"(?P<code>(?<!`)`[^\s`\\<&{}$](?:[^`\\<&{}$]*[^\s`\\<&{}$])?`(?!`))"
    # An address that stands alone, and a name between underscores, `__init__`: as code they read as they are.
    r"""|(?P<bare>(?<![^\s(\["'“‘（《<，、：；。])(?:(?:https?|ftp)://(?:[\w/#?&=%+@:;,.~!-]*[\w/#=%+-])"""
    r"""|__\w+(?=[.,;:!?)\]"'”’，。；：！？、）》…]*(?:\s|$))))"""
    # A file or host that stands alone among words, `notes.md`: as code it is no link and reads as it is.
    r"""|(?P<named>(?<![^\s(\["'“‘（《，、：；。])(?=[\w./-]*[^\W_]\.""" + _ENDINGS + r")"
    r"""/?[^\W_][\w-]*(?:[./][\w-]+)+(?=[.,;:!?)\]"'”’，。；：！？、）》…]*(?:\s|$)))"""
    r"|[`*~]"
    # Words in brackets are no link: where `[` is escaped, no text can define what they would lead to.
    r"|\[(?!\w[^\[\]\\^`*_~<>&@!$#{}/:|]+\]\s\w)"
    r"|\\(?=[!-/:-@\[-`{-~]|$)"
    r"|<(?=[a-z/!?]|$)"
    r"|&(?=#|[a-z]\w*;)"
    r"|_+"
    r"|\$(?!\d)"
    r"|\{(?=[{%:#.])|(?<=\{)[{%]"
    r"|!(?=\[)"
    r"|(?<=\s)#(?=#*$)"  # the end of a heading
    # what renderers turn into links by themselves
    r"|/(?=/)|(?<=\bmailto):|(?<=\bxmpp):|(?<=\bwww)\.|(?<=\S)@(?=\S)"
    r"|(?<=[^\W_])\.(?=" + _ENDINGS + r")",
    re.IGNORECASE,
)
_OPENING: Final = re.compile(r"\A([#>+=:!|-]|\d+(?=[.)](?:\s|$)))")


def to_markdown(report: Report, bodies: Mapping[str, bytes] = NO_BODIES) -> str:
    """Return the report as Markdown with numbered citations; `bodies` are by their hash programs' texts to list."""
    page = _Page(report)
    parts = [f"# {escape(report.question)}"]
    direct = answer(report, page.claims)
    if direct:
        parts.append(f"**{page.word('answer')}{page.colon}** {page.prose(direct)}")
    parts += _changes(page)
    for headed, section in titled(report):
        if headed:
            parts.append(f"## {escape(headed)}")
        told = sentences(section, page.claims)
        parts.append("\n".join(f"- {page.told(t)}" for t in told) if quoting(told) else page.prose(told))
    parts += _artefacts(page, bodies)
    parts += _contradictions(page)
    parts += _listed(page.word("unexamined"), report.unexamined)
    if report.sources:
        parts.append(f"## {page.word('sources')}")
        repeated = frozenset(said(report))
        parts += [_source(page, source, repeated) for source in report.sources]
    notes = list(report.notes)
    if any(strong(claim) and claim.checks.decided_by == "values" for claim in report.claims):
        notes.append(page.word("unmarked"))
    parts.append("---")
    parts += [escape(line) for line in (*notes, facts(report))]
    return "\n\n".join(part for part in parts if part) + "\n"


def changes_to_markdown(report: Report) -> str:
    """Return what changed since an earlier report, alone; empty where the report is compared with none."""
    return "\n\n".join(_changes(_Page(report))) + "\n" if report.changes is not None else ""


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line, without characters that hide or turn it."""
    plain = visible(squeeze(text)).strip()
    return _OPENING.sub(_opening, _ACTIVE.sub(_inert, plain))


def _inert(found: re.Match[str]) -> str:
    """Return what was found, escaped; underscores within a word are no emphasis, names and addresses code."""
    if found["code"]:
        return found[0]
    if found["named"] or found["bare"]:
        return f"`{found[0]}`"
    whole, start, end = found.string, found.start(), found.end()
    before, behind = whole[max(0, start - 1) : start], whole[end : end + 1]
    if found[0].startswith("_") and before.isalnum() and behind.isalnum():
        return found[0]
    return "".join(f"\\{char}" for char in found[0])


def code(text: str) -> str:
    """Return text as a code span: to copy as it stands, and inert."""
    plain = visible(squeeze(text)).strip()
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else ""


def _opening(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


class _Page:
    """What the parts of a report share: its claims, its citations by number, its language."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.language = report.language
        self.claims = {claim.id: claim for claim in report.claims}
        self.sources = {source.id: source for source in report.sources}
        self.numbers = Numbers(report)
        self.colon = "：" if self.language == "zh" else ":"

    def word(self, key: str) -> str:
        """Return a word of the frame."""
        return word(key, self.language)

    def prose(self, told: Iterable[Told]) -> str:
        """Return sentences as one paragraph."""
        return " ".join(filter(None, map(self.told, told)))

    def told(self, told: Told) -> str:
        """Return a sentence, its citations, and its verdict unless that is the best there is."""
        text, claim = escape(told.text), told.claim
        if claim is None:
            return text
        marks = "".join(f"[{n}]" for n in self.numbers.of(claim.citations))
        parts = [part for part in (text, marks) if part]
        if not strong(claim):
            why = [label(claim, self.language), *reasons(claim, self.language)]
            stop = "；" if self.language == "zh" else "; "
            parts.append(f"*({stop.join(map(escape, why))})*")
        return " ".join(parts)

    def place(self, numbered: Numbered, source: Source) -> str:
        """Return where in its source a citation lies."""
        shown = place(numbered.citation.locator, title=source.title, language=self.language)
        return escape(squeeze(shown, limit=_QUOTE))


def _changes(page: _Page) -> Iterator[str]:
    """Yield what changed since an earlier report, by kind."""
    changes = page.report.changes
    if changes is None:
        return
    yield f"## {escape(heading(changes, page.language))}"
    if not changes.any:
        yield escape(page.word("no_changes"))
    for kind in news(page.report, page.language):
        lines = [f"- {_item(page, item, gone=kind.gone)}" for item in kind.items]
        if kind.more:
            lines.append(f"- {escape(page.word('more').format(kind.more))}")
        yield f"**{escape(kind.title)}**\n\n" + "\n".join(lines)


def _item(page: _Page, item: Item, *, gone: bool) -> str:
    text = escape(squeeze(item.text, limit=_QUOTE))
    marks = "".join(f"[{n}]" for n in page.numbers.of(item.claim.citations)) if item.claim is not None else ""
    if item.source is not None:
        text = f"{text} {_address(item.source)}"
    note = f"*({escape(item.note)})*" if item.note else ""
    return " ".join(filter(None, (f"~~{text}~~" if gone and item.claim is None else text, marks, note)))


def _artefacts(page: _Page, bodies: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what programs made: pictures and files by their place beside the report, then the program."""
    made = groups(page.report)
    if made:
        yield f"## {page.word('artefacts')}"
        yield escape(page.word("computed"))
    for group in made:
        yield from _group(page, group, bodies.get(group.program))


def _group(page: _Page, group: Group, program: bytes | None) -> Iterator[str]:
    for one in group.shown:
        told = escape(title(one, page.language))
        yield f"{'' if one.number is None else '!'}[{told}]({path_of(one.made)})"
        if one.number is not None:
            yield f"*{told}*"
    yield f"[{page.word('program')}]({program_path(group.program)})"
    lines, more = listing(program, most=_LISTED)
    if lines:
        fence = "`" * max(3, 1 + max(len(run) for run in re.findall("`*", "\n".join(lines))))
        yield "\n".join((f"{fence}python", *lines, fence))
    if more:
        yield escape(page.word("more_lines").format(f"{more:,}"))


def _contradictions(page: _Page) -> list[str]:
    lines = []
    for pair in page.report.contradictions:
        lines.append(f"- {escape(squeeze(subject(pair), limit=_QUOTE))}")
        for side in page.numbers.numbered(pair.sides):
            source = page.sources[side.citation.source_id]
            lines.append(f"  - {_quote(side)} [{side.number}] ({escape(name(source))})")
    return [f"## {page.word('contradictions')}", "\n".join(lines)] if lines else []


def _quote(numbered: Numbered) -> str:
    return f"“{escape(squeeze(numbered.citation.quote, limit=_QUOTE))}”"


def _listed(title: str, items: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {escape(item)}" for item in items)] if items else []


def _source(page: _Page, source: Source, repeated: frozenset[str]) -> str:
    """Return a source, and by place what is cited of it; a quote that stands in the report is not repeated."""
    about = ", ".join(escape(a) for a in (*source.authors, source.published or "") if a)
    lines = [f"**{escape(name(source))}**" + (f", {about}" if about else "") + f"  \n{_address(source)}"]
    if source.truncated:
        lines[0] += f" ({page.word('truncated')})"
    places: dict[str, list[int]] = {}
    for numbered in page.numbers.in_source(source.id):
        where = page.place(numbered, source)
        if flat(numbered.citation.quote) not in repeated:
            where = f"{where}{page.colon} {_quote(numbered)}" if where else _quote(numbered)
        places.setdefault(where, []).append(numbered.number)
    lines += [f"- {''.join(f'[{n}]' for n in cited)} {where}".rstrip() for where, cited in places.items()]
    return "\n".join(lines)


def _address(source: Source) -> str:
    uri = address(source)
    return f"<{uri}>" if linkable(uri) else code(readable(uri))
