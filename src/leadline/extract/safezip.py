"""Read members of zip-based documents without being drowned by them."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Final

from leadline.errors import BrokenDocument, EncryptedDocument, TooLarge
from leadline.extract.types import MIB, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK: Final = 1 << 16
_MOST_MEMBERS: Final = 20_000
_ENCRYPTED_FLAG: Final = 0x1
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class SafeZip:
    """An archive held to `limits`: by the sizes it declares, and by what really comes out.

    All that is read counts against one allowance, so that members which share packed bytes cannot
    multiply. Raises `BrokenDocument` for what is no sound archive, `EncryptedDocument` for
    password-protected members, `TooLarge` for bombs.
    """

    def __init__(self, raw: bytes, limits: Limits) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(raw))
            members = self._archive.infolist()
        except (
            zipfile.BadZipFile,
            ValueError,
            OSError,
            EOFError,
            NotImplementedError,
            LookupError,
        ) as error:
            msg = f"the archive is damaged: {error}"
            raise BrokenDocument(msg) from error
        self._packed = len(raw)
        self._allowance = min(limits.unpacked, max(limits.ratio * len(raw), MIB))
        self._unpacked = 0
        if len(members) > _MOST_MEMBERS:
            msg = f"the archive has {len(members)} members; at most {_MOST_MEMBERS} are read"
            raise TooLarge(msg)
        self._check_declared(sum(member.file_size for member in members))
        self._members = {member.filename.lower(): member for member in members}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._members

    def names(self) -> list[str]:
        """Return the names of all members, as written in the archive."""
        return [member.filename for member in self._members.values()]

    def chunks(self, name: str) -> Iterator[bytes]:
        """Unpack one member piece by piece; names compare without case, as Office reads them."""
        member = self._members.get(name.lower())
        if member is None:
            msg = f"the archive has no part `{name}`"
            raise BrokenDocument(msg)
        if member.flag_bits & _ENCRYPTED_FLAG:
            msg = f"the part `{name}` is encrypted; save the document without a password"
            raise EncryptedDocument(msg)
        if member.compress_type not in _METHODS:
            msg = f"the part `{name}` is packed by a method not used in documents"
            raise BrokenDocument(msg)
        try:
            with self._archive.open(member) as stream:
                while chunk := stream.read(_CHUNK):
                    self._count(len(chunk))
                    yield chunk
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            ValueError,
            OSError,
            NotImplementedError,
        ) as error:
            msg = f"the part `{name}` is damaged: {error}"
            raise BrokenDocument(msg) from error

    def read(self, name: str) -> bytes:
        """Unpack one member whole."""
        return b"".join(self.chunks(name))

    def _check_declared(self, total: int) -> None:
        if total > self._allowance:
            self._refuse(total)

    def _count(self, length: int) -> None:
        self._unpacked += length
        if self._unpacked > self._allowance:
            self._refuse(self._unpacked)

    def _refuse(self, total: int) -> None:
        msg = (
            f"{self._packed} packed bytes unpack to {total} or more; "
            f"at most {self._allowance} are read: it looks like a zip bomb"
        )
        raise TooLarge(msg)
