"""Paths of documents to addresses and back.

A local document of a command-line run has a `file:` URI (RFC 8089, percent-encoded from the
bytes of its path); elsewhere its address is `document:{corpus}/{name}` and shows no path.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol
from urllib.parse import quote, unquote_to_bytes

AddressKind = Literal["file", "document"]

SAFE: Final = "/-._~!$&'()*+,=:@"
"""What stays as it is in the address of a document."""

_LOCAL_HOSTS: Final = ("", "localhost")


def real(path: str | Path) -> str:
    """Return `path` absolute, with links resolved, as the walk names what lies under it."""
    return os.path.realpath(Path(path).expanduser())


def corpus_id(roots: Iterable[str | Path]) -> str:
    """Return the id of the corpus made of these files and folders, whatever their order."""
    return id_of(real(root) for root in roots)


def id_of(places: Iterable[str]) -> str:
    """Return `corpus_id` of what is real already, without a look at the disk."""
    joined = b"\0".join(os.fsencode(place) for place in sorted(set(places)))
    return "c" + hashlib.blake2b(joined, digest_size=8).hexdigest()


def file_uri(path: str | Path) -> str:
    """Return the `file:` URI of an absolute path; names that are not UTF-8 survive."""
    return "file://" + quote(os.fsencode(path), safe=SAFE)


def file_path(uri: str) -> str | None:
    """Return the path of a local `file:` URI, `None` for any other address.

    `file:/path`, `file:///path` and `file://localhost/path` are the same file.
    """
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme.lower() != "file" or "\0" in uri:
        return None
    if rest.startswith("//"):
        host, slash, tail = rest[2:].partition("/")
        if host.lower() not in _LOCAL_HOSTS:
            return None
        rest = slash + tail
    path = os.fsdecode(unquote_to_bytes(rest.partition("?")[0].partition("#")[0]))
    return os.path.normpath(path) if path.startswith("/") and "\0" not in path else None


def shown(path: str) -> str:
    """Return a path fit for a message: bytes that are no text are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


class Addresses(Protocol):
    """How the documents of one corpus are called from outside."""

    def uri(self, path: str) -> str:
        """Return the address of the document at an absolute path."""
        ...

    def known(self, uri: str) -> str | None:
        """Return the canonical form of an address that may lie in this corpus, else `None`."""
        ...

    def name(self, path: str) -> str:
        """Return what a person calls the document: a path only where paths may be shown."""
        ...


class FileAddresses:
    """`file:` URIs of what lies at or under the roots."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = tuple(roots)

    def uri(self, path: str) -> str:
        return file_uri(path)

    def known(self, uri: str) -> str | None:
        path = file_path(uri)
        if path is None or not any(_under(path, root) for root in self._roots):
            return None
        return file_uri(path)

    def name(self, path: str) -> str:
        return shown(path)


class DocumentAddresses:
    """`document:{corpus}/{name}`, the name being relative to its root.

    With several roots each name begins with its root's own name, numbered where two are alike.
    """

    def __init__(self, corpus: str, roots: Sequence[str]) -> None:
        self._prefix = f"document:{corpus}/"
        self._roots = _labelled(roots)

    def uri(self, path: str) -> str:
        return self._prefix + quote(os.fsencode(self._relative(path)), safe=SAFE)

    def known(self, uri: str) -> str | None:
        if not uri.startswith(self._prefix):
            return None
        name = unquote_to_bytes(uri[len(self._prefix) :])
        return self._prefix + quote(name, safe=SAFE)

    def name(self, path: str) -> str:
        return shown(self._relative(path))

    def _relative(self, path: str) -> str:
        for root, label in self._roots:
            if path == root:
                return label or Path(path).name
            if _under(path, root):
                inner = path[len(root.rstrip("/")) + 1 :]
                return f"{label}/{inner}" if label else inner
        return Path(path).name


def addresses(kind: AddressKind, corpus: str, roots: Sequence[str]) -> Addresses:
    """Return the addresses of a corpus over `roots` (absolute paths)."""
    return FileAddresses(roots) if kind == "file" else DocumentAddresses(corpus, roots)


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _labelled(roots: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if len(roots) == 1:
        return ((roots[0], ""),)
    taken: dict[str, int] = {}
    labelled = []
    for root in roots:
        base = Path(root).name or "root"
        taken[base] = taken.get(base, 0) + 1
        labelled.append((root, base if taken[base] == 1 else f"{base}-{taken[base]}"))
    return tuple(labelled)
