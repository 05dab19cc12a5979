"""The files that go into a sandbox and those that come out: by plain name, under caps, typed by us."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from leadline.errors import InvalidArguments
from leadline.ports import OutFile, Program
from leadline.sandbox.png import SIGNATURE, NotPng, encoded_anew
from leadline.sandbox.types import Limits
from leadline.text.clean import visible

# One plain name: no folder, no leading point or dash, nothing that hides or turns text.
_NAME: Final = re.compile(r"\w[\w .()+=,@-]{0,99}")
_TEXTS: Final = (
    (".csv", "text/csv"),
    (".tsv", "text/tab-separated-values"),
    (".txt", "text/plain"),
    (".md", "text/plain"),
    (".log", "text/plain"),
)
OCTETS: Final = "application/octet-stream"


def is_name(name: str) -> bool:
    """Whether a file may be called so."""
    return _NAME.fullmatch(name) is not None and visible(name) == name and not name.endswith((" ", "."))


def check(program: Program, limits: Limits) -> None:
    """Raise `InvalidArguments` for what is above the limits or has no plain name."""
    if len(program.code.encode("utf-8", "surrogatepass")) > limits.code:
        raise InvalidArguments(f"the program is longer than {limits.code} bytes")
    if len(program.files) > limits.files_count:
        raise InvalidArguments(f"{len(program.files)} files are too many; at most {limits.files_count} may go in")
    if sum(map(len, program.files.values())) > limits.files_in:
        raise InvalidArguments(f"the files together are larger than {limits.files_in} bytes")
    for name in program.files:
        if not is_name(name):
            raise InvalidArguments(f"a file cannot be called {name[:100]!r}; use letters, digits, `_`, `-` and `.`")
    if not 0 < program.timeout <= limits.seconds:
        raise InvalidArguments(f"the timeout must be above 0 and at most {limits.seconds:g} s: {program.timeout:g}")


def typed(found: Iterable[tuple[str, bytes]], limits: Limits) -> tuple[tuple[OutFile, ...], bool]:
    """Return what may come out, and whether anything had to stay. CPU work where there are images."""
    files: dict[str, OutFile] = {}
    room, complete = limits.files_out, True
    for name, data in sorted(found):
        fits = is_name(name) and len(data) <= min(limits.file_out, room) and len(files) < limits.files_count
        complete = complete and fits
        if fits:
            room -= len(data)
            files[name] = _typed(name, data)
    return tuple(files.values()), not complete


def _typed(name: str, data: bytes) -> OutFile:
    if data.startswith(SIGNATURE):
        try:
            return OutFile(name=name, data=encoded_anew(data), media_type="image/png")
        except NotPng:
            return OutFile(name=name, data=data, media_type=OCTETS)
    return OutFile(name=name, data=data, media_type=_text_type(name.lower(), data) or OCTETS)


def _text_type(name: str, data: bytes) -> str | None:
    """Return the type of a text, which is never one that a browser would run."""
    kinds: Mapping[str, str] = dict(_TEXTS)
    _, point, ending = name.rpartition(".")
    ending = point + ending if point else ""
    try:
        if ending == ".json":
            orjson.loads(data)
            return "application/json"
        if ending in kinds and b"\0" not in data:
            data.decode()
            return kinds[ending]
    except ValueError:
        return None
    return None
