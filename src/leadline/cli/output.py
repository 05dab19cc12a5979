"""Where results go: stdout, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, cast

from leadline.cli.engine import Engine, Form
from leadline.cli.options import FORMATS
from leadline.cli.shell import write, write_bytes
from leadline.domain import Report
from leadline.errors import InputError, MissingPath
from leadline.research.reporting.plain import to_text
from leadline.telling.artefacts import paths

_SUFFIXES: Final[Mapping[str, str]] = {
    ".txt": "text",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".json": "json",
    ".docx": "docx",
    ".pdf": "pdf",
    ".bib": "bibtex",
    ".ris": "ris",
}

_BIBLIOGRAPHIES: Final = frozenset({"bibtex", "ris", "csl"})


def format_for(chosen: str | None, output: Path | None) -> Form:
    """Return the format that was chosen, else the one that the file's name tells, else text on a terminal.

    Markdown's escapes are for programs: a pipe and a file without an ending get it, a person does not.
    """
    if chosen is not None:
        return cast("Form", chosen)
    suffix = "" if output is None else output.suffix.lower()
    if not suffix or output is None:
        return "text" if output is None and sys.stdout.isatty() else "md"
    if suffix not in _SUFFIXES:
        raise InputError(f"no format is known for {output.name}; choose one with `--format`: " + ", ".join(FORMATS))
    return cast("Form", _SUFFIXES[suffix])


def check_form(engine: Engine, form: Form) -> None:
    """Raise `MissingExtra` where a form could not be made here, before anything was spent for it."""
    if form != "text":
        engine.check_format(form)


def _lines(text: str) -> bytes:
    return (text if not text or text.endswith("\n") else f"{text}\n").encode("utf-8", "backslashreplace")


def check_writable(output: Path | None) -> None:
    """Raise `MissingPath` where a result could not be written, before anything was spent."""
    if output is None:
        return
    folder = output.resolve().parent
    if not folder.is_dir() and not _is_device(output):
        raise MissingPath(f"the folder for the output does not exist: {folder}")
    if output.is_dir() or not os.access(output if _is_device(output) else folder, os.W_OK):
        raise MissingPath(f"the output cannot be written: {output}")


def _is_device(output: Path) -> bool:
    """Whether a path is a pipe, a terminal or the like; `/dev/stdout` may be one that resolves to no path."""
    return output.exists() and not output.is_file() and not output.is_dir()


class Printed(NamedTuple):
    """A report as it is printed, and what must lie beside its file: pictures that Markdown only names."""

    body: str | bytes
    beside: Mapping[str, bytes]


Result: TypeAlias = str | bytes | Printed


async def printed(
    engine: Engine, report: Report, form: Form, *, output: Path | None, say: Callable[[str], None]
) -> Printed:
    """Return a report in a form, with what belongs beside the file that it goes to; `say` hears what it lacks."""
    if form in _BIBLIOGRAPHIES and not report.sources:
        say(f"the report of run {report.run_id} cites no source, so there is nothing to list")
    if form == "text":
        beside = await engine.beside(report) if report.artefacts else {}
        names = paths(report)
        text = to_text(report, {names[place]: body for place, body in beside.items()})
        if output is None and sys.stdout.isatty():
            from leadline.cli.lines import to_columns  # noqa: PLC0415 only for a terminal

            text = to_columns(text)
        return Printed(text, {})
    wanted = output is not None and form == "md" and report.artefacts
    return Printed(await engine.render(report, form), await engine.beside(report) if wanted else {})


def deliver(result: Result, output: Path | None) -> None:
    """Write a result to stdout, or in one step to a file and what lies beside it. Raises `MissingPath`."""
    if isinstance(result, Printed):
        if output is not None:
            _lay_beside(output, result.beside)
        result = result.body
    if output is None:
        write_bytes(result) if isinstance(result, bytes) else write(result)
        return
    body = result if isinstance(result, bytes) else _lines(result)
    try:
        _put(output, body)
    except OSError as error:
        raise MissingPath(f"cannot write {output}: {error.strerror}") from error


def _put(output: Path, body: bytes) -> None:
    """Write a file in one step; a device or a pipe is written into, and a link's file instead of the link."""
    if _is_device(output):
        with output.open("wb") as device:
            device.write(body)
        return
    place = output.resolve()
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with temporary.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _lay_beside(output: Path, beside: Mapping[str, bytes]) -> None:
    for name, body in beside.items():
        place = output.parent / name
        _make_folder(place.parent)
        deliver(body, place)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise MissingPath(f"cannot make the folder {folder}: {error.strerror}") from error
