"""One zip of all of a run, and its check without the platform that made it.

    manifest.json             schema, run id, software, and the SHA-256 of every other file
    report.json, report.md, report.html
    journal.jsonl             one event a line, in order
    sources.json              what the journal says of each source, by id
    texts/{sha256}.txt        stored texts, named by the hash of their bytes
    raw/{sha256}              the bytes they were extracted from, where they were kept
    artefacts/{sha256}*       pictures (.png) and files that programs made, and the programs (.py)

Times inside the zip are fixed: the same run gives the same bytes. What an export cannot show is
who made it: whoever changes evidence, report and every hash alike makes another export.
"""

from __future__ import annotations

import errno
import hashlib
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import orjson

from leadline import codec
from leadline.domain import Report, Source, sha256
from leadline.errors import BlobMissing, CheckFailed, InputError, StoreFull
from leadline.events import Record
from leadline.research.reporting.foreign import read_report
from leadline.research.reporting.html import to_html
from leadline.research.reporting.markdown import to_markdown
from leadline.research.reporting.report import to_json
from leadline.telling.artefacts import FOLDER, NO_BODIES, paths
from leadline.telling.numbering import closed
from leadline.version import __version__

SCHEMA: Final = "leadline.export/1"

LARGEST: Final = 4 << 30
"""Bytes that an export may unpack to."""

HELD: Final = 1 << 30
"""Bytes of stored texts and records that are kept in memory while an export is checked."""

MOST_FILES: Final = 100_000
"""Files that an export may hold."""

_UNSUSPECTED: Final = 64 << 20
_RATIO: Final = 200
"""Above `_UNSUSPECTED` bytes an export may unpack to so many times its size."""

_NAME: Final = re.compile(
    r"(?:manifest|report|sources)\.json|report\.(?:md|html)|journal\.jsonl|texts/[0-9a-f]{64}\.txt|raw/[0-9a-f]{64}"
    r"|artefacts/[0-9a-f]{64}(?:\.png|\.py)?"
)
_NEEDED: Final = ("manifest.json", "report.json")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FILE_MODE: Final = 0o644 << 16
_CHUNK: Final = 1 << 20
_ENCRYPTED: Final = 0x1
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_SHOWN: Final = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """What an export holds: its report, stored texts by their hash, and what does not fit together."""

    report: Report
    texts: Mapping[str, str]
    problems: tuple[str, ...]

    def read(self, text_sha256: str) -> str:
        """Return a stored text by its hash. Raises `BlobMissing`."""
        try:
            return self.texts[text_sha256]
        except KeyError:
            raise BlobMissing(f"the export does not hold the stored text {text_sha256}") from None


def digest(data: bytes) -> str:
    """Return the hash by which bytes are stored."""
    return sha256(data)


# --- writing ---------------------------------------------------------------------------------


def write(
    path: Path,
    *,
    report: Report,
    records: Sequence[Record],
    sources: Mapping[str, Source],
    texts: Mapping[str, str],
    raws: Mapping[str, bytes],
    bodies: Mapping[str, bytes] = NO_BODIES,
) -> None:
    """Write the zip beside `path` and move it there when it is whole.

    `texts` are stored texts by source id, `raws` raw bytes by their hash, `bodies` what programs
    made and their texts, by hash. Raises `InputError`
    where the place cannot be written, `StoreFull` where no space is left.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            pack(file, report=report, records=records, sources=sources, texts=texts, raws=raws, bodies=bodies)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        kind = StoreFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else InputError
        raise kind(f"cannot write {path}: {error.strerror}") from error


def pack(
    file: IO[bytes],
    *,
    report: Report,
    records: Sequence[Record],
    sources: Mapping[str, Source],
    texts: Mapping[str, str],
    raws: Mapping[str, bytes],
    bodies: Mapping[str, bytes] = NO_BODIES,
) -> None:
    """Write the zip to an open file; see `write`."""
    files = {
        "report.json": to_json(report),
        "report.md": to_markdown(report, bodies).encode(),
        "report.html": to_html(report, texts, bodies).encode(),
        "journal.jsonl": b"".join(line(record) + b"\n" for record in records),
        "sources.json": codec.canonical(dict(sources)),
    }
    files |= {f"texts/{sources[s].sha256}.txt": _bytes(texts[s]) for s in sorted(texts)}
    files |= {f"raw/{name}": raws[name] for name in sorted(raws)}
    files |= {place: bodies[name] for place, name in sorted(paths(report).items()) if name in bodies}
    manifest = {
        "schema": SCHEMA,
        "run_id": report.run_id,
        "software": __version__,
        "files": {name: sha256(body) for name, body in files.items()},
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, body in {"manifest.json": codec.canonical(manifest), **files}.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, _FILE_MODE  # the same on every system
            zipped.writestr(info, body)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def line(record: Record) -> bytes:
    """Return a record as one line of JSON: `seq`, `at`, `branch`, `type`, and the event's own fields."""
    body = orjson.loads(codec.encode(record.event))
    return codec.encode(
        {"seq": record.seq, "at": record.at, "branch": record.branch, "type": record.event.type, **body}
    )


# --- checking --------------------------------------------------------------------------------


