"""What changed between two reports."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from leadline.domain import Checks, Claim, Report, Source, Verdict
from leadline.telling.changes import changes


def claim(text: str) -> Claim:
    return Claim(
        id=text[:3], text=text, verdict=Verdict.SUPPORTED, checks=Checks(decided_by="words", bound_by="writer")
    )


class At:
    """Stands for a source: only its address is looked at."""

    def __init__(self, uri: str) -> None:
        self.uri = uri


def report(run: str, claims: tuple[str, ...], uris: tuple[str, ...]) -> Report:
    return Report(
        run_id=run,
        question="q",
        language="en",
        strategy="extractive",
        stop_reason="answered",
        created_at="",
        answer="",
        answer_claims=(),
        sections=(),
        claims=tuple(claim(text) for text in claims),
        sources=tuple(cast("Source", At(uri)) for uri in uris),
    )


OLD = report("r1", ("It was lit in 1698.", "It burnt."), ("https://a.test/", "https://b.test/"))


def test_the_same_report_has_no_changes() -> None:
    assert not changes(OLD, replace(OLD, run_id="r2")).any


def test_new_and_gone_in_their_own_order() -> None:
    new = report("r2", ("it was  lit in 1698", "It was rebuilt in 1709."), ("https://c.test/", "https://a.test/"))
    found = changes(OLD, new)
    assert (found.earlier, found.later, found.any) == ("r1", "r2", True)
    assert [c.text for c in found.new_claims] == ["It was rebuilt in 1709."]
    assert [c.text for c in found.gone_claims] == ["It burnt."]
    assert [s.uri for s in found.new_sources] == ["https://c.test/"]
    assert [s.uri for s in found.gone_sources] == ["https://b.test/"]
