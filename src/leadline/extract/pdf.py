"""PDF: pypdfium2 reads first; pdfminer.six where it fails or finds no text that is there.

Text is verbatim: hyphens at line ends, running heads and page numbers stay. Columns come in the
order of the reader. Not for use by several threads at once: pdfium is not thread-safe.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from leadline.errors import BrokenDocument, EncryptedDocument, ExtractError
from leadline.extract.builder import TextBuilder, authors_of, one_line
from leadline.extract.html_meta import iso_date
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pdfminer.pdfdocument import PDFDocument
    from pypdfium2 import PdfDocument, PdfPage

_WRONG_PASSWORD: Final = 4  # FPDF_ERR_PASSWORD
_WORTHLESS_TITLE: Final = re.compile(
    r"^(?:untitled|microsoft (?:word|powerpoint) - .*|.*\.(?:docx?|dvi|tex|indd|pdf|qxd))$"
)
_PDF_DATE: Final = re.compile(r"^(?:D:)?(\d{4})(\d{2})?(\d{2})?")
_SEPARATORS: Final = re.compile(r"\s*;\s*|\s+and\s+|\s*、\s*")
_UNMAPPED: Final = re.compile(r"\(cid:\d+\)")
_NOTHING: Final = "no page has text: the file is scanned or holds only images"
_ENCRYPTED: Final = "the PDF is encrypted; give the password"
_WRONG: Final = "the PDF is encrypted and the password does not open it"


def parse_pdf(job: Job) -> Parsed:
    """Read all pages; raises `EncryptedDocument` or `BrokenDocument`."""
    first: Parsed | None = None
    trouble: ExtractError | None = None
    try:
        first, missing = _read_pdfium(job)
    except ExtractError as error:
        trouble, missing = error, True
    if first is not None and not missing:
        return first
    try:
        second = _read_pdfminer(job)
    except ExtractError as error:
        if first is not None:
            return first
        raise _worse(trouble, error) from error
    if first is not None and len(first.text.strip()) >= len(second.text.strip()):
        return first
    return second


def _worse(first: ExtractError | None, second: ExtractError) -> ExtractError:
    """A missing password is the better explanation of the two."""
    return first if isinstance(first, EncryptedDocument) else second


def _read_pdfium(job: Job) -> tuple[Parsed, bool]:
    """Return what pdfium reads, and whether it missed text on most pages that have some."""
    from pypdfium2 import PdfDocument, PdfiumError  # noqa: PLC0415 loaded when used

    try:
        document = PdfDocument(job.raw, password=job.password)
    except PdfiumError as error:
        if error.err_code == _WRONG_PASSWORD:
            raise EncryptedDocument(_WRONG if job.password else _ENCRYPTED) from error
        msg = f"pdfium cannot open it: {one_line(str(error))}"
        raise BrokenDocument(msg) from error
    try:
        return _pdfium_pages(document, job)
    finally:
        document.close()


def _pdfium_pages(document: PdfDocument, job: Job) -> tuple[Parsed, bool]:
    from pypdfium2 import PDFIUM_INFO, PdfiumError  # noqa: PLC0415 loaded when used

    out = TextBuilder(job.limits.chars)
    total, read, missed, unreadable = len(document), 0, 0, 0
    for index in range(total):
        if out.full:
            break
        try:
            page = document[index]
        except PdfiumError:
            unreadable += 1
            continue
        text = _pdfium_text(page)
        if text:
            read += 1
            out.new_part("page", _page_label(document.get_page_label(index), index, total))
            out.add(text)
        elif _has_text_objects(page):
            missed += 1
        page.close()
    facts = document.get_metadata_dict()
    warnings = _warnings(out, total=total, unreadable=unreadable)
    return _pdf_parsed(
        out, facts, warnings=warnings, reader=f"pdfium{PDFIUM_INFO.build}"
    ), missed > read or unreadable > read


def _pdfium_text(page: PdfPage) -> str:
    from pypdfium2 import PdfiumError  # noqa: PLC0415 loaded when used

    try:
        textpage = page.get_textpage()
    except PdfiumError:
        return ""
    text = textpage.get_text_range()
    textpage.close()
    # pdfium writes U+FFFE for a hyphen at a line's end and drops the line break after it.
    return _tidy(text.replace("\ufffe", "-\n"))


def _has_text_objects(page: PdfPage) -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_TEXT  # noqa: PLC0415 loaded when used

    return next(iter(page.get_objects(filter=[FPDF_PAGEOBJ_TEXT], max_depth=5)), None) is not None


def _read_pdfminer(job: Job) -> Parsed:
    from pdfminer import __version__ as pdfminer_version  # noqa: PLC0415 loaded when used
    from pdfminer.pdfdocument import PDFDocument, PDFPasswordIncorrect  # noqa: PLC0415 loaded when used
    from pdfminer.pdfparser import PDFParser  # noqa: PLC0415 loaded when used

    try:
        document = PDFDocument(PDFParser(io.BytesIO(job.raw)), password=job.password or "")
        out = TextBuilder(job.limits.chars)
        total = 0
        for label, text in _pdfminer_pages(document):
            total += 1
            if text and not out.full:
                out.new_part("page", label or str(total))
                out.add(text)
    except PDFPasswordIncorrect as error:
        raise EncryptedDocument(_WRONG if job.password else _ENCRYPTED) from error
    except MemoryError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {one_line(str(error))}"
        msg = f"neither pdfium nor pdfminer can read it: {what}"
        raise BrokenDocument(msg) from error
    if not total:
        msg = "it has no pages"
        raise BrokenDocument(msg)
    facts = _pdfminer_facts(document)
    return _pdf_parsed(
        out, facts, warnings=_warnings(out, total=total, unreadable=0), reader=f"pdfminer{pdfminer_version}"
    )


def _pdfminer_pages(document: PDFDocument) -> Iterator[tuple[str | None, str]]:
    from pdfminer.converter import TextConverter  # noqa: PLC0415 loaded when used
    from pdfminer.layout import LAParams  # noqa: PLC0415 loaded when used
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager  # noqa: PLC0415 loaded when used
    from pdfminer.pdfpage import PDFPage  # noqa: PLC0415 loaded when used

    resources = PDFResourceManager()
    for page in PDFPage.create_pages(document):
        sink = io.StringIO()
        device = TextConverter(resources, sink, laparams=LAParams())
        PDFPageInterpreter(resources, device).process_page(page)
        yield page.label, _tidy(_UNMAPPED.sub("\ufffd", sink.getvalue()))


def _pdfminer_facts(document: PDFDocument) -> dict[str, str]:
    from pdfminer.utils import decode_text  # noqa: PLC0415 loaded when used

    facts: dict[str, str] = {}
    for info in document.info:
        for key, value in info.items():
            if isinstance(value, bytes):
                facts[str(key)] = decode_text(value)
    return facts


def _tidy(text: str) -> str:
    """Normalise line ends and drop page-break and other control characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)
    return re.sub(r"[ \t]+\n", "\n", text).strip()


def _page_label(label: str, index: int, total: int) -> str:
    """Name a page as it is printed, with its place in the file where the two differ."""
    number = str(index + 1)
    label = one_line(label, 40)
    return number if not label or label == number else f"{label} ({number} of {total})"


def _warnings(out: TextBuilder, *, total: int, unreadable: int) -> tuple[str, ...]:
    found = []
    if unreadable:
        found.append(f"{unreadable} of {total} pages are damaged and could not be read")
    if not out.length:
        found.append(_NOTHING)
    return tuple(found)


def _pdf_parsed(out: TextBuilder, facts: dict[str, str], *, warnings: tuple[str, ...], reader: str) -> Parsed:
    title = one_line(facts.get("Title", ""), 500)
    return Parsed.of(
        out,
        title=None if _WORTHLESS_TITLE.match(title.lower()) else title or None,
        authors=authors_of(_SEPARATORS.split(facts.get("Author", ""))),
        published=_creation_date(facts.get("CreationDate", "")),
        warnings=warnings,
        reader=reader,
    )


def _creation_date(text: str) -> str | None:
    found = _PDF_DATE.match(text)
    return iso_date(f"{found[1]}-{found[2]}-{found[3]}") if found and found[2] and found[3] else None
