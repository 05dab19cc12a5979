"""Media type to parser: `extract` turns bytes into stored text, in this process."""

from __future__ import annotations

import hashlib
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from leadline.errors import BrokenDocument, EncryptedDocument, ExtractError, TooLarge, UnknownFormat
from leadline.extract import sniff
from leadline.extract.builder import called, clean, one_line
from leadline.extract.types import Extracted, Limits
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Format(NamedTuple):
    """How a family of media types is read; `version` rises when its text may come out otherwise."""

    extractor: str
    version: int
    parser: str  # module:function, imported when first used


_PLAIN: Final = Format("plain", 1, "leadline.extract.plain:parse_plain")
_SOURCE: Final = Format("source", 1, "leadline.extract.plain:parse_source")
_HTML: Final = Format("html", 4, "leadline.extract.html:parse_html")

_FORMATS: Final[Mapping[str, Format]] = {
    sniff.PLAIN: _PLAIN,
    sniff.MARKDOWN: Format("markdown", 1, "leadline.extract.plain:parse_markdown"),
    sniff.RST: Format("rst", 1, "leadline.extract.plain:parse_rst"),
    sniff.CSV: Format("table", 1, "leadline.extract.plain:parse_table"),
    sniff.TSV: Format("table", 1, "leadline.extract.plain:parse_table"),
    sniff.JSON: _SOURCE,
    sniff.JSON_LINES: _SOURCE,
    sniff.XML: _SOURCE,
    sniff.HTML: _HTML,
    sniff.XHTML: _HTML,
    sniff.PDF: Format("pdf", 1, "leadline.extract.pdf:parse_pdf"),
    sniff.DOCX: Format("docx", 1, "leadline.extract.docx:parse_docx"),
    sniff.PPTX: Format("pptx", 1, "leadline.extract.pptx:parse_pptx"),
    sniff.XLSX: Format("xlsx", 1, "leadline.extract.xlsx:parse_xlsx"),
    sniff.EPUB: Format("epub", 1, "leadline.extract.epub:parse_epub"),
    sniff.NOTEBOOK: Format("notebook", 1, "leadline.extract.notebook:parse_notebook"),
    sniff.MAIL: Format("mail", 1, "leadline.extract.mail:parse_mail"),
    **dict.fromkeys(sniff.SOURCE_TYPES, _SOURCE),
}

# Extractor name to the version whose text it gives; part of what identifies a stored text.
EXTRACTOR_VERSION: Final[Mapping[str, int]] = {known.extractor: known.version for known in _FORMATS.values()}

_NAMES: Final = {
    sniff.OLE: "an old binary Office file: save it in the current format (docx, xlsx, pptx)",
    sniff.ZIP: "an archive: unpack it first",
    "application/rtf": "rich text format: save it as docx",
}


def media_types() -> frozenset[str]:
    """Media types that have a parser of their own; any other `text/...` is read as plain text."""
    return frozenset(_FORMATS)


def extract(
    raw: bytes,
    *,
    name: str | None = None,
    declared: str | None = None,
    password: str | None = None,
    limits: Limits | None = None,
) -> Extracted:
    """Turn `raw` into text with locators; the same input always gives the same result.

    name: file name or URL, for recognition, messages and relative links; declared: `Content-Type`
    or charset as the sender gave it. Runs in the calling process without bounding time or memory:
    hostile documents belong into `children.ExtractPool`.

    Raises `UnknownFormat`, `BrokenDocument`, `EncryptedDocument` or `TooLarge`, nothing else but
    `MemoryError`.
    """
    limits = limits or Limits()
    if len(raw) > limits.bytes:
        msg = f"{called(name)} has {len(raw)} bytes; at most {limits.bytes} are read"
        raise TooLarge(msg)
    media_type = _recognise(raw, name, declared)
    known = _format_of(media_type)
    if known is None:
        raise _unreadable(raw, name, media_type)
    job = Job(
        raw=raw,
        media_type=media_type or "",
        name=name,
        declared=declared,
        password=password,
        limits=limits,
    )
    parsed = _run(known, job)
    return _complete(parsed, job, known)


def _run(known: Format, job: Job) -> Parsed:
    module, _, function = known.parser.partition(":")
    parser: Callable[[Job], Parsed] = getattr(import_module(module), function)
    try:
        return parser(job)
    except ExtractError as error:
        raise type(error)(f"{called(job.name)}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # hostile bytes may make a parser fail in any way
        what = f"{type(error).__name__}: {one_line(str(error))}"
        msg = f"{called(job.name)}: damaged {job.media_type} ({what})"
        raise BrokenDocument(msg) from error


def _complete(parsed: Parsed, job: Job, known: Format) -> Extracted:
    extractor = f"{known.extractor}-{parsed.reader}" if parsed.reader else known.extractor
    cut = len(parsed.text) > job.limits.chars
    return Extracted(
        text=parsed.text[: job.limits.chars] if cut else parsed.text,
        title=one_line(parsed.title, 500) or None if parsed.title else None,
        authors=tuple(clean(author) for author in parsed.authors),
        published=parsed.published,
        language=parsed.language,
        locators=parsed.locators,
        links=parsed.links,
        content_type=job.media_type,
        extractor=f"{extractor}/{known.version}",
        truncated=parsed.truncated or cut,
        warnings=parsed.warnings,
        raw_sha256=hashlib.sha256(job.raw).hexdigest(),
    )


def _recognise(raw: bytes, name: str | None, declared: str | None) -> str | None:
    media_type = sniff.media_type(name, raw[: sniff.HEAD], declared)
    if media_type == sniff.ZIP:
        tail = raw[-(1 << 20) :]
        return next((media for member, media in sniff.ZIP_MEMBERS if member.encode() in tail), media_type)
    return media_type


def _format_of(media_type: str | None) -> Format | None:
    if media_type is None:
        return None
    return _FORMATS.get(media_type) or (_PLAIN if media_type.startswith("text/") else None)


def _unreadable(raw: bytes, name: str | None, media_type: str | None) -> ExtractError:
    if media_type == sniff.OLE and "EncryptedPackage".encode("utf-16-le") in raw:
        msg = f"{called(name)} is an Office file encrypted with a password; save it without one"
        return EncryptedDocument(msg)
    kind = _NAMES.get(media_type or "") or media_type or "binary data of an unknown kind"
    msg = f"{called(name)} is {kind}; no parser reads it"
    return UnknownFormat(msg)
