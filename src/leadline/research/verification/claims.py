"""A draft and its checks become the claims and sentences of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from leadline.domain import Claim, Draft, DraftSentence, Section, Sentence, Verdict, claim_id
from leadline.research.verification.verify import Checked
from leadline.text.language import detect

_NOT_SHOWN: Final = frozenset([Verdict.UNSUPPORTED, Verdict.CONTRADICTED])


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a report says: the direct answer, the sections, and the claims that both refer to.

    `dropped` counts the sentences that were left out because their evidence does not support them.
    """

    answer: str
    answer_claims: tuple[str, ...]
    sections: tuple[Section, ...]
    claims: tuple[Claim, ...]
    dropped: int = 0


def sentences_of(draft: Draft) -> tuple[DraftSentence, ...]:
    """Return all sentences of a draft in the order in which they are checked: the answer first."""
    return (*draft.answer, *(s for section in draft.sections for s in section.sentences))


def build_claims(draft: Draft, checked: Sequence[Checked], *, drop: bool = False) -> Told:
    """Return what the report says; `checked` has one entry for each of `sentences_of(draft)`.

    With `drop`, claims that are unsupported or contradicted are left out and counted, and so are
    sections that become empty. Raises `ValueError` where draft and checks do not fit.
    """
    if len(checked) != len(sentences_of(draft)):
        raise ValueError(f"{len(checked)} checks for {len(sentences_of(draft))} sentences")
    claims: list[Claim] = []
    left = iter(checked)
    answer = _shown(left, len(draft.answer), claims=claims, drop=drop)
    sections = []
    for section in draft.sections:
        shown = _shown(left, len(section.sentences), claims=claims, drop=drop)
        if shown:
            sections.append(Section(title=section.title, sentences=tuple(shown)))
    kept = len(answer) + sum(len(section.sentences) for section in sections)
    return Told(
        answer=_joined([sentence.text for sentence in answer]),
        answer_claims=tuple(s.claim_id for s in answer if s.claim_id is not None),
        sections=tuple(sections),
        claims=tuple(claims),
        dropped=len(checked) - kept,
    )


def _shown(left: Iterator[Checked], count: int, *, claims: list[Claim], drop: bool) -> list[Sentence]:
    """Return the next `count` sentences, their claims appended to `claims`."""
    shown = []
    for _ in range(count):
        one = next(left)
        if one.verdict is None:
            shown.append(Sentence(text=one.text))
        elif not (drop and one.verdict in _NOT_SHOWN):
            claim = Claim(
                id=claim_id(len(claims), one.text, one.citations),
                text=one.text,
                verdict=one.verdict,
                checks=one.checks,
                citations=one.citations,
            )
            claims.append(claim)
            shown.append(Sentence(text=one.text, claim_id=claim.id))
    return shown


def _joined(texts: Sequence[str]) -> str:
    """Return sentences as one text: Chinese ones adjoin, others are set apart by a blank."""
    joined = ""
    for text in texts:
        gap = "" if not joined or detect(text) == "zh" else " "
        joined += gap + text
    return joined
