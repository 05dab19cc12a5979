"""Variants of the engine beside each other: what each scored, how sure that is, and how they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from leadline.api.scoring import MEASURES, Expected, Score, score
from leadline.api.statistics import Difference, Mean, difference, mean

SCHEMA: Final = "leadline.evaluation/1"

_SHARES: Final = ("right", "answered", "f1", "supported", "cited", "contradicted", "silent", "failed")
_AMOUNTS: Final = ("tokens", "cost_usd", "seconds", "tool_calls")


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one variant came to: means over questions, each question's value a mean over its repetitions."""

    variant: str
    means: Mapping[str, Mean]
    verdicts: Mapping[str, int]
    stops: Mapping[str, int]
    values: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """How a variant differs from the baseline in a measure, over the questions that both answered."""

    variant: str
    baseline: str
    measure: str
    difference: Difference


def result(variant: str, bodies: Sequence[tuple[str, Mapping[str, Any]]], expected: Mapping[str, Expected]) -> Result:
    """Return what a variant came to from its rows, (question's id, report's JSON or failure) each."""
    scores: dict[str, list[Score]] = {}
    for id_, body in bodies:
        scores.setdefault(id_, []).append(score(body, expected[id_]))
    verdicts: Counter[str] = Counter()
    stops: Counter[str] = Counter()
    for each in (one for several in scores.values() for one in several):
        verdicts.update(each.verdicts)
        stops[each.stop] += 1
    values = {name: _values(name, scores) for name in MEASURES}
    return Result(
        variant=variant,
        means={name: mean(list(found.values())) for name, found in values.items() if found},
        verdicts=dict(verdicts),
        stops=dict(stops),
        values={name: found for name, found in values.items() if found},
    )


def comparisons(results: Sequence[Result], *, baseline: str) -> list[Comparison]:
    """Return how every other variant differs from the baseline in each measure that both have."""
    [base] = [each for each in results if each.variant == baseline]
    found = []
    for each in results:
        for name in _SHARES if each is not base else ():
            ids = sorted(each.values.get(name, {}).keys() & base.values.get(name, {}).keys())
            if ids:
                apart = difference([each.values[name][i] for i in ids], [base.values[name][i] for i in ids])
                found.append(Comparison(variant=each.variant, baseline=baseline, measure=name, difference=apart))
    return found


def as_json(results: Sequence[Result], compared: Sequence[Comparison]) -> dict[str, Any]:
    """Return all figures as JSON: each question's values, means, comparisons, and what the measures mean."""
    return {
        "schema": SCHEMA,
        "measures": dict(MEASURES),
        "results": [asdict(each) for each in results],
        "comparisons": [asdict(each) for each in compared],
    }


def as_markdown(results: Sequence[Result], compared: Sequence[Comparison]) -> str:
    """Return the figures as tables. A mean stands before its 95 % interval; a difference before its p."""
    names = [name for name in (*_SHARES, *_AMOUNTS) if any(name in each.means for each in results)]
    blocks = [_table(["variant", "questions", *names], [_row(each, names) for each in results])]
    if compared:
        rows = [_compared(each) for each in compared if each.difference.value or each.measure == "right"]
        heads = ["variant", "against", "measure", "difference", "95 %", "p", "questions"]
        blocks.append(_table(heads, rows) if rows else "No measure differs.")
    verdicts = sorted({name for each in results for name in each.verdicts})
    if verdicts:
        rows = [[each.variant, *(str(each.verdicts.get(name, 0)) for name in verdicts)] for each in results]
        blocks.append(_table(["claims", *verdicts], rows))
    stops = sorted({name for each in results for name in each.stops})
    rows = [[each.variant, *(str(each.stops.get(name, 0)) for name in stops)] for each in results]
    blocks.append(_table(["ended by", *stops], rows))
    return "\n\n".join(blocks) + "\n"


def _values(name: str, scores: Mapping[str, Sequence[Score]]) -> dict[str, float]:
    found = {id_: [each.measures[name] for each in several if name in each.measures] for id_, several in scores.items()}
    return {id_: sum(values) / len(values) for id_, values in found.items() if values}


def _row(each: Result, names: Sequence[str]) -> list[str]:
    questions = max((len(found) for found in each.values.values()), default=0)
    return [each.variant, str(questions), *(_cell(name, each.means.get(name)) for name in names)]


def _cell(name: str, found: Mean | None) -> str:
    if found is None:
        return ""
    if name in _SHARES:
        return f"{found.value:.3f} ({found.low:.2f} to {found.high:.2f})"
    return f"{found.value:,.4g}" if name == "cost_usd" else f"{found.value:,.1f}"


def _compared(each: Comparison) -> list[str]:
    apart = each.difference
    span = f"{apart.low:+.3f} to {apart.high:+.3f}"
    return [
        each.variant,
        each.baseline,
        each.measure,
        f"{apart.value:+.3f}",
        span,
        f"{apart.p:.3f}",
        str(apart.count),
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
