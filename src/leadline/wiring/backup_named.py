"""Which bodies the tables of a backup name: what must be in it beside them."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from leadline.errors import BackupUnusable, StoreFull
from leadline.events import SourceStored, ToolAnswered
from leadline.ports.backup import Dump, Part
from leadline.research.artefacts import bodies
from leadline.tasks.packing import Packer
from leadline.tasks.sqlite import copying
from leadline.wiring.accounts import FILE
from leadline.wiring.backup import RUNS

Read: TypeAlias = Callable[[str], Iterator[bytes]]
"""Gives a file of a backup in pieces."""

_TYPES: Final = (SourceStored.type, ToolAnswered.type)
_NULL: Final = b"\\N"
_BYTES: Final = b"\\\\x"
"""How COPY begins a field of bytes."""

_REPORTS: Final = "SELECT tenant, report FROM run WHERE report IS NOT NULL"
_STEPS: Final = """
    SELECT r.tenant, s.type, s.compressed, s.body FROM step AS s JOIN run AS r ON r.key = s.run WHERE s.type IN (?, ?)
"""
_DOCUMENTS: Final = "SELECT c.tenant, {} FROM account_document AS d JOIN account_corpus AS c ON c.id = d.corpus"


class Named(NamedTuple):
    """A body of a tenant, by its hash."""

    tenant: str
    name: str


def bodies_named(dump: Dump, read: Read) -> Iterator[Named]:
    """Yield the bodies that reports, journals and corpora of a dump name, some more than once.

    Raises `BackupUnusable` for tables that are not as they should be, `StoreFull`.
    """
    parts = {part.name: part for part in dump.parts}
    try:
        yield from _of_files(parts, read) if dump.kind == "sqlite" else _of_tables(parts, read)
    except (sqlite3.Error, ValueError, KeyError) as error:
        raise BackupUnusable(f"the tables of the backup cannot be read: {error}") from error


def _of_files(parts: dict[str, Part], read: Read) -> Iterator[Named]:
    if RUNS in parts:
        with closing(_held(read(RUNS))) as connection:
            yield from _of_runs(connection)
    if FILE in parts:
        with closing(_held(read(FILE))) as connection:
            yield from _of_corpora(connection)


def _held(pieces: Iterable[bytes]) -> sqlite3.Connection:
    """Return a database whose file has no name any more: what may have been encrypted is left nowhere."""
    with tempfile.TemporaryDirectory(prefix="leadline-") as folder:
        path = Path(folder) / "tables.db"
        try:
            with path.open("wb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise StoreFull(f"`{folder}` has no room for the tables, to look at them: {error.strerror}") from error
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        try:
            copying.tables(connection)  # opens the file, before its name goes
        except BaseException:
            connection.close()
            raise
    return connection


def _of_runs(connection: sqlite3.Connection) -> Iterator[Named]:
    if not {"run", "step"} <= set(copying.tables(connection)):
        return
    packer = Packer()
    yield from (Named(tenant, report) for tenant, report in connection.execute(_REPORTS))
    for tenant, type_name, compressed, body in connection.execute(_STEPS, _TYPES):
        yield from _of_step(packer, tenant, type_name, body=body, compressed=bool(compressed))


def _of_corpora(connection: sqlite3.Connection) -> Iterator[Named]:
    columns = {row[1] for row in connection.execute("PRAGMA table_info(account_document)")}
    for column in sorted(columns & {"blob", "text"}):  # older tables have no texts
        rows = connection.execute(_DOCUMENTS.format(f"d.{column}"))
        yield from (Named(tenant, name) for tenant, name in rows if name is not None)


def _of_step(packer: Packer, tenant: str, type_name: str, *, body: bytes, compressed: bool) -> Iterator[Named]:
    event = packer.unpack(type_name, body, compressed=compressed)
    if isinstance(event, SourceStored):
        yield Named(tenant, event.source.sha256)
        yield Named(tenant, event.source.raw_sha256)
    elif isinstance(event, ToolAnswered):
        yield from (Named(tenant, name) for name in bodies(event.value))


def _of_tables(parts: dict[str, Part], read: Read) -> Iterator[Named]:
    if {"run", "step"} <= set(parts):
        tenants: dict[bytes | None, str] = {}
        for key, owner, report in _rows(parts["run"], read, ("key", "tenant", "report")):
            tenants[key] = _text(owner)
            if report is not None:
                yield Named(_text(owner), _text(report))
        packer, types = Packer(), {one.encode(): one for one in _TYPES}
        for run, type_name, compressed, body in _rows(parts["step"], read, ("run", "type", "compressed", "body")):
            if type_name in types and body is not None:
                data = bytes.fromhex(body.removeprefix(_BYTES).decode())
                yield from _of_step(packer, tenants[run], types[type_name], body=data, compressed=compressed == b"t")
    if {"account_corpus", "account_document"} <= set(parts):
        owners = {id: _text(tenant) for id, tenant in _rows(parts["account_corpus"], read, ("id", "tenant"))}
        wanted = [name for name in ("blob", "text") if name in parts["account_document"].columns]
        for corpus, *names in _rows(parts["account_document"], read, ("corpus", *wanted)):
            yield from (Named(owners[corpus], _text(name)) for name in names if name is not None)


def _rows(part: Part, read: Read, columns: tuple[str, ...]) -> Iterator[list[bytes | None]]:
    """Yield these columns of a table that COPY wrote as text: a row a line, tabs between its fields."""
    places = [part.columns.index(column) for column in columns]
    rest: list[bytes] = []
    for piece in read(part.name):
        *lines, tail = piece.split(b"\n")
        for line in lines:
            fields = b"".join((*rest, line)).split(b"\t")
            rest.clear()
            yield [None if fields[place] == _NULL else fields[place] for place in places]
        rest.append(tail)


def _text(field: bytes | None) -> str:
    """Return a word as it was: tenants and hashes hold nothing that COPY escapes but the backslash."""
    return (field or b"").replace(b"\\\\", b"\\").decode()
