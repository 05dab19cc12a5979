"""HTML pages, fetched or local: what a person sees of the content, as text with headings.

Made for documentation and ordinary pages at a few milliseconds each. Every step is free of
recursion, so depth of nesting costs time only; the caller bounds time and memory.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from leadline.errors import BrokenDocument
from leadline.extract.builder import TextBuilder, clean, one_line
from leadline.extract.decode import decode
from leadline.extract.html_main import choose_main
from leadline.extract.html_meta import page_facts
from leadline.extract.html_render import HtmlRenderer
from leadline.extract.html_visible import remove_invisible
from leadline.extract.types import Link
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

MOST_BYTES: Final = 5_000_000
MOST_TAGS: Final = 200_000
MOST_ATTRIBUTES: Final = 400_000
MOST_LINKS: Final = 2_000
_LONGEST_URL: Final = 2_048
_WEB: Final = ("http://", "https://")


def parse_html(job: Job) -> Parsed:
    """Turn a page into text; raises `BrokenDocument` where no tree can be made."""
    raw = _capped(job.raw)
    tree = parse_tree(decode(raw, declared=job.declared, markup=True).text)
    facts = page_facts(tree)
    remove_invisible(tree)
    links = page_links(tree, job.name)
    out = TextBuilder(job.limits.chars)
    main = choose_main(tree)
    if main is not None:
        HtmlRenderer(out).render(main)
    cut = len(raw) < len(job.raw)
    warnings = (f"the page is too large; only its first {len(raw)} bytes were read",) if cut else ()
    return Parsed.of(
        out,
        title=facts.title,
        authors=facts.authors,
        published=facts.published,
        language=facts.language,
        links=links,
        warnings=warnings,
        cut=cut,
        reader=html_reader(),
    )


def html_reader() -> str:
    """Name the library that builds the trees: another version may read a page otherwise."""
    from selectolax import __version__  # noqa: PLC0415 loaded when used

    return f"selectolax{__version__}"


def render_part(raw: bytes, out: TextBuilder, *, declared: str | None = None) -> None:
    """Write all that is visible of an HTML part (of a mail, of a book) into `out`."""
    tree = parse_tree(decode(_capped(raw), declared=declared, markup=True).text)
    remove_invisible(tree)
    body = tree.body
    if body is not None:
        HtmlRenderer(out).render(body)


def _capped(raw: bytes) -> bytes:
    """Cut a page at the cap on bytes, or where it has had so many tags or attributes: each costs memory."""
    return _cut(_cut(raw[:MOST_BYTES], b"<", MOST_TAGS), b"=", MOST_ATTRIBUTES)


def _cut(raw: bytes, mark: bytes, most: int) -> bytes:
    if raw.count(mark) <= most:
        return raw
    return raw[: next(islice(re.finditer(mark, raw), most, None)).start()]


def parse_tree(text: str) -> LexborHTMLParser:
    """Build the tree of a page; NUL and lone surrogates are dropped first."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError  # noqa: PLC0415 loaded when used

    try:
        return LexborHTMLParser(clean(text))
    except (SelectolaxError, ValueError, RuntimeError) as error:
        msg = f"the page cannot be parsed as HTML: {error}"
        raise BrokenDocument(msg) from error


def page_links(tree: LexborHTMLParser, name: str | None) -> tuple[Link, ...]:
    """Return the http(s) links of a page in its order, each address once, without fragments."""
    base = _base(tree, name)
    found: dict[str, Link] = {}
    for node in tree.css("a[href], area[href]"):
        url = _absolute(base, node.attributes.get("href") or "")
        if url and url not in found:
            found[url] = Link(url, one_line(node.text(separator=" ")))
            if len(found) >= MOST_LINKS:
                break
    return tuple(found.values())


def _base(tree: LexborHTMLParser, name: str | None) -> str:
    page = name if name and _is_web(name) else ""
    node = tree.css_first("base[href]")
    stated = (node.attributes.get("href") or "") if node is not None else ""
    return _absolute(page, stated) or page if stated else page


def _absolute(base: str, target: str) -> str | None:
    target = clean(target.strip()).partition("#")[0]
    if not target or len(target) > _LONGEST_URL:
        return None
    try:
        url = target if _is_web(target) else urljoin(base, target)
    except ValueError:
        return None
    return url if _is_web(url) else None


def _is_web(url: str) -> bool:
    try:
        return url[:8].lower().startswith(_WEB) and bool(urlsplit(url).hostname)
    except ValueError:
        return False
