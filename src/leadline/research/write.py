"""The writers: ledger -> draft.

Neither sees the transcript. The model's gets numbered excerpts and names them; the extractive one
(`quoting`) takes sentences as they stand. Ids that the ledger does not know are dropped and counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from leadline.domain import (
    Draft,
    DraftSection,
    DraftSentence,
    Length,
    Message,
    Options,
)
from leadline.research.evidence import Ledger
from leadline.research.extractive.quoting import EXTRACTIVE, extract, extractive_draft
from leadline.research.fencing import Fence
from leadline.research.outline import balanced
from leadline.research.phrases import language_name, phrase
from leadline.research.prompts import prompt
from leadline.research.wishes import with_wishes
from leadline.text.sentences import split

__all__ = ["EXTRACTIVE", "draft_of", "extract", "extractive_draft", "sentences_of", "writer_messages"]

LENGTHS: Final[Mapping[Length, str]] = {
    Length.SHORT: "At most 5 sentences after the answer, in one section.",
    Length.NORMAL: "About 10 to 20 sentences after the answer, in two to four sections.",
    Length.LONG: "About 30 to 60 sentences after the answer, in four to eight sections.",
}

_MARKERS = re.compile(r"[\[【](\s*\d{1,6}(?:\s*[,，、;-]\s*\d{1,6})*\s*)[\]】]")
_BLANKS = re.compile(r"[ \t]{2,}")
_TRAILING = re.compile(r"\s+([.,;:!?。，；：！？])")
_ANSWER = re.compile(r"\A\s*(?:\*\*)?ANSWER(?:\*\*)?\s*[:：]\s*", re.IGNORECASE)
_AFTER_STOP = re.compile(r"([.!?。！？])((?:\s*[\[【]\s*\d[\d\s,，、;-]*[\]】])+)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.+?)\s*#*\s*$")
_LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_EMPHASIS = re.compile(r"\*\*|__|`")
_TAG = re.compile(r"</?(?:answer|think)>", re.IGNORECASE)


class Marked(NamedTuple):
    """A sentence without its markers, and the labels that these named."""

    text: str
    labels: tuple[str, ...]


# --- the model's writer ----------------------------------------------------------------------


class Wish(NamedTuple):
    """What a writer is asked for; `budget_chars` is the room for excerpts.

    The excerpts of ids `first` come before all others, `fence` goes around all of them. `role` names
    the prompt, `queries` are what excerpts are chosen by beside the question, `beside` stands between
    question and excerpts; of `options` the person's wishes are told.
    """

    question: str
    language: str
    length: Length
    budget_chars: int
    first: tuple[str, ...] = ()
    fence: Fence = Fence()
    role: str = "writer"
    queries: tuple[str, ...] = ()
    beside: str = ""
    options: Options = Options()


def writer_messages(wish: Wish, ledger: Ledger) -> tuple[Message, ...]:
    """Return the writer's prompt: rules, question, and as many numbered excerpts as fit. Pure."""
    rules = prompt(wish.role).format(
        language=language_name(wish.language), length=LENGTHS[wish.length], gaps=phrase("not_found", wish.language)
    )
    return prompted(wish, rules, ledger)


def prompted(wish: Wish, rules: str, ledger: Ledger) -> tuple[Message, ...]:
    """Return a prompt of these rules, the question, and as many numbered excerpts as fit. Pure."""
    order = balanced([wish.question, *wish.queries], ledger, wish.first)
    view = ledger.for_writer(wish.budget_chars, order=order)
    parts = [
        f"Question: {wish.question}",
        wish.beside,
        wish.fence.notice,
        "Excerpts:",
        wish.fence.around(view.text, inert=True),
    ]
    return (
        Message(role="system", content=with_wishes(rules, wish.options)),
        Message(role="user", content="\n\n".join(filter(None, parts))),
    )


def draft_of(text: str, ledger: Ledger, *, written_by: str, gaps: str) -> Draft:
    """Return the draft that a model's text stands for.

    What comes before the first heading and the first blank line is the direct answer. `gaps` is
    the title of the section whose sentences claim nothing.
    """
    reader = _DraftReader(ledger=ledger, gaps=gaps)
    for line in _ANSWER.sub("", _TAG.sub("", text), count=1).lstrip().splitlines():
        reader.line(line)
    return Draft(
        answer=tuple(reader.answer),
        sections=tuple(DraftSection(title=title, sentences=tuple(found)) for title, found in reader.sections if found),
        written_by=written_by,
        unknown_ids=reader.unknown,
    )


