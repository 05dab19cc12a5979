"""Assemble stored text block by block, with locators, under a cap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadline.extract.types import Locator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_LOCATORS: Final = 10_000
MAX_LABEL: Final = 200
_HEADING_LEVELS: Final = 6
_FINE: Final = frozenset({"row", "line", "cell"})
# What a source's record holds at most of rows, lines and cells, and of lines that one mark joins
# before there are so many.
_MOST_RECORDED: Final = 400
_LINES_A_MARK: Final = 50

# What programs write where nobody told them an author, folded and without brackets.
_NOBODY: Final = frozenset(
    {"anonymous", "unknown", "unspecified", "author", "user", "admin", "administrator", "python-docx", "apache poi"}
    | {"openpyxl", "xlsxwriter", "microsoft office user", "windows user", "pptxgenjs", "un-named"}
)

# Code points that no store and no JSON can carry, or that end a string elsewhere.
_FORBIDDEN: Final = {0: None} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def clean(text: str) -> str:
    """Drop NUL and replace lone surrogates, so that the text can be stored as UTF-8 anywhere."""
    if "\x00" not in text and _encodes(text):
        return text
    return text.translate(_FORBIDDEN)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_line(text: str, limit: int = MAX_LABEL) -> str:
    """Fold all white space to single blanks and cut to `limit` code points."""
    folded = " ".join(clean(text).split())
    return folded if len(folded) <= limit else folded[: limit - 1].rstrip() + "…"


def authors_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of people among those that a document's properties call its authors.

    Programs put their own name, or "(anonymous)", where nobody told them one.
    """
    folded = (one_line(name) for name in names)
    return tuple(name for name in folded if name and name.strip("()").lower() not in _NOBODY)


def called(name: str | None) -> str:
    """Name a document in a message."""
    return f"`{one_line(name)}`" if name else "the document"


class HeadingPath:
    """The headings that enclose the current place, as one label: `Installation › Linux`."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> str:
        """Open a section of `level` (1 is outermost) and return the label of the place."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, one_line(title)))
        return " › ".join(title for _, title in self._open[-_HEADING_LEVELS:])

    def clear(self) -> None:
        """Leave all sections."""
        self._open.clear()


class TextBuilder:
    """Collects blocks separated by an empty line; stops growing at `limit` code points.

    Appending beyond the cap does nothing but set `truncated`: what comes out depends only on what
    was put in, never on time or memory.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.length = 0
        self.truncated = False
        self._parts: list[str] = []
        self._locators: list[Locator] = []
        self._path = HeadingPath()

    @property
    def full(self) -> bool:
        """Whether the cap is reached and further parsing is useless."""
        return self.truncated

    def add(self, text: str, *, separator: str = "\n\n") -> int:
        """Append a block after `separator`; returns where it begins."""
        text = clean(text)
        if not text or self.truncated:
            return self.length
        if self.length:
            self._append(separator)
        start = self.length
        self._append(text)
        return start

    def mark(self, kind: str, label: str, *, separator: str = "\n\n") -> None:
        """Say that the next block added with the same `separator` begins at this place."""
        if self.truncated:
            return
        start = self.length + len(separator) if self.length else 0
        if self._locators and self._locators[-1].start == start and self._locators[-1].kind == kind:
            self._locators.pop()
        self._locators.append(Locator(start, kind, one_line(label)))

    def heading(self, level: int, title: str) -> None:
        """Append a heading as a block of its own and mark the section it opens."""
        title = one_line(title, 2_000)
        if title:
            self.mark("heading", self._path.enter(level, title))
            self.add(title)

    def section(self, start: int, level: int, title: str) -> None:
        """Mark a heading that stands at `start` inside the block added last."""
        if not self.truncated:
            self._locators.append(Locator(start, "heading", self._path.enter(level, title)))

    def new_part(self, kind: str, label: str) -> None:
        """Mark a page, slide, sheet or chapter: no earlier heading reaches into it."""
        self._path.clear()
        self.mark(kind, label)

    def text(self) -> str:
        """Return the text so far."""
        joined = "".join(self._parts)
        self._parts = [joined]
        return joined

    def locators(self) -> tuple[Locator, ...]:
        """Return the locators that stand within the text, thinned to a bounded number."""
        return thin([place for place in self._locators if place.start < max(self.length, 1)])

    def _append(self, text: str) -> None:
        room = self.limit - self.length
        if len(text) > room:
            text, self.truncated = text[:room], True
        self._parts.append(text)
        self.length += len(text)


def thin(locators: Sequence[Locator]) -> tuple[Locator, ...]:
    """Keep about `MAX_LOCATORS`: rows, lines and cells are joined to ranges, others thinned last."""
    if len(locators) <= MAX_LOCATORS:
        return tuple(locators)
    coarse = sum(place.kind not in _FINE for place in locators)
    room = MAX_LOCATORS - 2 * coarse
    if room < MAX_LOCATORS // 10:
        return tuple(locators[:: -(-len(locators) // MAX_LOCATORS)])
    return tuple(_joined(locators, step=-(-(len(locators) - coarse) // room)))


def _joined(locators: Sequence[Locator], *, step: int) -> Iterator[Locator]:
    """Join up to `step` fine places between two coarse ones to one that names first and last."""
    run: list[Locator] = []
    for place in locators:
        if run and (place.kind not in _FINE or len(run) == step):
            yield _range(run)
            run = []
        if place.kind in _FINE:
            run.append(place)
        else:
            yield place
    if run:
        yield _range(run)


def _range(run: Sequence[Locator]) -> Locator:
    first, last = run[0], run[-1]
    if first is last:
        return first
    return first._replace(label=f"{first.label.partition('-')[0]}-{last.label.rpartition('-')[2]}")


def sparse(locators: Sequence[Locator]) -> tuple[Locator, ...]:
    """Return locators fit for a record that is kept with each run, where thousands would be a burden.

    At most `_MOST_RECORDED` rows, lines and cells are left, joined to ranges. The lines of a text
    that has nothing else are joined further, up to `_LINES_A_MARK`, so that about as many are left.
    """
    fine = sum(place.kind in _FINE for place in locators)
    if not fine or any(place.kind != "line" for place in locators):
        step = -(-fine // _MOST_RECORDED)
        return tuple(_joined(locators, step=step)) if step > 1 else tuple(locators)
    count = int(locators[-1].label.rpartition("-")[2])
    wanted = max(min(_LINES_A_MARK, -(-count // _LINES_A_MARK)), -(-count // _MOST_RECORDED))
    step = -(-wanted * fine // count)
    runs = [locators[at : at + step] for at in range(0, fine, step)]
    if step > 1 and len(runs) > 1 and len(runs[-1]) == 1:  # no "lines 1-50, line 51"
        runs[-2:] = [[*runs[-2], *runs[-1]]]
    return tuple(map(_range, runs))


def line_locators(text: str, *, most: int = 1_000) -> tuple[Locator, ...]:
    """Mark each line, or ranges of lines of equal length so that at most `most` marks are made."""
    count = text.count("\n") + (not text.endswith("\n"))
    step = -(-count // most) or 1
    marks: list[Locator] = []
    start, line = 0, 1
    while start < len(text) and line <= count:
        last = min(line + step - 1, count)
        marks.append(Locator(start, "line", str(line) if last == line else f"{line}-{last}"))
        for _ in range(step):
            start = text.find("\n", start) + 1
            if not start:
                return tuple(marks)
        line += step
    return tuple(marks)
