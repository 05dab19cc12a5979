"""Every function of the package stays linear on text made to be slow.

The bounds are far above what is needed (quadratic behaviour would take minutes), so that a busy
machine does not fail them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from leadline.text import clean, dates, language, names, negation, numbers, rank, sentences, spans, tokens

MILLION = 1_000_000
SECONDS = 30.0

TEXTS = {
    "a": "letters", "9": "digits", ".": "dots", " ": "blanks", "\n": "lines", "的": "han",
    "。": "han stops", "<": "brackets", '"': "quotes", "-": "dashes", "\u200b": "invisible",
    "\u0301": "marks", "《": "title marks", "一": "numerals", "A": "capitals", "$": "dollars",
}  # fmt: skip
QUICK: dict[str, Callable[[str], object]] = {
    "terms": tokens.terms,
    "fts_tokens": tokens.fts_tokens,
    "fts_query": lambda text: tokens.fts_query(text, phrases=[text]),
    "detect": language.detect,
    "split": sentences.split,
    "neutralise": clean.neutralise,
    "squeeze": lambda text: clean.squeeze(text, limit=100),
    "locate": lambda text: spans.locate_parts(text[:500] + "…x", text),
    "numbers": numbers.find_numbers,
    "dates": dates.find_dates,
    "names": names.find_names,
    "negation": negation.negated_spans,
}


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("char", TEXTS, ids=TEXTS.values())
def test_one_character_a_million_times(char: str, name: str) -> None:
    started = time.process_time()
    QUICK[name](char * MILLION + "!x")
    assert time.process_time() - started < SECONDS


PAIRS = [
    ". ", ".a", '."', ".[1", ". ((", "U.S. ", "A. ", "a\n", "-\n", "| ", "<|", "< ", "<aaaaaaaaaaaa:", "</",
    "…a", "9,99,", "9.9.", "9-", "9/", "9:", "1e", "9 ", "$9", "+1 ", "(020) ", "www.", "http://", "19 May ",
    "1990-", "one ", "two and ", "一分之", "一万", "3多", "1年", "1月1日", "一世纪", "公元前", "A ", "Of the ",
    "A of the ", '"A', "“a", "《a", "王·", "王教授", "不 ", "not only ", " 的", "\u00a0", "ﷺ", "ABC ", "A-", "[inst",
]  # fmt: skip


@pytest.mark.parametrize("name", [*QUICK, "windows", "snap", "near_duplicate"])
@pytest.mark.parametrize("unit", PAIRS)
def test_a_unit_repeated(unit: str, name: str) -> None:
    text = unit * (30_000 // len(unit)) + "!x"
    calls = QUICK | {
        "windows": lambda text: rank.windows(text, "a 的", limit_chars=4_000),
        "snap": lambda text: spans.snap(text, 500, 600),
        "near_duplicate": lambda text: rank.near_duplicate(text, text + "b"),
    }
    started = time.process_time()
    calls[name](text)
    assert time.process_time() - started < SECONDS / 10
