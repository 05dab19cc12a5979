"""The ledger: what a run has read, and which spans of it count as evidence.

A source is stored once, however many addresses lead to the same text. An excerpt is a span of a
source's stored text; its id derives from source and span, so that branches, resumes and replays
agree. Prompts name excerpts by their place in the ledger (`1`, `2`, ...), reports by id. The same
admissions in the same order give the same ids and labels.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from leadline.domain import Artefact, Citation, Excerpt, Source, excerpt_id, sha256, source_id
from leadline.research.passages import Haystack, Passage, find, snapped
from leadline.text.clean import neutralise, squeeze
from leadline.text.offsets import trim
from leadline.text.rank import LEAST_CONTAINED, near_by_shingles, shingles

ReadText = Callable[[str], str]

# Texts that a reader can give again are kept up to this many code points together.
_CACHE_CHARS: Final = 20_000_000
# Shown of a title in a prompt.
_TITLE: Final = 160
# An excerpt that is longer than this is compared by its beginning.
_COMPARED: Final = 8_000
# Texts of so few shingles are looked up by all of them.
_FEW_SHINGLES: Final = 64
_KIND: Final = re.compile(r"[^\W\d]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class WriterView:
    """The ledger as a writer sees it: numbered excerpts, inert text.

    `labels` are those shown, in order; `left_out` counts the excerpts that the limit left out.
    """

    text: str
    labels: tuple[str, ...]
    left_out: int


class Ledger:
    """Sources and excerpts of one run, in the order in which calls brought them.

    Texts are held here, or, where `read` is given (hash of the stored text -> text), read when
    they are needed; then the ledger travels between processes without them.
    """

    def __init__(self, *, read: ReadText | None = None) -> None:
        self._read = read
        self._sources: dict[str, Source] = {}
        self._excerpts: dict[str, Excerpt] = {}
        self._order: list[Excerpt] = []
        self._labels: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._haystacks: dict[str, Haystack] = {}
        self._artefacts: tuple[Artefact, ...] = ()

    def __getstate__(self) -> dict[str, object]:
        """Leave out what can be read or derived again."""
        state = dict(self.__dict__)
        state["_haystacks"] = {}
        if self._read is not None:
            state["_texts"] = {}
        return state

    # --- sources -----------------------------------------------------------------------------

    def admit(self, source: Source, text: str | None = None) -> Source:
        """Take a source and return it as the ledger holds it.

        A text that is already there keeps its first source, which gains the further addresses and
        the title, date and authors that it lacked. Without `text` it must be readable by hash.
        Raises `ValueError` where text, hash and id do not belong together.
        """
        if source.id != source_id(source.sha256):
            raise ValueError(f"source id does not derive from its hash: {source.id}")
        if text is not None and sha256(text.encode("utf-8", "surrogatepass")) != source.sha256:
            raise ValueError(f"stored text does not have the hash of its source: {source.id}")
        if text is None and self._read is None and source.id not in self._sources:
            raise ValueError(f"the text of a source is neither given nor readable: {source.id}")
        known = self._sources.get(source.id)
        self._sources[source.id] = source if known is None else _joined(known, source)
        if text is not None:
            self._keep(source.id, text)
        return self._sources[source.id]

    @property
    def sources(self) -> tuple[Source, ...]:
        """All sources, in the order of their first admission."""
        return tuple(self._sources.values())

    def source(self, source: str) -> Source:
        """Return a source by id. Raises `KeyError`."""
        return self._sources[source]

    def text(self, source: str) -> str:
        """Return the stored text of a source. Raises `KeyError`, and what the reader raises."""
        known = self._texts.get(source)
        if known is None:
            # Admission made sure that a text which is not held can be read.
            read = self._read
            if read is None:
                raise KeyError(source)
            known = read(self._sources[source].sha256)
            self._keep(source, known)
        return known

    def _keep(self, source: str, text: str) -> None:
        self._texts[source] = text
        if self._read is None:
            return
        held = sum(map(len, self._texts.values()))
        while held > _CACHE_CHARS and len(self._texts) > 1:
            oldest = next(iter(self._texts))
            held -= len(self._texts.pop(oldest))
            self._haystacks.pop(oldest, None)

    def locator(self, source: str, offset: int) -> str:
        """Return where `offset` lies in the source: the last mark of each kind before it."""
        marks = self._sources[source].marks
        last: dict[str, str] = {}
        for mark in marks[: bisect_right(marks, offset, key=lambda mark: mark.start)]:
            kind = _KIND.match(mark.label)
            last[kind[0] if kind else ""] = mark.label
        return ", ".join(last.values())

    # --- what programs made ------------------------------------------------------------------

    def keep(self, made: Artefact) -> None:
        """Take a file that a program made; a later one of the same name is the same file, done better."""
        self._artefacts = (*(a for a in self._artefacts if a.name != made.name and a.sha256 != made.sha256), made)

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """Pictures and files that programs made, in order; they are shown, and are never evidence."""
        return self._artefacts

    # --- excerpts ----------------------------------------------------------------------------

    def excerpt(self, source: str, start: int, end: int, *, snap: bool = True) -> Excerpt:
        """Return the excerpt of this span, new or known.

        With `snap` the span is widened to the sentences that it touches; white space at its ends
        goes in any case. Raises `KeyError` for an unknown source, `ValueError` for a span without
        text.
        """
        text = self.text(source)
        start, end = max(0, start), min(len(text), end)
        span = trim(text, start, max(start, end))
        if not span.length:
            raise ValueError(f"an excerpt needs text: {source}[{start}:{end}]")
        if snap:
            span = snapped(text, *span)
        made = Excerpt(id=excerpt_id(source, *span), source_id=source, start=span.start, end=span.end)
        return self._list(made)

    def _list(self, excerpt: Excerpt) -> Excerpt:
        if excerpt.id not in self._excerpts:
            self._excerpts[excerpt.id] = excerpt
            self._order.append(excerpt)
            self._labels[excerpt.id] = str(len(self._labels) + 1)
        return self._excerpts[excerpt.id]

    @property
    def excerpts(self) -> tuple[Excerpt, ...]:
        """All excerpts, in the order in which they were made."""
        return tuple(self._order)

    def get(self, excerpt: str) -> Excerpt | None:
        """Return an excerpt by id, `None` where the ledger does not know it."""
        return self._excerpts.get(excerpt)

    def label(self, excerpt: str) -> str:
        """Return the short name of an excerpt in prompts. Raises `KeyError`."""
        return self._labels[excerpt]

    def by_label(self, label: str) -> Excerpt | None:
        """Return the excerpt that a prompt calls `label`, `None` where there is none."""
        cleaned = label.strip().strip("[]【】")
        if not (cleaned.isascii() and cleaned.isdigit() and len(cleaned) < 9):
            return None
        place = int(cleaned) - 1
        return self._order[place] if 0 <= place < len(self._order) else None

    def length(self, label: str) -> int:
        """Return the code points of the excerpt that a prompt calls `label`, 0 where there is none."""
        excerpt = self.by_label(label)
        return 0 if excerpt is None else excerpt.end - excerpt.start

    def quote(self, excerpt: Excerpt) -> str:
        """Return the excerpt's text, exactly as stored."""
        return self.text(excerpt.source_id)[excerpt.start : excerpt.end]

    def citation(self, source: str, start: int, end: int) -> Citation:
        """Return the citation of a span: its exact text and where it lies."""
        return Citation(
            source_id=source,
            quote=self.text(source)[start:end],
            start=start,
            end=end,
            locator=self.locator(source, start),
        )

    def merge(self, other: Ledger) -> None:
        """Take over sources and excerpts of a branch, in its order; call in branch order."""
        for source in other.sources:
            held = other.text(source.id) if self._read is None else None
            self.admit(source, held)
            if source.id in other._texts:
                self._keep(source.id, other._texts[source.id])
        for excerpt in other.excerpts:
            self._list(excerpt)
        known = {made.sha256 for made in self._artefacts}
        self._artefacts += tuple(made for made in other.artefacts if made.sha256 not in known)

    def fork(self) -> Ledger:
        """Return a ledger of its own that holds the same."""
        made = Ledger(read=self._read)
        made.merge(self)
        return made

    # --- views -------------------------------------------------------------------------------

    def find(self, query: str, limit: int = 5) -> tuple[Passage, ...]:
        """Return the passages of all sources that serve `query`, best first; none is listed."""
        return tuple(find(query, [self.haystack(source) for source in self._sources], limit=limit))

    def haystack(self, source: str) -> Haystack:
        """Return a source's text as it is searched."""
        if source not in self._haystacks:
            self._haystacks[source] = Haystack(source, self.text(source))
        return self._haystacks[source]

    def independent(self, excerpts: Sequence[Excerpt]) -> tuple[tuple[Excerpt, ...], ...]:
        """Return the excerpts grouped so that copies of one passage lie together.

        Syndicated copies, mirrors and overlapping spans of one source count as one voice. Groups
        and their members come in the order given.
        """
        groups: list[list[Excerpt]] = []
        heads = _Heads()
        for excerpt in excerpts:
            text = self.quote(excerpt)[:_COMPARED]
            place = heads.place(excerpt, text)
            if place is None:
                groups.append([excerpt])
            else:
                groups[place].append(excerpt)
        return tuple(tuple(group) for group in groups)

    def for_writer(self, budget_chars: int, *, order: Sequence[str] | None = None) -> WriterView:
        """Return the excerpts numbered by label, with title, date and place, as inert text.

        Copies of one passage are shown once and name their further labels. `order` (excerpt ids)
        says which come first and thus are kept when not all fit `budget_chars` code points; an
        excerpt is shown whole, but the first one, which is cut where it alone exceeds the limit.
        """
        chosen = self.excerpts if order is None else [self._excerpts[e] for e in order]
        parts: list[str] = []
        labels: list[str] = []
        left, left_out = budget_chars, 0
        for group in self.independent(chosen):
            block = self._block(group)
            if not parts and len(block) > left > 0:
                block = block[: left - 1] + "\u2026"
            if len(block) > left:
                left_out += len(group)
                continue
            parts.append(block)
            labels.extend(self._labels[excerpt.id] for excerpt in group)
            left -= len(block) + 2
        return WriterView(text="\n\n".join(parts), labels=tuple(labels), left_out=left_out)

    def _block(self, group: Sequence[Excerpt]) -> str:
        first = group[0]
        source = self._sources[first.source_id]
        title = squeeze(source.title or source.uri, limit=_TITLE)
        about = [title, source.published or "", self.locator(source.id, first.start)]
        copies = ", ".join(f"[{self._labels[excerpt.id]}]" for excerpt in group[1:])
        if copies:
            about.append(f"same passage: {copies}")
        head = neutralise(squeeze(" | ".join(part for part in about if part)))
        return f"[{self._labels[first.id]}] {head}\n{neutralise(self.quote(first))}"


