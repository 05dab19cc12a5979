"""The files of an evaluation: what is expected, a batch's output a variant and repetition, the summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from leadline.api.scoring import Expected
from leadline.domain import StrategyName
from leadline.errors import InputError, MissingPath, StoreFull

_PLAIN: Final = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A strategy, and a model where several are compared."""

    strategy: StrategyName
    model: str | None = None

    @property
    def name(self) -> str:
        """Its name in tables: `react`, or `react with qwen3`."""
        return f"{self.strategy} with {self.model}" if self.model else str(self.strategy)

    def wishes(self) -> dict[str, Any]:
        """Return what makes a run one of this variant, by field name of `Options`."""
        return {"strategy": self.strategy} | ({"model": self.model} if self.model else {})

    def file(self, folder: Path, repetition: int) -> Path:
        """Return where its rows of a repetition lie."""
        return folder / f"{_PLAIN.sub('-', self.name)}.{repetition}.jsonl"


def read_expected(path: Path) -> dict[str, Expected]:
    """Return what each question should be answered with, by id. Raises `InputError` with the line's number."""
    expected = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            row = orjson.loads(line)
            expected[str(row["id"])] = _expected(row, f"{path}, line {number}")
    return expected


def _expected(row: Mapping[str, Any], place: str) -> Expected:
    """Return what a row expects; `"answer": text` is one of `answers`, `"answer": null` says that there is none."""
    if "answer" in row and not {"answers", "answerable"} & row.keys():
        answer = row["answer"]
        row = {"answerable": False} if answer is None else {"answers": [answer]}
    answers, answerable = row.get("answers", []), row.get("answerable", True)
    if not isinstance(answers, list) or not all(isinstance(each, str) and each.strip() for each in answers):
        raise InputError(f"{place}: `answers` must be a list of texts")
    if not isinstance(answerable, bool):
        raise InputError(f"{place}: `answerable` must be true or false")
    if answers and not answerable:
        raise InputError(f"{place}: a question that cannot be answered has no `answers`")
    return Expected(answers=tuple(answers), answerable=answerable)


def read_bodies(paths: Sequence[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (question's id, report or failure) of batches' outputs; where a row came twice, the last one."""
    for path in paths:
        lines = path.read_bytes().splitlines() if path.exists() else []
        rows = [orjson.loads(line) for line in lines]
        yield from {str(row["id"]): row for row in rows}.items()


def make_folder(folder: Path) -> None:
    """Make the folder of an evaluation. Raises `MissingPath`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingPath(f"cannot make the folder {folder}: {error.strerror}") from error


def write_summary(folder: Path, figures: Mapping[str, Any], tables: str) -> None:
    """Write `summary.json` and `summary.md`. Raises `StoreFull`."""
    try:
        (folder / "summary.json").write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")
        (folder / "summary.md").write_text(tables, encoding="utf-8")
    except OSError as error:
        raise StoreFull(f"cannot write the summary in {folder}: {error.strerror}") from error
