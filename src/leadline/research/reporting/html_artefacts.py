"""Pictures and files that programs made, in the page: each in the file itself, with the program below it."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import Final

from leadline.domain import Artefact, Report
from leadline.research.reporting.contexts import shown as plain
from leadline.telling.artefacts import Group, Shown, groups, listing, title
from leadline.telling.wording import word

MOST_LINES: Final = 2_000
"""Lines of a program that the page lists."""

_LARGEST_FILE: Final = 1 << 20
"""Bytes of a file that is no picture and still lies in the page."""

_PASSIVE: Final = frozenset({"text/csv", "text/tab-separated-values", "text/plain", "application/json"})
"""Types that no browser runs; everything else is handed over as bytes without a type."""


def artefacts(report: Report, bodies: Mapping[str, bytes]) -> str:
    """Return the section of what programs made, empty where they made nothing.

    A picture is one that we encoded; a body that is not at hand is said to be so.
    """
    made = groups(report)
    if not made:
        return ""
    language = report.language
    inner = "\n".join(_group(group, bodies, language) for group in made)
    told = f'<p class="where">{_word("computed", language)}</p>'
    return f"<section><h2>{_word('artefacts', language)}</h2>{told}\n{inner}</section>"


def has_pictures(report: Report) -> bool:
    """Whether the page must be allowed to show pictures that lie in it."""
    return any(one.number is not None for group in groups(report) for one in group.shown)


def _group(group: Group, bodies: Mapping[str, bytes], language: str) -> str:
    parts = [_shown(one, bodies.get(one.made.sha256), language) for one in group.shown]
    lines, more = listing(bodies.get(group.program), most=MOST_LINES)
    if lines:
        rest = f"\n{_word('more_lines', language).format(f'{more:,}')}" if more else ""
        # A line feed right after <pre> is dropped by parsers: this one, not the text's own.
        code = f'<pre class="text" dir="ltr" tabindex="0">\n{_text(chr(10).join(lines))}{rest}</pre>'
        parts.append(f"<details><summary>{_word('program', language)}</summary>{code}</details>")
    return f'<div class="made">{"".join(parts)}</div>'


def _shown(one: Shown, body: bytes | None, language: str) -> str:
    told = f'<bdi>{_text(title(one, language))}</bdi> <span class="where">SHA-256 {one.made.sha256[:16]}…</span>'
    if body is None:
        return f'<p>{told} <span class="warning">{_word("gone", language)}</span></p>'
    if one.number is None:
        return f"<p>{_link(one.made, body, told)}</p>"
    data = f"data:image/png;base64,{base64.b64encode(body).decode()}"
    alt = _text(title(one, language))
    return f'<figure id="f{one.number}"><img src="{data}" alt="{alt}"><figcaption>{told}</figcaption></figure>'


def _link(made: Artefact, body: bytes, told: str) -> str:
    """Return a link that saves the file; a large one is only named."""
    if len(body) > _LARGEST_FILE:
        return told
    kind = made.media_type if made.media_type in _PASSIVE else "application/octet-stream"
    data = f"data:{kind};base64,{base64.b64encode(body).decode()}"
    return f'<a href="{data}" download="{_text(made.name)}">{told}</a>'


def _word(key: str, language: str) -> str:
    return _text(word(key, language))


def _text(value: str) -> str:
    return html.escape(plain(value), quote=True)