class _Heads:
    """The first excerpt of each group, found by the shingles that it shares.

    Copies are rare: heads are entered into the index only once an excerpt comes of which most
    shingles were met before, in whatever heads.
    """

    def __init__(self) -> None:
        self._heads: list[tuple[Excerpt, str, frozenset[str]]] = []
        self._met: set[str] = set()
        self._least = math.inf  # shingles of the shortest head that has any
        self._entered = 0  # heads in the index
        self._by_shingle: dict[str, list[int]] = {}
        self._by_source: dict[str, list[int]] = {}

    def place(self, excerpt: Excerpt, text: str) -> int | None:
        """Return the group that the excerpt belongs to, `None` where it opens its own: then it is its head."""
        for place in self._by_source.get(excerpt.source_id, ()):
            if _mostly_inside(excerpt, self._heads[place][0]):
                return place
        found = shingles(text)
        if len(found & self._met) >= LEAST_CONTAINED * min(len(found), self._least):
            for place in self._likely(found):
                _, known, theirs = self._heads[place]
                if near_by_shingles(text, known, found, theirs):
                    return place
        self._by_source.setdefault(excerpt.source_id, []).append(len(self._heads))
        self._least = min(self._least, len(found) or math.inf)
        self._met |= found
        self._heads.append((excerpt, text, found))
        return None

    def _likely(self, found: frozenset[str]) -> list[int]:
        """Return the few heads that share most shingles with an excerpt, by the index."""
        for place, (_, _, theirs) in enumerate(self._heads[self._entered :], self._entered):
            for shingle in _sampled(theirs):
                self._by_shingle.setdefault(shingle, []).append(place)
        self._entered = len(self._heads)
        shared: dict[int, int] = {}
        for shingle in _sampled(found):
            for place in self._by_shingle.get(shingle, ()):
                shared[place] = shared.get(place, 0) + 1
        return sorted(shared, key=lambda place: (-shared[place], place))[:3]


