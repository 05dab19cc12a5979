"""The static files of the Web UI, read once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Final

INDEX: Final = "index.html"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What the page may do. No text can become markup: there is no policy that would make trusted HTML."""

_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "html": "text/html; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StaticFile:
    """A file as it is served. `etag` is a strong validator (RFC 9110, 8.8.3)."""

    body: bytes
    media_type: str
    etag: str


def static_files() -> Mapping[str, StaticFile]:
    """Return all files by name; read them once, before any loop runs."""
    return _files("static")


def runbook_files() -> Mapping[str, StaticFile]:
    """Return the runbooks by the names that alerts have for them; read them once, before any loop runs."""
    return MappingProxyType({name.removesuffix(".html"): page for name, page in _files("runbooks").items()})


def _files(name: str) -> Mapping[str, StaticFile]:
    folder = files(__name__.rpartition(".")[0]).joinpath(name)
    found = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name.rpartition(".")[2] in _TYPES}
    return MappingProxyType({name: _file(name, body) for name, body in sorted(found.items())})


def _file(name: str, body: bytes) -> StaticFile:
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:18]).decode()
    return StaticFile(body=body, media_type=_TYPES[name.rpartition(".")[2]], etag=f'"{digest}"')
