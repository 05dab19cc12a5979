"""Many lists of works to one: a work once, with the best that each service told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from leadline.wire.papers import Paper, keys_of, title_key

# Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009.
_RRF_K: Final = 60
# A preprint and its article lie some years apart; works of one title further apart are two.
_YEARS_APART: Final = 3


def merge(lists: Sequence[Sequence[Paper]], *, weights: Sequence[float] | None = None) -> list[Paper]:
    """Return works by reciprocal rank, merged by DOI, arXiv id and title; ties go to the earlier list.

    `weights` says how much each list counts; 1 unless given.
    """
    groups: list[_Group] = []
    known: dict[str, _Group] = {}
    for number, papers in enumerate(lists):
        weight = 1.0 if weights is None else weights[number]
        for rank, paper in enumerate(papers, start=1):
            group = _group_of(paper, known)
            if group is None:
                group = _Group()
                groups.append(group)
            group.add(paper, weight / (_RRF_K + rank))
            for key in group.keys:
                known.setdefault(key, group)
    return [group.paper() for group in sorted(groups, key=lambda group: -group.score())]


class _Group:
    """What is known of one work; a service counts once."""

    def __init__(self) -> None:
        self.papers: list[Paper] = []
        self.keys: list[str] = []
        self._scores: dict[str, float] = {}

    def add(self, paper: Paper, score: float) -> None:
        self.papers.append(paper)
        self.keys += keys_of(paper)
        for provider in paper.providers:
            self._scores[provider] = max(score, self._scores.get(provider, 0.0))

    def score(self) -> float:
        return sum(self._scores.values())

    def paper(self) -> Paper:
        first, *others = self.papers
        for other in others:
            first = _joined(first, other)
        return first


def _group_of(paper: Paper, known: dict[str, _Group]) -> _Group | None:
    for key in keys_of(paper):
        group = known.get(key)
        if group is not None and not _differ(paper, group.papers, by_title=key.startswith("title:")):
            return group
    return None


def _differ(paper: Paper, others: Sequence[Paper], *, by_title: bool) -> bool:
    """Whether works of one title are two: other DOIs of journals, or years too far apart."""
    if not by_title:
        return False
    for other in others:
        if paper.year and other.year and abs(paper.year - other.year) > _YEARS_APART:
            return True
        both = paper.doi and other.doi and paper.doi != other.doi
        if both and not (_is_preprint(paper.doi) or _is_preprint(other.doi)):
            return True
    return False


def _is_preprint(doi: str | None) -> bool:
    return doi is not None and doi.startswith(
        ("10.48550/", "10.1101/", "10.21203/", "10.2139/", "10.31234/", "10.26434/")
    )


def _joined(one: Paper, other: Paper) -> Paper:
    """Return one work of two accounts of it: what the first lacks comes from the second."""
    final = other if _is_preprint(one.doi) and other.doi and not _is_preprint(other.doi) else one
    rest = other if final is one else one
    counts = [count for count in (one.citations, other.citations) if count is not None]
    return replace(
        final,
        title=final.title if title_key(final.title) else rest.title,
        authors=final.authors if len(final.authors) >= len(rest.authors) else rest.authors,
        year=final.year or rest.year,
        published=final.published or rest.published,
        venue=_venue(final.venue, rest.venue),
        abstract=max(final.abstract, rest.abstract, key=len),
        citations=max(counts, default=None),
        doi=final.doi or rest.doi,
        arxiv=final.arxiv or rest.arxiv,
        pdf=final.pdf or rest.pdf,
        providers=tuple(dict.fromkeys((*one.providers, *other.providers))),
    )


def _venue(one: str, other: str) -> str:
    return other if not one or (one == "arXiv" and other) else one
