"""Contexts: merged windows, offsets as scripts count them, quotations that do not stand."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.domain import Citation
from leadline.research.reporting.contexts import AROUND, Context, Cut, Standing, contexts, shown
from leadline.telling.numbering import Numbered

text = st.text(alphabet="ab \n\r\u2028\u200b\u202e\x00中𝄞😀", min_size=1, max_size=60)


def numbered(body: str, *spans: tuple[int, int]) -> list[Numbered]:
    return [
        Numbered(i, Citation(source_id="s", quote=body[a:b], start=a, end=b)) for i, (a, b) in enumerate(spans, start=1)
    ]


def whole(context: Context) -> bytes:
    """Return the shown text as scripts see it: two bytes a unit."""
    return "".join(piece.text for piece in context.pieces).encode("utf-16-le")


def part(context: Context, low: int, high: int) -> str:
    return whole(context)[2 * low : 2 * high].decode("utf-16-le")


def cuts(found: list[Context]) -> dict[int, tuple[Context, Cut]]:
    return {n.number: (c, cut) for c in found for piece in c.pieces for n, cut in piece.opens}


@settings(max_examples=50)
@given(filler=text, spans=st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 12_000)), min_size=1, max_size=8))
def test_each_quotation_is_cut_from_its_context(filler: str, spans: list[tuple[int, int]]) -> None:
    body = (filler * (40_000 // len(filler) + 1))[:40_000]
    cited = numbered(body, *((a, min(len(body), a + n)) for a, n in spans if a < len(body)))
    found = contexts(cited, body)
    seen = cuts(found)
    assert set(seen) == {n.number for n in cited}
    for n in cited:
        context, cut = seen[n.number]
        low, high = max(0, n.citation.start - AROUND), min(len(body), n.citation.end + AROUND)
        assert context.standing is Standing.STANDS
        assert (cut.before, cut.after) == (low > 0, high < len(body))
        stretches = [
            (cut.low, cut.start, body[low : n.citation.start]),
            (cut.start, cut.end, n.citation.quote),
            (cut.end, cut.high, body[n.citation.end : high]),
        ]
        for start, end, stored in stretches:
            # Cutting between the two halves of a line break shows one break more: only there.
            assert part(context, start, end).replace("\n", "") == shown(stored).replace("\n", "")


@settings(max_examples=20)
@given(spans=st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 50)), min_size=1, max_size=30))
def test_no_stretch_is_kept_twice(spans: list[tuple[int, int]]) -> None:
    body = "".join(chr(0x4E00 + i % 20_000) for i in range(100_000))
    found = contexts(numbered(body, *((a, a + n) for a, n in spans)), body)
    shown_all = "".join(piece.text for c in found for piece in c.pieces)
    wanted = {i for a, n in spans for i in range(max(0, a - AROUND), min(len(body), a + n + AROUND))}
    assert len(shown_all) == len(wanted)
    marked = sum(len(piece.text) for c in found for piece in c.pieces if piece.marked)
    assert marked == len({i for a, n in spans for i in range(a, a + n)})


def test_quotations_may_overlap_and_share_a_start() -> None:
    body = "0123456789"
    (context,) = contexts(numbered(body, (2, 6), (2, 4), (3, 8)), body)
    assert [(p.text, p.marked, [n.number for n, _ in p.opens]) for p in context.pieces] == [
        ("01", False, []),
        ("2", True, [1, 2]),
        ("3", True, [3]),
        ("45", True, []),
        ("67", True, []),
        ("89", False, []),
    ]


def test_a_quotation_that_does_not_stand_is_alone() -> None:
    body = "what the source says"
    moved = Numbered(1, Citation(source_id="s", quote="never said", start=0, end=10))
    outside = Numbered(2, Citation(source_id="s", quote="never said", start=500, end=510))
    backwards = Numbered(3, Citation(source_id="s", quote="", start=5, end=5))
    found = contexts([moved, outside, backwards], body)
    assert [c.standing for c in found] == [Standing.MOVED] * 3
    assert part(found[0], 0, 10) == "never said"
    assert [c.standing for c in contexts([moved], None)] == [Standing.ABSENT]


def test_shown_text_hides_nothing() -> None:
    assert shown("a\r\nb\rc\u2028d\u200b\u202ee\x00f\ud800") == "a\nb\nc\ndef\ufffd"
