"""`leadline backup`: everything that cannot be made again, copied while the service runs, and read back.

Tables are copied first, as of one moment; then the bodies: a body is stored before a journal names it.
What retention sweeps in between is found by what the tables name: they are copied again then.

What is not copied can be made again (caches, indexes of local folders) or must lie elsewhere (settings,
and the key that secrets are encrypted with). Secrets stay encrypted, keys of the service are hashes.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import orjson

from leadline.domain import sha256
from leadline.errors import BackupUnusable, BlobMissing
from leadline.ops.backup_files import Sum, leftovers
from leadline.ops.backup_place import LIST, POOL, Body, Manifest, Place, line_of
from leadline.ports import Clock
from leadline.ports.backup import Dump, Write
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.version import __version__
from leadline.wiring.backup import Holdings, holdings
from leadline.wiring.backup_named import bodies_named

LAST: Final = "last.json"
"""Written into the data folder's `backups` after a backup: `{"at", "target", "bytes", "verified"}`."""

AT_ONCE: Final = 4
"""Bodies that are copied at a time."""

ROUNDS: Final = 5
"""Times that the tables are copied at most, while bodies that they name are swept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """What a backup did: `copied` bodies were written, `kept` were there; `bytes` counts what was written.

    `lost` are bodies that the store lists and cannot give, `absent` those that its tables name and that
    the store did not have when they were copied: they are not in the backup.
    """

    id: str
    folder: Path
    at: str
    bytes: int
    runs: int
    tenants: int
    copied: int
    kept: int
    lost: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    secret_keys: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether all that there is was copied and read back."""
        return not self.lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What reading a backup through found; `problems` is empty for a good one."""

    id: str
    at: str
    files: int
    bodies: int
    bytes: int
    runs: int
    encrypted: bool
    problems: tuple[str, ...]
    unfinished: tuple[str, ...]


@dataclass(slots=True)
class _Count:
    """What was copied so far."""

    bytes: int = 0
    copied: int = 0
    kept: int = 0
    sizes: int = 0
    lost: list[str] = field(default_factory=list)

    def next(self) -> _Count:
        """Return the count of another round: what was written stays so, what is there is looked at anew."""
        return _Count(bytes=self.bytes, copied=self.copied, kept=-self.copied)


async def back_up(
    settings: Settings,
    folder: Path,
    *,
    incremental: bool = False,
    passphrase: str | None = None,
    clock: Clock | None = None,
) -> Backup:
    """Write a backup of all that the settings name into a folder, and read back what was written.

    With `incremental`, bodies that an earlier backup in the folder has are not read again: their
    size alone is looked at. With `passphrase` a new folder is encrypted; an encrypted one needs it.
    What an earlier call did not finish is taken away. Raises `InputError`, `StoreError`,
    `SettingsError`, and `BackupUnusable` also where bodies are deleted faster than they are copied.
    """
    clock = clock or SystemClock()
    async with holdings(settings) as held:
        place = await asyncio.to_thread(Place.create, folder, passphrase=passphrase)
        with place.alone():
            await asyncio.to_thread(_tidy, place)
            made = await _Making(place, held, incremental=incremental).make(clock.now())
        note = {"at": made.at, "target": str(place.folder), "bytes": made.bytes, "verified": made.verified}
        await asyncio.to_thread(write_note, held.notes / LAST, note)
    return made


class _Making:
    """One backup that is being written."""

    def __init__(self, place: Place, held: Holdings, *, incremental: bool) -> None:
        self._place = place
        self._held = held
        self._incremental = incremental
        self._sums: dict[str, Sum] = {}
        self._count = _Count()

    async def make(self, now: float) -> Backup:
        """Write tables, bodies, manifest; the manifest makes it one."""
        at = datetime.fromtimestamp(now, UTC)
        id = _free(self._place, at)
        dump, absent = await self._whole(id)
        await asyncio.to_thread(_read_back, self._place, id, self._sums)
        count = self._count
        manifest = Manifest(
            id=id,
            at=at.isoformat(timespec="seconds"),
            software=__version__,
            dump=dump,
            sums=self._sums,
            bodies=count.copied + count.kept,
            body_bytes=count.sizes,
            absent=tuple(sorted(absent)),
        )
        await asyncio.to_thread(self._place.write_manifest, manifest)
        return Backup(
            id=id,
            folder=self._place.folder,
            at=manifest.at,
            bytes=count.bytes + sum(one.size for one in self._sums.values()),
            runs=dump.runs,
            tenants=len(dump.tenants),
            copied=count.copied,
            kept=count.kept,
            lost=tuple(count.lost),
            absent=tuple(sorted(absent)),
            secret_keys=dump.secret_keys,
        )

    async def _whole(self, id: str) -> tuple[Dump, frozenset[str]]:
        """Copy tables and bodies until no body is missing that was there when the tables were copied.

        Return what the tables are, and what was missing before. What was missing in an earlier round, or
        in an earlier backup, and is named still by tables that were copied since, was missing by then.
        """
        known = await asyncio.to_thread(_known_absent, self._place)
        for _ in range(ROUNDS):
            dump = await self._held.tables.dump(lambda name: self._outlet(id, name))
            async with self._outlet(id, LIST) as write:
                for tenant in dump.tenants:
                    await self._bodies(tenant, write)
            absent = await asyncio.to_thread(_absent, self._place, id, dump)
            if absent <= known:
                return dump, absent
            known |= absent
            self._count, self._incremental = self._count.next(), True
        raise BackupUnusable(
            f"bodies that runs name were deleted while they were copied, {ROUNDS} times over; "
            "try again when no `leadline gc` runs"
        )

    @asynccontextmanager
    async def _outlet(self, id: str, name: str) -> AsyncIterator[Write]:
        context = self._place.write_part(id, name, self._sums)
        out = await asyncio.to_thread(context.__enter__)
        try:
            yield lambda data: asyncio.to_thread(out.write, data)
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__))
            raise
        await asyncio.to_thread(context.__exit__, None, None, None)

    async def _bodies(self, tenant: str, write: Write) -> None:
        async for page in self._held.bodies.names(tenant):
            for start in range(0, len(page), AT_ONCE):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._body(tenant, name)) for name in page[start : start + AT_ONCE]]
                found = [body for body in (task.result() for task in tasks) if body is not None]
                await write(b"".join(map(line_of, found)))
                self._count.sizes += sum(body.size for body in found)

    async def _body(self, tenant: str, name: str) -> Body | None:
        """Copy one body, unless it is there; `None` where its store cannot give it."""
        if self._incremental and await asyncio.to_thread(self._place.has_body, name):
            self._count.kept += 1
            return Body(tenant, name, (await asyncio.to_thread(self._place.body(name).stat)).st_size)
        try:
            data = await self._held.bodies.get(tenant, name)
        except BlobMissing:
            self._count.lost.append(name)
            return None
        stored = await asyncio.to_thread(_copied, self._place, name, data)
        self._count.copied += 1
        self._count.bytes += stored
        return Body(tenant, name, stored)


async def verify(folder: Path, *, id: str | None = None, passphrase: str | None = None) -> Checked:
    """Read a backup through, the newest where none is named: every file, every body against its hash.

    Raises `MissingPath`, `InputError` without a passphrase that is needed, `BackupUnusable` where
    there is no finished backup or the passphrase is another.
    """
    return await asyncio.to_thread(_verified, folder, id, passphrase)


def _verified(folder: Path, id: str | None, passphrase: str | None) -> Checked:
    place = Place.open(folder, passphrase=passphrase)
    manifest = place.manifest(id)
    problems = list(damages(place, manifest))
    return Checked(
        id=manifest.id,
        at=manifest.at,
        files=len(manifest.sums),
        bodies=manifest.bodies,
        bytes=sum(one.size for one in manifest.sums.values()) + manifest.body_bytes,
        runs=manifest.dump.runs,
        encrypted=place.encrypted,
        problems=tuple(problems),
        unfinished=place.unfinished(),
    )


def damages(place: Place, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with a backup, reading all of it."""
    wanted = {LIST, *(part.name for part in manifest.dump.parts)}
    yield from (f"the manifest lacks the sum of `{name}`" for name in sorted(wanted - set(manifest.sums)))
    for name in manifest.sums:
        yield from _told(partial(check_part, place, manifest.id, name, told=manifest.sums[name]))
    if LIST not in manifest.sums:
        return
    count = 0
    for body in _listed(place, manifest):
        if isinstance(body, str):
            yield body
            return
        count += 1
        yield from _told(partial(_check_body, place, body))
    if count != manifest.bodies:
        yield f"the list has {count} bodies, the manifest {manifest.bodies}"
    yield from _told(partial(_check_named, place, manifest))