def open_archive(path: Path) -> Opened:
    """Read an export and compare every file with its hash, in the manifest and in its own name.

    Nothing is unpacked to disk. `problems` say what was changed, added or taken away; whether the
    report stands on the texts is `recheck`'s to say. Raises `CheckFailed` for a file that is no
    export or is built to drown its reader, `InputError` where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            packed = file.seek(0, 2)
            return _Reader(str(path), file, packed=packed).opened()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


class _Reader:
    """Reads an export that may be hostile: sizes are checked before anything is unpacked."""

    def __init__(self, path: str, file: IO[bytes], *, packed: int) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, LookupError, OSError) as error:
            raise CheckFailed(f"{path} is not a whole zip file: {error}") from error
        members = self._zip.infolist()
        total = sum(member.file_size for member in members)
        if len(members) > MOST_FILES:
            raise CheckFailed(f"{path} holds {len(members):,} files; at most {MOST_FILES:,} are read")
        if total > LARGEST or total > max(_UNSUSPECTED, _RATIO * packed):
            raise CheckFailed(f"{path}: {packed:,} bytes unpack to {total:,}: it looks like a zip bomb")
        self._members = {m.filename: m for m in members if _NAME.fullmatch(m.filename)}
        names = Counter(member.filename for member in members)
        self.problems = [f"{_short(n)}: no file of an export" for n in names if not _NAME.fullmatch(n)]
        self.problems += [f"{_short(n)}: stands {count} times" for n, count in names.items() if count > 1]
        self._hashes: dict[str, str] = {}
        self._held = 0

    def opened(self) -> Opened:
        """Return what the export holds."""
        for name in _NEEDED:
            if name not in self._members:
                raise CheckFailed(f"{self._path} is no export of a run: it has no {name}")
        listed, software = self._manifest(self._whole("manifest.json"))
        body = self._whole("report.json")
        report = read_report(body)
        cited = {f"texts/{source.sha256}.txt" for source in report.sources}
        texts = {name[6:-4]: _decoded(self._whole(name)) for name in self._members if name in cited}
        bodies = {name: self._whole(place) for place, name in paths(report).items() if place in self._members}
        journal = self._whole("journal.jsonl") if "journal.jsonl" in self._members else b""
        for name in self._members:
            if name not in self._hashes:
                self._hashes[name] = self._hashed(name)
        self.problems += self._against(listed)
        self.problems += self._own_names()
        self.problems += _journal(journal, sha256(body))
        if software == __version__ and not self.problems and closed(report):
            held = {source.id: texts[source.sha256] for source in report.sources if source.sha256 in texts}
            self.problems += self._says("report.md", to_markdown(report, bodies))
            self.problems += self._says("report.html", to_html(report, held, bodies))
        return Opened(report=report, texts=texts, problems=tuple(self.problems))

    def _manifest(self, body: bytes) -> tuple[Mapping[str, str], str]:
        try:
            manifest = orjson.loads(body)
            listed, schema, software = manifest["files"], manifest["schema"], manifest["software"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise CheckFailed(f"{self._path} is no export of a run: bad manifest ({error})") from error
        sound = isinstance(listed, dict) and all(isinstance(value, str) for value in (*listed.values(), software))
        if schema != SCHEMA or not sound:
            raise CheckFailed(f"{self._path} is no export of schema {SCHEMA}")
        return listed, software

    def _against(self, listed: Mapping[str, str]) -> Iterator[str]:
        """Yield what the manifest says otherwise."""
        for name in self._members:
            if name != "manifest.json" and name not in listed:
                yield f"{name}: not in the manifest"
        for name, expected in listed.items():
            if name not in self._members:
                yield f"{_short(name)}: missing"
            elif self._hashes[name] != expected:
                yield f"{name}: its bytes changed"

    def _own_names(self) -> Iterator[str]:
        """Yield the bodies whose hash is not the one that they are named by."""
        for name, found in self._hashes.items():
            folder, _, rest = name.partition("/")
            if folder in {"texts", "raw", FOLDER} and rest.partition(".")[0] != found:
                yield f"{name}: its bytes do not have the hash that names them"

    def _says(self, name: str, expected: str) -> Iterator[str]:
        if name in self._hashes and sha256(expected.encode()) != self._hashes[name]:
            yield f"{name}: it does not say what report.json says"

    def _chunks(self, name: str) -> Iterator[bytes]:
        member = self._members[name]
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise CheckFailed(f"{self._path}: {name} is encrypted or packed by a method that exports do not use")
        try:
            with self._zip.open(member) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError) as error:
            raise CheckFailed(f"{self._path}: {name} is damaged: {error}") from error

    def _hashed(self, name: str) -> str:
        found = hashlib.sha256()
        for chunk in self._chunks(name):
            found.update(chunk)
        return found.hexdigest()

    def _whole(self, name: str) -> bytes:
        self._held += self._members[name].file_size
        if self._held > HELD:
            raise CheckFailed(f"{self._path}: its texts are larger than {HELD:,} bytes together")
        body = b"".join(self._chunks(name))
        self._hashes[name] = sha256(body)
        return body


def _journal(journal: bytes, report: str) -> Iterator[str]:
    """Yield whether the journal ends with another report than this one."""
    last = journal.rstrip(b"\n").rpartition(b"\n")[2]
    if not last:
        return
    try:
        end = orjson.loads(last)
    except orjson.JSONDecodeError:
        end = None
    if not isinstance(end, dict) or end.get("type") != "run_finished":
        yield "journal.jsonl: it does not end with the run's end"
    elif end.get("report") != report:
        yield "report.json: it is not the report that the journal ends with"


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace")  # not what its name says: told among the problems


def _short(name: str) -> str:
    return ascii(name[:_SHOWN])[1:-1]
