"""Values of a table: the row and the column that a claim speaks of are those that the value stands in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from leadline.research.verification.statements import Fact, Statement
from leadline.research.verification.values import Finding, same
from leadline.research.verification.words import held_terms, holds, units

_BORDER: Final = "|"


class _Cell(NamedTuple):
    """A value of a table, the label of its row and the head of its column, and the other labels and heads."""

    fact: Fact
    label: str
    head: str
    labels: tuple[str, ...]
    heads: tuple[str, ...]


def check_cells(claim: Statement, evidence: Sequence[Statement]) -> list[Finding]:
    """Return the values of the claim that stand in another row or column than it says."""
    rows = [s for s in sorted(evidence, key=lambda s: (s.source_id, s.start)) if s.is_row]
    if not rows or not claim.facts:
        return []
    cells = [cell for _, table in groupby(rows, key=lambda s: s.source_id) for cell in _cells(list(table))]
    found = []
    for fact in claim.facts:
        equal = [cell for cell in cells if same(fact, cell.fact)]
        reasons = [_elsewhere(claim, fact, cell) for cell in equal]
        if reasons and all(reasons) and not _in_prose(fact, evidence):
            found.append(Finding("bearer", stands=False, conflict=False, reason=str(reasons[0]), statement=None))
    return found


def _in_prose(fact: Fact, evidence: Sequence[Statement]) -> bool:
    return any(same(fact, other) for s in evidence if not s.is_row for other in s.facts)


def _cells(rows: Sequence[Statement]) -> list[_Cell]:
    heads = _split(rows[0].text)
    labels = [_split(row.text)[0].strip() for row in rows[1:]]
    found = []
    for row, label in zip(rows[1:], labels, strict=True):
        for fact in row.facts:
            at = row.text[: fact.start].count(_BORDER) - 1
            if 0 < at < len(heads):
                others = tuple(head for index, head in enumerate(heads) if index not in {0, at})
                found.append(_Cell(fact, label, heads[at], tuple(one for one in labels if one != label), others))
    return found


def _split(row: str) -> list[str]:
    return row.strip().strip(_BORDER).split(_BORDER)


def _elsewhere(claim: Statement, fact: Fact, cell: _Cell) -> str | None:
    value = fact.raw.strip()
    if not _spoken(claim, cell.label) and any(_spoken(claim, other) for other in cell.labels):
        return f"in the table {value} stands in the row {cell.label}"
    if not _spoken(claim, cell.head) and any(_spoken(claim, other) for other in cell.heads):
        return f"in the table {value} stands in the column {cell.head.strip()}"
    return None


def _spoken(claim: Statement, name: str) -> bool:
    """Whether the claim uses the words of a label; its figures count as well."""
    wanted = units(name)
    held = claim.held | held_terms(claim.text)
    return bool(wanted) and sum(holds(unit, held) for unit in wanted) * 2 > len(wanted)