class _DraftReader:
    """Sorts the lines of a draft into answer and sections."""

    def __init__(self, *, ledger: Ledger, gaps: str) -> None:
        self.answer: list[DraftSentence] = []
        self.sections: list[tuple[str, list[DraftSentence]]] = []
        self.unknown = 0
        self._ledger = ledger
        self._gaps = gaps

    def line(self, line: str) -> None:
        """Take the next line."""
        heading = _HEADING.match(line)
        if heading:
            self.sections.append((_plain(heading[1]), []))
        elif not line.strip() and self.answer and not self.sections:
            self.sections.append(("", []))
        for marked in () if heading else sentences_of(line):
            self._target().append(self._bound(marked))

    def _target(self) -> list[DraftSentence]:
        return self.sections[-1][1] if self.sections else self.answer

    def _bound(self, marked: Marked) -> DraftSentence:
        known = [self._ledger.by_label(label) for label in marked.labels]
        self.unknown += known.count(None)
        ids = tuple(dict.fromkeys(e.id for e in known if e is not None))
        in_gaps = bool(self.sections) and self.sections[-1][0] == self._gaps
        return DraftSentence(text=marked.text, excerpt_ids=ids, claims=bool(ids) or not in_gaps)


def sentences_of(line: str) -> list[Marked]:
    """Return the sentences of a line of Markdown; markers after a full stop belong to the sentence before it."""
    plain = _plain(_LIST_MARK.sub("", line))
    if not plain:
        return []
    found: list[Marked] = []
    moved = _AFTER_STOP.sub(lambda m: f"{m[2].rstrip()}{m[1]}", plain)  # so that splitting keeps them together
    for span in split(moved):
        piece = moved[span.start : span.end]
        labels = tuple(label for group in _MARKERS.findall(piece) for label in _labels(group))
        text = _TRAILING.sub(r"\1", _BLANKS.sub(" ", _MARKERS.sub("", piece))).strip()
        if text.strip(" .。,，;；-"):
            found.append(Marked(text=text, labels=labels))
        elif found and labels:
            found[-1] = Marked(text=found[-1].text, labels=(*found[-1].labels, *labels))
    return found


def _labels(group: str) -> list[str]:
    labels: list[str] = []
    for part in re.split(r"[,，、;]", group):
        ends = [e.strip() for e in part.split("-")]
        if len(ends) == 2 and all(e.isdigit() for e in ends) and 0 <= int(ends[1]) - int(ends[0]) <= 20:
            labels += [str(n) for n in range(int(ends[0]), int(ends[1]) + 1)]
        else:
            labels += [e for e in ends if e]
    return labels


def _plain(line: str) -> str:
    return _EMPHASIS.sub("", line).strip()


# --- parts of a draft that several wrote -----------------------------------------------------


def only_labels(text: str, allowed: frozenset[str]) -> str:
    """Return a text whose markers name nothing but these excerpts."""

    def kept(found: re.Match[str]) -> str:
        labels = [label for label in _labels(found[1]) if label in allowed]
        return f"[{', '.join(labels)}]" if labels else ""

    return _MARKERS.sub(kept, text)


def relabelled(text: str, ledger: Ledger, *, whole: Ledger) -> str:
    """Return a text whose markers name the same excerpts by their places in `whole`."""

    def moved(found: re.Match[str]) -> str:
        excerpts = [ledger.by_label(label) for label in _labels(found[1])]
        labels = [whole.label(one.id) for one in excerpts if one is not None and whole.get(one.id) is not None]
        return f"[{', '.join(labels)}]" if labels else ""

    return _MARKERS.sub(moved, text)


def without_headings(text: str) -> str:
    """Return a section's text without headings of its own."""
    return "\n".join(line for line in text.splitlines() if not _HEADING.match(line))


def first_paragraph(text: str) -> str:
    """Return the direct answer of a text as one line, without the word that introduces it."""
    plain = without_headings(_ANSWER.sub("", _TAG.sub("", text), count=1)).strip()
    return " ".join(plain.split("\n\n")[0].split())
