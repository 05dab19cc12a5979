"""Find the files of a folder that are worth reading, and say what was left out and why.

Never leaves the roots: symbolic links are not followed. Never reads what smells of secrets. Reads
file names and facts only, no contents but those of ignore files.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from leadline.errors import MissingPath
from leadline.extract.walk_rules import (
    IgnoreRules,
    Skip,
    folder_reason,
    is_ignored,
    is_secret,
    name_reason,
    read_rules,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_FILES: Final = 200_000
MAX_FILE_BYTES: Final = 64 << 20
_EXAMPLES: Final = 5


class WalkedFile(NamedTuple):
    """A file to read, as the walk found it.

    root: the folder, or the file itself, that was asked for; relative: POSIX path below it; size in
    bytes; mtime_ns: time of last change, ctime_ns: that of its facts too, nanoseconds since the
    epoch; inode: number on its device. A tuple, since a walk makes tens of thousands.
    """

    path: Path
    root: Path
    relative: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """How many entries were left out for one reason, and the first few of them."""

    reason: Skip
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """What a walk found; files in the order of roots, then of relative paths.

    A folder that is left out counts as one entry.
    """

    files: tuple[WalkedFile, ...]
    skipped: tuple[Skipped, ...]

    def count(self, reason: Skip) -> int:
        """Return how many entries were left out for `reason`."""
        return next((entry.count for entry in self.skipped if entry.reason == reason), 0)


def walk(
    paths: Iterable[Path | str],
    *,
    max_files: int = MAX_FILES,
    max_file_bytes: int = MAX_FILE_BYTES,
) -> Walk:
    """List the files under `paths`, each a folder or a single file.

    Raises `MissingPath` for a path that does not exist or cannot be opened. A file that is named
    itself is taken even if hidden or ignored, but not if it looks like keys or passwords.
    """
    walker = _Walker(max_files=max_files, max_file_bytes=max_file_bytes)
    roots = [_root(Path(path)) for path in paths]
    walker.roots = tuple(str(root) for root in roots)
    for root in roots:
        walker.visit(root)
    return Walk(files=tuple(walker.files), skipped=walker.tally.result())


def _root(path: Path) -> Path:
    try:
        root = path.expanduser().resolve(strict=True)
        mode = root.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"`{path}` cannot be read: {reason}"
        raise MissingPath(msg) from error
    wanted = os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)
    if not os.access(root, wanted):
        msg = f"`{path}` cannot be read: no permission"
        raise MissingPath(msg)
    return root


@dataclass(slots=True)
class _Tally:
    counts: dict[Skip, int] = field(default_factory=dict)
    examples: dict[Skip, list[str]] = field(default_factory=dict)

    def add(self, reason: Skip, path: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        shown = self.examples.setdefault(reason, [])
        if len(shown) < _EXAMPLES:
            shown.append(path.encode(errors="replace").decode())

    def result(self) -> tuple[Skipped, ...]:
        return tuple(
            Skipped(reason=reason, count=self.counts[reason], examples=tuple(self.examples[reason]))
            for reason in sorted(self.counts)
        )


class _Folder(NamedTuple):
    path: str
    relative: str  # with a slash at its end, or empty
    rules: tuple[IgnoreRules, ...]


class _Walker:
    def __init__(self, *, max_files: int, max_file_bytes: int) -> None:
        self.roots: tuple[str, ...] = ()
        self.files: list[WalkedFile] = []
        self.tally = _Tally()
        self._max_files = max_files
        self._max_file_bytes = max_file_bytes
        self._seen: set[str] = set()
        self._root = Path()

    def visit(self, root: Path) -> None:
        self._root = root
        if not root.is_dir():
            self._take(str(root), root.name, root.stat())
            return
        for folder in self._folders(_Folder(str(root), "", ())):
            if len(self.files) >= self._max_files:
                self.tally.add(Skip.LIMIT, folder.path)
                return
        self.files.sort(key=self._order)

    def _order(self, file: WalkedFile) -> tuple[int, str]:
        return self.roots.index(str(file.root)), file.relative

    def _folders(self, top: _Folder) -> Iterator[_Folder]:
        """Read folders depth first and sorted; yields each after its files are taken."""
        pending = [top]
        while pending:
            folder = pending.pop()
            below = self._read(folder)
            yield folder
            pending.extend(reversed(below))

    def _read(self, folder: _Folder) -> list[_Folder]:
        try:
            with os.scandir(folder.path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self.tally.add(Skip.UNREADABLE, folder.path)
            return []
        rules = folder.rules + read_rules(folder.path, [entry.name for entry in found], below=len(folder.relative))
        below: list[_Folder] = []
        for entry in found:
            if entry.is_symlink():
                self.tally.add(self._link(entry.path), entry.path)
            elif entry.is_dir(follow_symlinks=False):
                reason = self._folder_reason(entry, folder, rules)
                if reason:
                    self.tally.add(reason, entry.path)
                else:
                    below.append(_Folder(entry.path, f"{folder.relative}{entry.name}/", rules))
            else:
                self._offer(entry, folder, rules)
        return below

    def _folder_reason(self, entry: os.DirEntry[str], folder: _Folder, rules: Sequence[IgnoreRules]) -> Skip | None:
        reason = folder_reason(entry.name)
        if reason:
            return reason
        return Skip.IGNORED if rules and is_ignored(rules, f"{folder.relative}{entry.name}/") else None

    def _offer(self, entry: os.DirEntry[str], folder: _Folder, rules: Sequence[IgnoreRules]) -> None:
        name = entry.name
        relative = folder.relative + name
        reason = name_reason(name)
        if reason is None and rules and is_ignored(rules, relative):
            reason = Skip.IGNORED
        if reason:
            self.tally.add(reason, entry.path)
            return
        try:
            facts = entry.stat(follow_symlinks=False)
        except OSError:
            self.tally.add(Skip.UNREADABLE, entry.path)
            return
        self._take(entry.path, relative, facts)

    def _take(self, path: str, relative: str, facts: os.stat_result) -> None:
        reason = self._file_reason(path, facts)
        if reason:
            self.tally.add(reason, path)
            return
        self._seen.add(path)
        when = (facts.st_mtime_ns, facts.st_ctime_ns)
        self.files.append(WalkedFile(Path(path), self._root, relative, facts.st_size, *when, facts.st_ino))

    def _file_reason(self, path: str, facts: os.stat_result) -> Skip | None:
        if not stat.S_ISREG(facts.st_mode):
            return Skip.SPECIAL
        if is_secret(path.rpartition(os.sep)[2]):
            return Skip.SECRET
        if path in self._seen:
            return Skip.TWICE
        if facts.st_size == 0:
            return Skip.EMPTY
        if facts.st_size > self._max_file_bytes:
            return Skip.LARGE
        if not os.access(path, os.R_OK):
            return Skip.UNREADABLE
        if len(self.files) >= self._max_files:
            return Skip.LIMIT
        return None

    def _link(self, path: str) -> Skip:
        target = os.path.realpath(path)
        if not os.path.lexists(target):
            return Skip.LINK_BROKEN
        inside = any(target == root or target.startswith(root.rstrip("/") + "/") for root in self.roots)
        return Skip.LINK_INSIDE if inside else Skip.LINK_OUTSIDE
