"""Jupyter notebooks: prose, code and printed results, cell by cell (nbformat 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from leadline.errors import BrokenDocument
from leadline.extract.builder import TextBuilder
from leadline.extract.decode import decode
from leadline.extract.plain import markdown_headings
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_OUTPUT: Final = 20_000


def parse_notebook(job: Job) -> Parsed:
    """Read a notebook; raises `BrokenDocument` where it is none."""
    try:
        notebook = orjson.loads(decode(job.raw).text)
    except orjson.JSONDecodeError as error:
        msg = f"it is no JSON: {error}"
        raise BrokenDocument(msg) from error
    if not isinstance(notebook, dict):
        msg = "it is no notebook: the outermost value is no object"
        raise BrokenDocument(msg)
    out = TextBuilder(job.limits.chars)
    title: str | None = None
    for number, cell in enumerate(_cells(notebook), 1):
        out.mark("cell", str(number))
        source = _joined(cell.get("source", cell.get("input")))
        start = out.add(source)
        if cell.get("cell_type") == "markdown":
            for offset, level, heading in markdown_headings(source):
                out.section(start + offset, level, heading)
                title = title or heading
        for text in _outputs(cell):
            out.add(text)
    return Parsed.of(out, title=title, language=None)


def _cells(notebook: dict[str, object]) -> Iterator[dict[str, object]]:
    sheets = notebook.get("worksheets")
    holders = [notebook, *(sheets if isinstance(sheets, list) else [])]
    for holder in holders:
        cells = holder.get("cells") if isinstance(holder, dict) else None
        yield from (cell for cell in (cells if isinstance(cells, list) else []) if isinstance(cell, dict))


def _outputs(cell: dict[str, object]) -> Iterator[str]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        plain = data.get("text/plain") if isinstance(data, dict) else None
        text = _joined(output.get("text") or plain).rstrip()
        if text:
            yield text[:_LONGEST_OUTPUT]


def _joined(value: object) -> str:
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""