def _sampled(found: frozenset[str]) -> Iterable[str]:
    """Return the shingles by which heads are looked up: the same eighth of every text, all of a short one."""
    if len(found) <= _FEW_SHINGLES:
        return found
    return [shingle for shingle in found if not (len(shingle) + ord(shingle[0]) + ord(shingle[-1])) & 7]


def _mostly_inside(one: Excerpt, other: Excerpt) -> bool:
    common = min(one.end, other.end) - max(one.start, other.start)
    return common * 10 >= 8 * min(one.end - one.start, other.end - other.start)


def _joined(known: Source, further: Source) -> Source:
    """Return `known` with the addresses of `further` and what it lacked."""
    addresses = dict.fromkeys(known.also)
    for uri in (further.uri, further.final_uri, *further.also):
        if uri and uri not in {known.uri, known.final_uri}:
            addresses.setdefault(uri)
    return replace(
        known,
        also=tuple(addresses),
        title=known.title or further.title,
        authors=known.authors or further.authors,
        published=known.published or further.published,
        marks=known.marks or further.marks,
    )


def ledger_of(
    sources: Iterable[Source],
    *,
    read: ReadText | None = None,
    texts: Mapping[str, str] | None = None,
) -> Ledger:
    """Return a ledger of these sources; `texts` are by source id where there is no reader."""
    made = Ledger(read=read)
    for source in sources:
        made.admit(source, None if texts is None else texts[source.id])
    return made
