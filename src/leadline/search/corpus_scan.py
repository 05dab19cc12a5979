"""What changed on disk: the walk against the rows of the index, and a look at what differs.

A document whose size, times and inode are those of its row is not opened. Any other is read and
hashed, and given out for parsing only when no text of these bytes is stored: a renamed, copied
or touched document costs a look.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, NamedTuple

import orjson

from leadline.domain import sha256
from leadline.errors import TooLarge
from leadline.extract.registry import EXTRACTOR_VERSION
from leadline.extract.walk import Walk
from leadline.extract.walk_rules import Skip
from leadline.search.addresses import Addresses
from leadline.search.corpus_index import Known, Seen, Stamp

# A file that changed less than this before it was hashed may change again under the same times:
# two seconds is the coarsest clock of a file system in use (FAT).
RACY_NS: Final = 2_000_000_000
BATCH_FILES: Final = 64
BATCH_BYTES: Final = 8 << 20
UNREADABLE: Final = "unreadable"
_REFUSED: Final = {Skip.UNREADABLE: UNREADABLE, Skip.LARGE: TooLarge.code}


class Candidate(NamedTuple):
    """A document that may have changed, with the row that the index has for it."""

    path: str
    uri: str
    stamp: Stamp
    known: Known | None


class Plan(NamedTuple):
    """What to look at, which addresses to forget, and what is left as it is."""

    candidates: Sequence[Candidate]
    gone: Sequence[str]
    kept: Sequence[Candidate]


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """A candidate that was read. `raw` holds its bytes, `None` where they are too many."""

    candidate: Candidate
    seen: Seen
    raw: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """A candidate that could not be read; `reason` is empty for one that is gone."""

    candidate: Candidate
    reason: str


def parsers_in_force() -> str:
    """Name the parsers and their versions: what failed under these is not tried again."""
    return hashlib.blake2b(orjson.dumps(sorted(EXTRACTOR_VERSION.items())), digest_size=8).hexdigest()


def is_current(extractor: str) -> bool:
    """Whether `extractor` (name/version, or name-library/version) still gives the text it gave."""
    name, _, version = extractor.partition("/")
    return str(EXTRACTOR_VERSION.get(name.partition("-")[0])) == version


def stamp_of(facts: os.stat_result) -> Stamp:
    """Return what tells cheaply whether a file changed."""
    return Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


def plan(walked: Walk, known: Mapping[str, Known], *, addresses: Addresses) -> Plan:
    """Compare what lies on disk with the rows of the index."""
    parsers = parsers_in_force()
    candidates: list[Candidate] = []
    kept: list[Candidate] = []
    there: set[str] = set()
    for file in walked.files:
        path = str(file.path)
        stamp = Stamp(file.size, file.mtime_ns, file.ctime_ns, file.inode)
        uri = addresses.uri(path)
        there.add(uri)
        row = known.get(uri)
        steady = row is not None and row.stamp == stamp and _stands(row, parsers)
        (kept if steady else candidates).append(Candidate(path, uri, stamp, row))
    return Plan(candidates, [uri for uri in known if uri not in there], kept)


def refused(walked: Walk) -> list[tuple[str, str, str]]:
    """Return path, code and reason of the first files that the walk could not take."""
    return [
        (path, _REFUSED[entry.reason], str(entry.reason))
        for entry in walked.skipped
        if entry.reason in _REFUSED
        for path in entry.examples
    ]


def _stands(row: Known, parsers: str) -> bool:
    return not _is_racy(row) and _is_valid(row, parsers)


def _is_racy(row: Known) -> bool:
    return max(row.stamp.mtime, row.stamp.ctime) > row.checked - RACY_NS


def _is_valid(row: Known, parsers: str) -> bool:
    return row.parsers == parsers if row.extractor is None else is_current(row.extractor)


def batches(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """Cut the work into batches that are read, parsed and committed together."""
    batch: list[Candidate] = []
    size = 0
    for candidate in candidates:
        batch.append(candidate)
        size += candidate.stamp.size
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def look(
    batch: Sequence[Candidate], *, addresses: Addresses, most_bytes: int, clock_file: int
) -> list[Looked | Missed]:
    """Read and hash a batch; `clock_file` is a descriptor that shows the file system's time."""
    found: list[Looked | Missed] = []
    for candidate in batch:
        try:
            raw, stamp, steady = _read(candidate.path, most_bytes)
            os.utime(clock_file)
            # What changed under our hands is looked at again next time.
            checked = os.fstat(clock_file).st_mtime_ns if steady else 0
            name = addresses.name(candidate.path)
            found.append(_looked(candidate, raw, stamp, name=name, checked=checked))
        except FileNotFoundError:
            found.append(Missed(candidate=candidate, reason=""))
        except OSError as error:
            reason = f"it cannot be read: {error.strerror or type(error).__name__}"
            found.append(Missed(candidate=candidate, reason=reason))
    return found


def _looked(candidate: Candidate, raw: bytes | None, stamp: Stamp, *, name: str, checked: int) -> Looked:
    seen = Seen(
        uri=candidate.uri,
        path=os.fsencode(candidate.path),
        name=name,
        stamp=stamp,
        checked=checked,
        raw_sha256="" if raw is None else sha256(raw),
        suffix=PurePath(candidate.path).suffix.lower(),
    )
    return Looked(candidate=candidate, seen=seen, raw=raw)


def _read(path: str, most_bytes: int) -> tuple[bytes | None, Stamp, bool]:
    """Return bytes (`None`: too many), stamp, and whether the file stood still meanwhile.

    What took the place of a regular file since the walk (a link, a pipe) is refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise FileNotFoundError(path)
        raw = stream.read(most_bytes + 1)
        stamp = stamp_of(os.fstat(descriptor))
    if len(raw) > most_bytes:
        return None, stamp, stamp == stamp_of(before)
    return raw, stamp, stamp == stamp_of(before) and len(raw) == stamp.size
