"""Files of a backup: compressed, encrypted where a passphrase is set, and never seen half-written.

Encryption is AES-256-GCM in pieces, after the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár,
"Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015): each file has a
key of its own (HKDF-SHA256 of the backup's key and 16 random bytes, RFC 5869), each piece a counter as
its nonce, and the last one says that it is the last. The file's name is authenticated with every piece:
a file that was cut, changed, or put in another's place does not open. The backup's key comes from the
passphrase by scrypt (RFC 7914).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import zstandard

from leadline.errors import BackupUnusable, MissingExtra, StoreFull, StoreUnavailable

KEY_BYTES: Final = 32
PIECE: Final = 1 << 16
"""Bytes of each encrypted piece but the last, before encryption."""

TEMPORARY: Final = ".new-"

_SALT: Final = 16
_TAG: Final = 16
_LEVEL: Final = 3
_READ: Final = 1 << 20
# Four bytes can be a block of 128 KiB (RFC 8878, 3.1.1.2): what is unpacked at a time stays below 64 MiB.
_SIP: Final = 1 << 11
_NO_SPACE: Final = frozenset({28, 122})  # ENOSPC, EDQUOT
_INFO: Final = b"leadline.backup/1 file"
_NAMES: Final = b"leadline.backup/1 names"


class Sum(NamedTuple):
    """What a file came to: the hash of its bytes as they lie there, and how many these are."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Kdf:
    """How the key comes from the passphrase: scrypt's salt and costs."""

    salt: bytes
    n: int = 1 << 17
    r: int = 8
    p: int = 1

    def key(self, passphrase: str) -> bytes:
        """Return the key; takes about half a second and 128 MiB."""
        return hashlib.scrypt(
            passphrase.encode(),
            salt=self.salt,
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=256 * self.n * self.r,
            dklen=KEY_BYTES,
        )


def check_of(key: bytes) -> str:
    """Return what tells, without opening a file, whether a key is the right one."""
    return hmac.digest(key, b"leadline.backup/1 check", "sha256").hex()


class Files:
    """Writes and reads the files of one backup folder; without a key they are plain zstd."""

    def __init__(self, key: bytes | None = None) -> None:
        """Take the key. Raises `MissingExtra` where there is one and no library for it."""
        if key is not None:
            _cryptography()
        self._key = key

    def name_of(self, body: str) -> str:
        """Return the file name of a body: its hash, or what only the key's owner can tell it by."""
        if self._key is None:
            return body
        return hmac.digest(hmac.digest(self._key, _NAMES, "sha256"), body.encode(), "sha256").hex()

    @contextmanager
    def write(self, path: Path, *, name: str) -> Iterator[Outgoing]:
        """Write a file that appears whole, when the context is left without an error. Raises `StoreError`."""
        with _translated(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    outgoing = Outgoing(file, key=self._key, name=name)
                    yield outgoing
                    outgoing.end()
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            sync_folder(path.parent)

    def read(self, path: Path, *, name: str) -> Iterator[bytes]:
        """Yield the content. Raises `BackupUnusable` for a file that is gone, cut, changed or another one."""
        try:
            with path.open("rb") as file:
                yield from _unpacked(_plain(file) if self._key is None else _opened(file, self._key, name=name))
        except FileNotFoundError as error:
            raise BackupUnusable(f"`{path}` is missing") from error
        except (zstandard.ZstdError, _Damaged) as error:
            raise BackupUnusable(f"`{path}` is damaged: {error}") from error
        except OSError as error:
            raise StoreUnavailable(f"`{path}` cannot be read: {error.strerror}") from error


class Outgoing:
    """A file that is being written."""

    def __init__(self, file: BinaryIO, *, key: bytes | None, name: str) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0
        self._packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
        self._seal: _Seal | None = None
        if key is not None:
            salt = secrets.token_bytes(_SALT)
            self._put(salt)
            self._seal = _Seal(key, salt, name=name)

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._through(self._packer.compress(data), last=False)

    def end(self) -> None:
        """Write what is left."""
        self._through(self._packer.flush(), last=True)

    @property
    def sum(self) -> Sum:
        """What was written so far, as it lies there."""
        return Sum(self._hash.hexdigest(), self._size)

    def _through(self, data: bytes, *, last: bool) -> None:
        self._put(data if self._seal is None else self._seal.sealed(data, last=last))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)


class _Damaged(Exception):
    """An encrypted file does not open."""


class _Seal:
    """One file's key and the number of the next piece."""

    def __init__(self, key: bytes, salt: bytes, *, name: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 an extra

        self._cipher = AESGCM(_file_key(key, salt))
        self._name = name.encode()
        self._number = 0
        self._waiting = bytearray()

    def sealed(self, data: bytes, *, last: bool) -> bytes:
        """Return the pieces that are full, and with `last` the rest as the last one, which may be empty."""
        self._waiting += data
        out = bytearray()
        while len(self._waiting) > PIECE:
            out += self._cipher.encrypt(self._nonce(last=False), bytes(self._waiting[:PIECE]), self._name)
            del self._waiting[:PIECE]
        if last:
            out += self._cipher.encrypt(self._nonce(last=True), bytes(self._waiting), self._name)
        return bytes(out)

    def opened(self, piece: bytes, *, last: bool) -> bytes:
        """Return a piece's content. Raises `_Damaged`."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 an extra

        try:
            return self._cipher.decrypt(self._nonce(last=last), piece, self._name)
        except InvalidTag as error:
            raise _Damaged("it does not open: it was changed, cut or moved") from error

    def _nonce(self, *, last: bool) -> bytes:
        number = self._number.to_bytes(11, "big")
        self._number += 1
        return number + bytes([last])


def _file_key(key: bytes, salt: bytes) -> bytes:
    """Return the key of one file: HKDF with one block of output."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), _INFO + b"\x01", "sha256")


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    for piece in pieces:
        for start in range(0, len(piece), _SIP):
            if data := unpacker.decompress(piece[start : start + _SIP]):
                yield data
    if not unpacker.eof:
        raise _Damaged("it ends too early")
    if unpacker.unused_data:
        raise _Damaged("it goes on behind its end")


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_READ):
        yield data


def _opened(file: BinaryIO, key: bytes, *, name: str) -> Iterator[bytes]:
    salt = file.read(_SALT)
    if len(salt) != _SALT:
        raise _Damaged("it ends too early")
    seal = _Seal(key, salt, name=name)
    piece = file.read(PIECE + _TAG)
    while True:
        following = file.read(PIECE + _TAG)
        if len(piece) < _TAG:
            raise _Damaged("it ends too early")
        yield seal.opened(piece, last=not following)
        if not following:
            return
        piece = following


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def leftovers(folder: Path) -> Iterator[Path]:
    """Yield files that a writer which died did not finish."""
    with contextlib.suppress(FileNotFoundError):
        yield from folder.rglob(f"{TEMPORARY}*")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StoreFull(f"no space is left for `{path.parent}`; free some and try again") from error
        raise StoreUnavailable(f"`{path}` cannot be written: {error.strerror}") from error


def _cryptography() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415 asked for at once, not after an hour of copying
    except ImportError as error:
        raise MissingExtra("an encrypted backup needs an extra: pip install 'leadline[server]'") from error
