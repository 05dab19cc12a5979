"""A folder of backups: one folder a backup, and the bodies that they share.

    backup.json                       the format, and how the key comes from the passphrase, where there is one
    20261123T143000Z/manifest.json    what the backup holds; written last, so one without it is unfinished
                     runs.db, ...     the tables
                     bodies.jsonl     the list of its bodies: a JSON line each
    bodies/ab/HASH                    the bodies, each once for all backups and tenants

Everything but the two `.json` is compressed with zstd. Where a passphrase is set, everything but
`backup.json` is encrypted, and names of bodies do not tell what is in them.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import orjson

from leadline.domain import sha256
from leadline.errors import BackupUnusable, InputError, MissingPath, StoreUnavailable
from leadline.ops.backup_files import Files, Kdf, Sum, check_of, sync_folder
from leadline.ports.backup import Dump, Part

FORMAT: Final = "leadline.backup/1"
HEADER: Final = "backup.json"
MANIFEST: Final = "manifest.json"
LIST: Final = "bodies.jsonl"
POOL: Final = "bodies"

_ID: Final = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_FILE: Final = re.compile(r"[a-z_]{1,60}(\.[a-z]{1,8})?")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_MOST_LINE: Final = 1 << 16


class Body(NamedTuple):
    """A body of a tenant: the hash that names it, and its size."""

    tenant: str
    name: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What one backup holds. `sums` are of its files by name; `bodies` and `body_bytes` count the list.

    `absent` are bodies that its tables name and that were not at the store any more before these were
    copied, as `TENANT/HASH`; `None` where that was not looked at.
    """

    id: str
    at: str
    software: str
    dump: Dump
    sums: dict[str, Sum]
    bodies: int
    body_bytes: int
    absent: tuple[str, ...] | None = None

    def to_json(self) -> bytes:
        """Return it as JSON, with its own hash."""
        body = {"format": FORMAT, **asdict(self), "sums": {name: list(one) for name, one in self.sums.items()}}
        return orjson.dumps({"manifest": body, "sha256": _hash(body)}, option=orjson.OPT_INDENT_2)

    @classmethod
    def of_json(cls, data: bytes) -> Self:
        """Return it again. Raises `BackupUnusable`."""
        try:
            found = orjson.loads(data)
            if _hash(found["manifest"]) != found["sha256"]:
                raise BackupUnusable("a manifest is damaged: it has another hash")
            return cls._of(found["manifest"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BackupUnusable(f"a manifest is not as it should be: {error}") from error

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Self:
        if found.pop("format") != FORMAT:
            raise BackupUnusable("a manifest is of another format; restore it with the Leadline that made it")
        dump = found.pop("dump")
        parts = tuple(
            Part(name=str(part["name"]), rows=int(part["rows"]), columns=tuple(part["columns"]))
            for part in dump.pop("parts")
        )
        tenants, keys = tuple(dump.pop("tenants")), tuple(dump.pop("secret_keys"))
        absent = found.pop("absent", None)
        absent = None if absent is None else tuple(map(str, absent))
        sums = {str(name): Sum(str(one[0]), int(one[1])) for name, one in found.pop("sums").items()}
        if not all(_FILE.fullmatch(name) for name in (*sums, *(part.name for part in parts))):
            raise BackupUnusable("a manifest names a file that no backup has")
        dumped = Dump(parts=parts, tenants=tenants, secret_keys=keys, **dump)
        return cls(dump=dumped, sums=sums, absent=absent, **found)


class Place:
    """A folder of backups, opened; made by `create` and `open`."""

    def __init__(self, folder: Path, files: Files, *, encrypted: bool) -> None:
        self.folder = folder.absolute()
        self.files = files
        self.encrypted = encrypted

    @classmethod
    def create(cls, folder: Path, *, passphrase: str | None) -> Self:
        """Open a folder to write a backup into, or make it; with a passphrase a new one is encrypted.

        Raises `InputError` for a folder that holds something else, and for one that was begun with
        or without a passphrase when this is the other way round; as `open` besides.
        """
        header = folder / HEADER
        if header.exists():
            if passphrase is not None and not is_encrypted(folder):
                raise InputError(f"the backups in {folder} are not encrypted; name another folder for encrypted ones")
            return cls.open(folder, passphrase=passphrase)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise InputError(f"{folder} holds something else; name an empty folder, or one of backups")
            kdf = None if passphrase is None else Kdf(salt=secrets.token_bytes(16))
            key = None if kdf is None or passphrase is None else kdf.key(passphrase)
            files = Files(key)
            _write(header, orjson.dumps(_header(kdf, key), option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise StoreUnavailable(f"{folder} cannot be written: {error.strerror}") from error
        return cls(folder, files, encrypted=key is not None)

    @classmethod
    def open(cls, folder: Path, *, passphrase: str | None) -> Self:
        """Open a folder of backups.

        Raises `MissingPath` where there is none, `InputError` where it needs a passphrase and there
        is none, or there is one and it needs none: whoever can write there could put backups of
        their own in the place of encrypted ones. `BackupUnusable` for a wrong one and for a damaged folder.
        """
        try:
            found = orjson.loads((folder / HEADER).read_bytes())
            kdf = None if found["scrypt"] is None else _kdf(found["scrypt"])
            known = found["format"] == FORMAT
        except FileNotFoundError as error:
            raise MissingPath(f"{folder} is no folder of backups: it has no {HEADER}") from error
        except OSError as error:
            raise StoreUnavailable(f"{folder} cannot be read: {error.strerror}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise BackupUnusable(f"`{folder / HEADER}` is damaged: {error}") from error
        if not known:
            raise BackupUnusable(f"the backups in {folder} are of another format; use the Leadline that made them")
        if kdf is None:
            if passphrase is not None:
                raise InputError(
                    f"the backups in {folder} are not encrypted, anybody could have made them; "
                    "take LEADLINE_BACKUP__PASSPHRASE away to use them all the same"
                )
            return cls(folder, Files(), encrypted=False)
        if passphrase is None:
            raise InputError(f"the backups in {folder} are encrypted; set LEADLINE_BACKUP__PASSPHRASE")
        key = kdf.key(passphrase)
        if not hmac.compare_digest(check_of(key), str(found["check"])):
            raise BackupUnusable(f"the passphrase does not open the backups in {folder}")
        return cls(folder, Files(key), encrypted=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else write here for the length of the context. Raises `InputError` where somebody does."""
        handle = os.open(self.folder / HEADER, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(f"another backup is being written into {self.folder}; wait for its end") from error
            yield
        finally:
            os.close(handle)

    def finished(self) -> tuple[str, ...]:
        """Return the ids of all finished backups, the newest last."""
        return tuple(one for one in self._ids() if (self.folder / one / MANIFEST).exists())

    def unfinished(self) -> tuple[str, ...]:
        """Return the ids of backups whose writing was cut off."""
        return tuple(one for one in self._ids() if not (self.folder / one / MANIFEST).exists())

    def _ids(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if _ID.fullmatch(path.name) and path.is_dir())

    def part(self, id: str, name: str) -> Path:
        """Return where a file of a backup lies."""
        return self.folder / id / name

    def body(self, name: str) -> Path:
        """Return where a body lies."""
        file = self.files.name_of(name)
        return self.folder / POOL / file[:2] / file

    def write_manifest(self, manifest: Manifest) -> None:
        """Finish a backup."""
        path = self.part(manifest.id, MANIFEST)
        if not self.encrypted:
            _write(path, manifest.to_json())
        else:
            with self.files.write(path, name=_called(manifest.id, MANIFEST)) as out:
                out.write(manifest.to_json())
        sync_folder(self.folder)

    def manifest(self, id: str | None = None) -> Manifest:
        """Return the manifest of a backup, the newest where none is named. Raises `MissingPath`, `BackupUnusable`."""
        finished = self.finished()
        if id is None and not finished:
            why = "its writing was cut off" if self.unfinished() else "there is none"
            raise BackupUnusable(f"{self.folder} has no finished backup: {why}; make one with: leadline backup")
        if id is not None and id not in finished:
            if id in self.unfinished():
                raise BackupUnusable(f"the backup {id} is not finished: its writing was cut off")
            raise MissingPath(f"{self.folder} has no backup {id}; there are: {', '.join(finished) or 'none'}")
        chosen = id or finished[-1]
        path = self.part(chosen, MANIFEST)
        sealed = self.files.read(path, name=_called(chosen, MANIFEST)) if self.encrypted else None
        data = path.read_bytes() if sealed is None else b"".join(sealed)
        manifest = Manifest.of_json(data)
        if manifest.id != chosen:
            raise BackupUnusable(f"`{path}` is of another backup: {manifest.id[:80]!r}")
        return manifest

    def read_part(self, id: str, name: str) -> Iterator[bytes]:
        """Yield a file's content. Raises `BackupUnusable`."""
        return self.files.read(self.part(id, name), name=_called(id, name))

    def sum_of(self, id: str, name: str) -> Sum:
        """Return what a file is, as it lies there. Raises `BackupUnusable` where it is missing."""
        path = self.part(id, name)
        try:
            with path.open("rb") as file:
                return Sum(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())
        except FileNotFoundError as error:
            raise BackupUnusable(f"`{path}` is missing") from error

    @contextmanager
    def write_part(self, id: str, name: str, sums: dict[str, Sum]) -> Iterator[Any]:
        """Write a file of a backup, and its sum into `sums`."""
        with self.files.write(self.part(id, name), name=_called(id, name)) as out:
            yield out
        sums[name] = out.sum

    def bodies(self, id: str) -> Iterator[Body]:
        """Yield the list of a backup's bodies. Raises `BackupUnusable`."""
        rest = b""
        for piece in self.read_part(id, LIST):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _MOST_LINE:
                raise BackupUnusable("the list of bodies has a line that is none: it does not end")
            for line in lines:
                yield _body(line)

    def read_body(self, body: Body) -> Iterator[bytes]:
        """Yield a body's bytes; the caller holds them against its hash. Raises `BackupUnusable`."""
        return self.files.read(self.body(body.name), name=self.files.name_of(body.name))

    def write_body(self, name: str, data: bytes) -> int:
        """Write a body of this hash, whole or not at all; return the bytes that it takes."""
        with self.files.write(self.body(name), name=self.files.name_of(name)) as out:
            out.write(data)
        return out.sum.size

    def has_body(self, name: str) -> bool:
        """Tell whether a body is there, not looking into it."""
        with suppress(OSError):
            return self.body(name).stat().st_size > 0
        return False


def _hash(body: dict[str, Any]) -> str:
    return sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))


def is_encrypted(folder: Path) -> bool:
    """Tell whether a folder holds encrypted backups; what cannot be read is for `open` to refuse."""
    try:
        return orjson.loads((folder / HEADER).read_bytes())["scrypt"] is not None
    except (OSError, KeyError, TypeError, ValueError):
        return False


def line_of(body: Body) -> bytes:
    """Return a body's line in the list."""
    return orjson.dumps([body.tenant, body.name, body.size]) + b"\n"


def _body(line: bytes) -> Body:
    try:
        tenant, name, size = orjson.loads(line)
        body = Body(str(tenant), str(name), int(size))
    except (TypeError, ValueError) as error:
        raise BackupUnusable(f"the list of bodies has a line that is none: {line[:80]!r}") from error
    if not _HASH.fullmatch(body.name):  # it becomes a path
        raise BackupUnusable(f"the list of bodies has a line that is none: {line[:80]!r}")
    return body


def _called(id: str, name: str) -> str:
    """Return what a file is bound to."""
    return f"{id}/{name}"


def _header(kdf: Kdf | None, key: bytes | None) -> dict[str, Any]:
    if kdf is None or key is None:
        return {"format": FORMAT, "scrypt": None}
    scrypt = {"salt": kdf.salt.hex(), "n": kdf.n, "r": kdf.r, "p": kdf.p}
    return {"format": FORMAT, "scrypt": scrypt, "check": check_of(key)}


def _kdf(found: dict[str, Any]) -> Kdf:
    kdf = Kdf(salt=bytes.fromhex(found["salt"]), n=int(found["n"]), r=int(found["r"]), p=int(found["p"]))
    sound = min(kdf.n - 1, kdf.r, kdf.p) > 0 and not kdf.n & (kdf.n - 1)
    if not sound or kdf.n * kdf.r * kdf.p > 1 << 24:
        raise ValueError("costs of scrypt that no backup has")
    return kdf


def _write(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)
