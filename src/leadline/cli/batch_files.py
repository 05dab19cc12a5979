"""A batch's files: questions in, answers out, and beside them which runs were begun.

OUT.jsonl only grows by whole lines. `OUT.jsonl.runs` holds a line for each run that was begun, so
that a batch that was cut off takes its runs up again instead of paying twice; it goes when every
question is answered. Its lock keeps a second batch from the same file.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeAlias

import orjson

from leadline.domain import StopReason
from leadline.errors import InputError, MissingPath, StoreFull

RowId: TypeAlias = str | int
"""A row's id, as its file has it."""

_LARGEST_LINE: Final = 4 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One question of a batch."""

    id: RowId
    question: str


def read_questions(path: Path) -> tuple[Row, ...]:
    """Return the rows of a JSON Lines file, empty lines left out.

    Raises `MissingPath`, and `InputError` with the line's number.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingPath(f"cannot read the questions {path}: {error.strerror}") from error
    rows: dict[RowId, Row] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        row = _question(line, f"{path}, line {number}")
        if row.id in rows:
            raise InputError(f"{path}, line {number}: the id was used before: {row.id}")
        rows[row.id] = row
    if not rows:
        raise InputError(f"{path} holds no question")
    return tuple(rows.values())


def _question(line: bytes, place: str) -> Row:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("question"), str):
        raise InputError(f'{place}: not of the form {{"id": "q1", "question": "..."}}')
    id_ = value.get("id")
    if isinstance(id_, bool) or not isinstance(id_, str | int) or id_ == "":
        raise InputError(f"{place}: `id` must be text or a whole number")
    if not value["question"].strip():
        raise InputError(f"{place}: the question is empty")
    return Row(id=id_, question=value["question"])


class Answers:
    """The output of a batch, open for one process. `answered` and `failed` are ids in it.

    A report that was written in spite of a failure counts as failed: asked again, there may be a
    better one. `spent` is what the answers in it cost, in US dollars.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.runs")
        self._out: BinaryIO | None = None
        self._runs: BinaryIO | None = None
        self._begun: dict[RowId, tuple[str, str]] = {}
        self.answered: set[RowId] = set()
        self.failed: set[RowId] = set()
        self.spent = 0.0

    def __enter__(self) -> Self:
        try:
            self._runs = _locked(self._beside)
            self._out = self._path.open("a+b")
            self._begun = dict(_begun(_whole_lines(self._runs)))
            self._count(_whole_lines(self._out))
        except OSError as error:
            self.__exit__()
            raise MissingPath(f"cannot write {self._path}: {error.strerror}") from error
        except InputError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._out, self._runs):
            if file is not None:
                file.close()

    def run_of(self, row: Row) -> str | None:
        """Return the run that was begun for this very question and is not in the output."""
        run_id, question = self._begun.get(row.id, ("", ""))
        return run_id if run_id and question == row.question else None

    def begin(self, row: Row, run_id: str) -> None:
        """Note that a run was begun, durably. Raises `StoreFull`."""
        self._begun[row.id] = (run_id, row.question)
        _append(self._runs, {"id": row.id, "run_id": run_id, "question": row.question})

    def write(self, row: Row, body: Mapping[str, Any]) -> None:
        """Append a row, whole and durable, `id` first. Raises `StoreFull`."""
        _append(self._out, {"id": row.id, **body})
        self._take(row.id, body)

    def forget_failures(self) -> None:
        """Take the failed rows out of the output, in one step, so that they are asked again."""
        if not self.failed or self._out is None:
            return
        kept = [line for line, value in _rows(_whole_lines(self._out), self._path) if not is_failed(value)]
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        temporary.write_bytes(b"".join(kept))
        temporary.replace(self._path)
        self._out.close()
        self._out = self._path.open("a+b")
        for id_ in self.failed:
            self._begun.pop(id_, None)
        self.failed.clear()

    def complete(self) -> None:
        """Remove what was only needed to go on."""
        self._beside.unlink(missing_ok=True)

    def _count(self, data: bytes) -> None:
        for _, value in _rows(data, self._path):
            self._take(value["id"], value)

    def _take(self, id_: RowId, body: Mapping[str, Any]) -> None:
        self.spent += cost_of(body)
        if not is_failed(body):
            self.answered.add(id_)
            self.failed.discard(id_)
        elif id_ not in self.answered:
            self.failed.add(id_)


def _locked(path: Path) -> BinaryIO:
    """Open a file for this process alone. Raises `InputError` where another has it."""
    while True:
        file = path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise InputError(f"another batch writes this output: {path.name}") from error
        with suppress(FileNotFoundError):
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        file.close()  # the batch that had it removed it in between


def _whole_lines(file: BinaryIO) -> bytes:
    """Return what a file holds, having cut a last line that a killed process left torn."""
    file.seek(0)
    data = file.read()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        file.truncate(end)
    return data[:end]


def _rows(data: bytes, path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: not JSON, so not a batch's output") from error
        if not isinstance(value, dict) or not isinstance(value.get("id"), str | int):
            raise InputError(f"{path}, line {number}: no `id`, so not a batch's output")
        yield line, value


def _begun(data: bytes) -> Iterator[tuple[RowId, tuple[str, str]]]:
    for line in data.splitlines():
        with suppress(orjson.JSONDecodeError, KeyError, TypeError):
            value = orjson.loads(line)
            yield value["id"], (value["run_id"], value["question"])


def _append(file: BinaryIO | None, value: Mapping[str, Any]) -> None:
    if file is None:
        raise RuntimeError("the output is written while it is open")
    try:
        file.write(orjson.dumps(value) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise StoreFull(f"cannot write {file.name}: {error.strerror}") from error


def is_failed(body: Mapping[str, Any]) -> bool:
    """Whether a row of the output holds a failure, or a report that was written in spite of one."""
    return "error" in body or "failure" in body or body.get("stop_reason") == StopReason.ERROR


def cost_of(body: Mapping[str, Any]) -> float:
    """Return what a row of the output cost, in US dollars."""
    usage = body.get("usage")
    value = usage.get("cost_usd") if isinstance(usage, dict) else None
    return float(value) if isinstance(value, int | float) else 0.0
