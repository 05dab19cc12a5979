"""A report in each of its forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from leadline.api.keeping import LOCAL, artefact_bodies
from leadline.domain import Report
from leadline.render.bibliography import to_bibtex, to_csl, to_ris
from leadline.render.docx import to_docx
from leadline.render.pdf import require, to_pdf
from leadline.research.reporting.html import to_html
from leadline.research.reporting.markdown import to_markdown
from leadline.research.reporting.report import to_json
from leadline.wiring import Platform

TextFormat: TypeAlias = Literal["md", "html", "json", "bibtex", "ris", "csl"]
BinaryFormat: TypeAlias = Literal["docx", "pdf"]
Format: TypeAlias = TextFormat | BinaryFormat

CLAIM_CHARS: Final = 400
"""Characters that a claim with its citations counts as, where work beside the loop is estimated."""

_FORMS: Final[Mapping[str, Callable[[Report, Mapping[str, bytes]], str | bytes]]] = MappingProxyType(
    {
        "md": to_markdown,
        "docx": to_docx,
        "pdf": to_pdf,
    }
)
_BIBLIOGRAPHIES: Final[Mapping[str, Callable[[Report], str]]] = MappingProxyType(
    {
        "bibtex": to_bibtex,
        "ris": to_ris,
        "csl": to_csl,
    }
)


def check_format(form: Format) -> None:
    """Raise `MissingExtra` where this machine lacks the libraries for a form, before anything was spent for it."""
    if form == "pdf":
        require()


async def rendered(platform: Platform, report: Report, form: Format, *, tenant: str = LOCAL) -> str | bytes:
    """Return a tenant's report in a form: bytes for `docx` and `pdf`, text for the others.

    Raises `MissingExtra` where a library or a font for the report's script is not installed.
    """
    if form == "json":
        return to_json(report).decode()
    if form == "html":
        texts = {s.id: (await platform.blobs.get(tenant, s.sha256)).decode() for s in report.sources}
        bodies = await artefact_bodies(platform, report, tenant=tenant)
        size = sum(map(len, texts.values())) + sum(map(len, bodies.values()))
        return await platform.cpu.run(to_html, report, texts, bodies, size=size)
    size = CLAIM_CHARS * (len(report.claims) + len(report.sources))
    if form in _BIBLIOGRAPHIES:
        return await platform.cpu.run(_BIBLIOGRAPHIES[form], report, size=size)
    bodies = await artefact_bodies(platform, report, tenant=tenant)
    size += sum(map(len, bodies.values()))
    # Fonts are read and laid out: never a matter of milliseconds.
    return await platform.cpu.run(_FORMS[form], report, bodies, size=size if form != "pdf" else size + 100_000)
