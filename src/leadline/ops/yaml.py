"""Values as YAML that people read: block style, JSON's scalars, texts of several lines as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from leadline.codec import encode
from leadline.domain import Json

_PLAIN: Final = re.compile(r"[A-Za-z_/][\w./-]*(?: [\w./-]+)*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def yaml_text(value: Mapping[str, Json], *, head: str = "") -> str:
    """Return a document, each line of `head` before it as a comment."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    return comment + "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Mapping[str, Json] | Sequence[Json]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            first, *rest = _entry(inner)
            yield f"{_scalar(name)}:{first}"
            yield from rest
        return
    for inner in value:
        first, *rest = _lines(inner) if isinstance(inner, dict | list) and inner else [_scalar(inner)]
        yield f"- {first}"
        yield from (f"  {line}".rstrip() for line in rest)


def _entry(value: Json) -> list[str]:
    """Return what stands behind a name, and the lines below it."""
    if isinstance(value, str) and "\n" in value:
        ends = "|" if value.endswith("\n") else "|-"
        return [f" {ends}", *(f"  {line}".rstrip() for line in value.rstrip("\n").split("\n"))]
    if isinstance(value, dict | list) and value:
        return ["", *(f"  {line}".rstrip() for line in _lines(value))]
    return [f" {_scalar(value)}"]


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if isinstance(value, str) and '"' in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"  # nothing else is special between single quotes
    return encode(value).decode()