def _check_named(place: Place, manifest: Manifest) -> None:
    """Raise `BackupUnusable` where a body is not in the backup that its tables name, and that was at the store."""
    if manifest.absent is None:
        return  # of a version that did not look
    missing = _absent(place, manifest.id, manifest.dump) - frozenset(manifest.absent)
    if missing:
        raise BackupUnusable(f"{len(missing)} bodies that its tables name are not in it, the first one {min(missing)}")


def _absent(place: Place, id: str, dump: Dump) -> frozenset[str]:
    """Return the bodies that the tables of a backup name and that its list has not, as `TENANT/HASH`."""
    named = {f"{one.tenant}/{one.name}" for one in bodies_named(dump, partial(place.read_part, id))}
    named.difference_update(f"{body.tenant}/{body.name}" for body in place.bodies(id))
    return frozenset(named)


def _known_absent(place: Place) -> frozenset[str]:
    """Return what the newest backup did without already; one that cannot be read is for `verify` to tell of."""
    try:
        return frozenset(place.manifest().absent or ())
    except BackupUnusable:
        return frozenset()


def _listed(place: Place, manifest: Manifest) -> Iterator[Body | str]:
    try:
        yield from place.bodies(manifest.id)
    except BackupUnusable as error:
        yield str(error)


def _told(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except BackupUnusable as error:
        yield str(error)


def check_part(place: Place, id: str, name: str, *, told: Sum) -> None:
    """Raise `BackupUnusable` where a file is not what was written."""
    found = place.sum_of(id, name)
    if found != told:
        raise BackupUnusable(f"`{place.part(id, name)}` is damaged: its bytes have another hash")
    for _ in place.read_part(id, name):
        pass


def checked_body(place: Place, body: Body) -> bytes:
    """Return a body. Raises `BackupUnusable` where it is not the one that its name says."""
    data = b"".join(place.read_body(body))
    _check_hash(place, body, sha256(data))
    return data


def _check_body(place: Place, body: Body) -> None:
    """Raise `BackupUnusable` where a body is not the one that its name says; it is never whole in memory."""
    found = hashlib.sha256()
    for piece in place.read_body(body):
        found.update(piece)
    _check_hash(place, body, found.hexdigest())


def _check_hash(place: Place, body: Body, found: str) -> None:
    if found != body.name:
        raise BackupUnusable(f"`{place.body(body.name)}` is damaged: its bytes have another hash")


def write_note(path: Path, note: dict[str, object]) -> None:
    """Write down what was done, for those that look after it; it appears whole."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(orjson.dumps(note) + b"\n")
    new.replace(path)


def _copied(place: Place, name: str, data: bytes) -> int:
    """Write a body and read it back; return the bytes that it takes."""
    stored = place.write_body(name, data)
    _check_body(place, Body("", name, stored))
    return stored


def _read_back(place: Place, id: str, sums: dict[str, Sum]) -> None:
    for name, told in sums.items():
        check_part(place, id, name, told=told)


def _free(place: Place, at: datetime) -> str:
    """Return an id that no backup has."""
    plain = at.strftime("%Y%m%dT%H%M%SZ")
    taken: Sequence[str] = (*place.finished(), *place.unfinished())
    number = 1
    id = plain
    while id in taken:
        number += 1
        id = f"{plain}-{number}"
    return id


def _tidy(place: Place) -> None:
    """Take away what earlier backups did not finish; bodies that they copied are kept."""
    for id in place.unfinished():
        shutil.rmtree(place.folder / id)
    for path in leftovers(place.folder / POOL):
        path.unlink(missing_ok=True)
