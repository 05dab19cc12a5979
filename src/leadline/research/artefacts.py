"""Pictures and files that programs of a run made: read from outcomes, titled, and bounded for a report.

A tool that runs programs records `files` (name, hash, size, type) and `program`, the hash of the
program's text. Everything here is data of a stranger: a model wrote the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from leadline.domain import Artefact, Json, ToolCall
from leadline.text.clean import squeeze

MOST: Final = 24
"""Artefacts that a report names; the latest are kept."""

MOST_BYTES: Final = 32 << 20
"""Bytes of all that a report names, together."""

_CAPTION: Final = 200
_CODE_READ: Final = 200_000
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# A literal title as plotting libraries take it, in one pair of quotation marks.
_TITLE: Final = re.compile(
    r"(?:suptitle|title)[ \t]{0,4}[=(][ \t]{0,4}[rRuU]?(?:\"(?P<double>[^\"\n]{1,300})\"|'(?P<single>[^'\n]{1,300})')"
)
_SAVED: Final = re.compile(r"savefig[ \t]{0,4}\(")


def made_by(call: ToolCall, value: Json) -> Iterator[Artefact]:
    """Yield the files that a call's recorded result names, with the titles that its program gave them."""
    program = value.get("program") if isinstance(value, dict) else None
    if not _is_hash(program):
        return
    code = call.arguments.get("code")
    text = code[:_CODE_READ] if isinstance(code, str) else ""
    for file in _files(value):
        picture = file["media_type"] == "image/png"
        yield Artefact(
            name=file["name"],
            sha256=file["sha256"],
            media_type=file["media_type"],
            size=file["size"],
            program=str(program),
            caption=_title(text, file["name"]) if picture else "",
        )


def bodies(value: Json) -> Iterator[str]:
    """Yield the hashes of the bodies that a tool's recorded result names: files and their program."""
    program = value.get("program") if isinstance(value, dict) else None
    if isinstance(program, str) and _is_hash(program):
        yield program
    yield from (file["sha256"] for file in _files(value))


def bounded(made: Sequence[Artefact]) -> tuple[Artefact, ...]:
    """Return the latest that a report has room for, in order; what is larger than that is passed over."""
    kept: list[Artefact] = []
    room = MOST_BYTES
    for one in reversed(made):
        if len(kept) < MOST and one.size <= room:
            kept.append(one)
            room -= one.size
    return tuple(reversed(kept))


def _title(code: str, name: str) -> str:
    """Return the title that stands last before the place where the program names the file, if it names it."""
    at = code.rfind(name)
    if at < 0:
        return ""
    earlier = [saved.end() for saved in _SAVED.finditer(code, 0, at)][:-1]
    # What was saved before had its own title: only one given since then is this file's.
    given = [found["double"] or found["single"] for found in _TITLE.finditer(code, earlier[-1] if earlier else 0, at)]
    return squeeze(given[-1], limit=_CAPTION) if given else ""


def _files(value: Json) -> Iterator[dict[str, Any]]:
    found = value.get("files") if isinstance(value, dict) else None
    for file in found if isinstance(found, list) else ():
        if isinstance(file, dict) and _is_whole(file):
            yield file


def _is_whole(file: dict[str, Any]) -> bool:
    texts = (file.get("name"), file.get("media_type"))
    size = file.get("size")
    return all(isinstance(t, str) for t in texts) and _is_hash(file.get("sha256")) and isinstance(size, int)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None
