"""What kind of file is it: by its first bytes, then its name, then what the sender says."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

HEAD: Final = 1 << 16

PDF: Final = "application/pdf"
HTML: Final = "text/html"
XHTML: Final = "application/xhtml+xml"
PLAIN: Final = "text/plain"
MARKDOWN: Final = "text/markdown"
RST: Final = "text/x-rst"
CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
JSON: Final = "application/json"
JSON_LINES: Final = "application/x-ndjson"
NOTEBOOK: Final = "application/x-ipynb+json"
MAIL: Final = "message/rfc822"
EPUB: Final = "application/epub+zip"
ZIP: Final = "application/zip"
OLE: Final = "application/x-ole-storage"
XML: Final = "application/xml"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
DOCX: Final = _OFFICE + "wordprocessingml.document"
PPTX: Final = _OFFICE + "presentationml.presentation"
XLSX: Final = _OFFICE + "spreadsheetml.sheet"

# Names of members by which a zip archive is known for what it is.
ZIP_MEMBERS: Final = (
    ("word/document.xml", DOCX),
    ("ppt/presentation.xml", PPTX),
    ("xl/workbook.xml", XLSX),
    ("META-INF/container.xml", EPUB),
)
# Strict and unusual packages name their main part otherwise; the folder still tells.
_ZIP_FOLDERS: Final = ((b"word/", DOCX), (b"ppt/", PPTX), (b"xl/", XLSX))
_ZIP_BASED: Final = frozenset({DOCX, PPTX, XLSX, EPUB})

_MAGIC: Final = (
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF", "application/x-riff"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x7fELF", "application/x-executable"),
    (b"%!PS", "application/postscript"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x00asm", "application/wasm"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
)

_EXTENSIONS: Final = {
    "pdf": PDF,
    "docx": DOCX,
    "docm": DOCX,
    "dotx": DOCX,
    "pptx": PPTX,
    "pptm": PPTX,
    "ppsx": PPTX,
    "xlsx": XLSX,
    "xlsm": XLSX,
    "epub": EPUB,
    "html": HTML,
    "htm": HTML,
    "shtml": HTML,
    "xhtml": XHTML,
    "xht": XHTML,
    "txt": PLAIN,
    "text": PLAIN,
    "log": "text/x-log",
    "md": MARKDOWN,
    "markdown": MARKDOWN,
    "mkd": MARKDOWN,
    "mdx": MARKDOWN,
    "qmd": MARKDOWN,
    "rst": RST,
    "rest": RST,
    "csv": CSV,
    "tsv": TSV,
    "tab": TSV,
    "json": JSON,
    "geojson": JSON,
    "jsonl": JSON_LINES,
    "ndjson": JSON_LINES,
    "ipynb": NOTEBOOK,
    "eml": MAIL,
    "xml": XML,
}

# Source code and configuration: text with line numbers.
_SOURCE_NAMES: Final = {
    "text/x-python": "py pyi pyx pyw",
    "text/x-c": "c h",
    "text/x-c++": "cc cpp cxx hh hpp hxx ipp cu cuh",
    "text/x-java": "java",
    "text/x-kotlin": "kt kts",
    "text/x-scala": "scala sc",
    "text/x-csharp": "cs",
    "text/x-go": "go",
    "text/x-rust": "rs",
    "text/x-swift": "swift",
    "text/x-zig": "zig",
    "text/javascript": "js mjs cjs jsx",
    "text/x-typescript": "ts tsx mts cts",
    "text/x-ruby": "rb",
    "text/x-perl": "pl pm",
    "text/x-php": "php",
    "text/x-lua": "lua",
    "text/x-r": "r",
    "text/x-julia": "jl",
    "text/x-haskell": "hs",
    "text/x-ocaml": "ml mli",
    "text/x-elixir": "ex exs",
    "text/x-erlang": "erl hrl",
    "text/x-clojure": "clj cljs edn",
    "text/x-lisp": "lisp el scm rkt",
    "text/x-shellscript": "sh bash zsh fish",
    "text/x-powershell": "ps1 psm1",
    "text/x-sql": "sql",
    "text/x-fortran": "f f90 f95 for",
    "text/x-asm": "asm s",
    "text/x-makefile": "mk mak",
    "text/x-cmake": "cmake",
    "text/css": "css scss sass less",
    "text/x-tex": "tex sty cls bib",
    "text/x-proto": "proto",
    "text/x-graphql": "graphql gql",
    "text/x-terraform": "tf hcl",
    "text/x-nix": "nix",
    "text/x-vue": "vue svelte",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
    "text/x-ini": "ini cfg conf properties",
    "text/x-diff": "diff patch",
    "text/troff": "1 2 3 4 5 6 7 8 man roff",
    "text/asciidoc": "adoc asciidoc",
    "text/x-org": "org",
    "text/x-texinfo": "texi texinfo",
    "application/x-subrip": "srt",
    "text/vtt": "vtt",
}
SOURCE_TYPES: Final = frozenset(_SOURCE_NAMES)
_BY_EXTENSION: Final = _EXTENSIONS | {
    extension: media_type for media_type, names in _SOURCE_NAMES.items() for extension in names.split()
}
_BY_NAME: Final = {
    "makefile": "text/x-makefile",
    "dockerfile": "text/x-dockerfile",
    "readme": PLAIN,
    "license": PLAIN,
    "licence": PLAIN,
    "copying": PLAIN,
    "changelog": PLAIN,
    "authors": PLAIN,
    "news": PLAIN,
    "todo": PLAIN,
}

_HTML_START: Final = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_TAG: Final = re.compile(rb"<(?:body|head|div|p|title|table|main|article|h1|script|meta|a\s)[\s>]?", re.IGNORECASE)
_XML_START: Final = re.compile(rb"^(?:\xef\xbb\xbf)?\s*<\?xml\b", re.IGNORECASE)
_VAGUE: Final = frozenset({"application/octet-stream", "binary/octet-stream", "application/unknown", "text/plain"})
_CONTROLS: Final = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_MOST_CONTROLS: Final = 0.02


def media_type(name: str | None, head: bytes, declared: str | None) -> str | None:
    """Name the media type, or `None` for binary data of no known kind.

    head: the first bytes, `HEAD` of them or all. Binary kinds are known by their bytes alone;
    kinds of text look alike, so there the name or the declaration decides.
    """
    binary = _by_magic(head)
    if binary == ZIP:
        return _zip_type(name, head, declared)
    if binary:
        return binary
    if not looks_like_text(head):
        return None
    return _text_type(name, head, _bare(declared))


def looks_like_text(head: bytes) -> bool:
    """Whether the bytes can be text: UTF-16 by its mark or zeros, others by having few controls."""
    if not head or head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        return True
    if b"\x00" in head:
        even, odd = head[::2].count(0), head[1::2].count(0)
        half = len(head) / 2
        few, many = 0.05 * half, 0.4 * half
        return (even <= few and odd >= many) or (odd <= few and even >= many)
    return len(_CONTROLS.findall(head)) <= _MOST_CONTROLS * len(head)


def by_extension(name: str | None) -> str | None:
    """Media type that a file name or URL path promises."""
    if not name:
        return None
    base = PurePosixPath(name.replace("\\", "/")).name.lower()
    _, dot, extension = base.rpartition(".")
    return (_BY_EXTENSION.get(extension) if dot else None) or _BY_NAME.get(base.partition(".")[0])


def _bare(declared: str | None) -> str | None:
    return declared.partition(";")[0].strip().lower() if declared else None


def _by_magic(head: bytes) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZIP
    # Readers accept junk of up to 1,024 bytes before the mark (ISO 32000-1, annex H).
    if b"%PDF-" in head[:1024]:
        return PDF
    if len(head) > 11 and head[4:8] == b"ftyp":
        return "video/mp4"
    for magic, media in _MAGIC:
        if head.startswith(magic) and (b"\x00" in magic or not _is_plain_word(magic, head)):
            return media
    return None


def _is_plain_word(magic: bytes, head: bytes) -> bool:
    """Short letter marks (`ID3`, `BZh`, `RIFF`) also begin ordinary text."""
    return magic.isalnum() and looks_like_text(head)


def _zip_type(name: str | None, head: bytes, declared: str | None) -> str:
    if b"mimetypeapplication/epub+zip" in head[:128]:
        return EPUB
    for member, media in ZIP_MEMBERS:
        if member.encode() in head:
            return media
    promised = by_extension(name)
    if promised in _ZIP_BASED:
        return promised
    for folder, media in _ZIP_FOLDERS:
        if b"[Content_Types].xml" in head and folder in head:
            return media
    bare = _bare(declared)
    return bare if bare in _ZIP_BASED else ZIP


def _text_type(name: str | None, head: bytes, declared: str | None) -> str:
    if _HTML_START.match(head[:4096]):
        return XHTML if declared == XHTML else HTML
    promised = by_extension(name)
    if declared in {HTML, XHTML} and _TAG.search(head):
        return declared
    if promised and promised not in _ZIP_BASED and promised != PDF:
        return promised
    if declared and declared not in _VAGUE and _is_textual(declared):
        return declared
    return XML if _XML_START.match(head[:1024]) else PLAIN


def _is_textual(declared: str) -> bool:
    return (
        declared.startswith("text/") or declared in {JSON, JSON_LINES, NOTEBOOK, MAIL, XML} or declared in SOURCE_TYPES
    )
