"""A bucket: how it is reached, where in it a body lies, and what its failures mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import zstandard

from leadline.blobs.directory import LARGEST, tenant_name
from leadline.domain import sha256
from leadline.errors import BlobMissing, MissingExtra, StoreError, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

HASH: Final = re.compile(r"[0-9a-f]{64}")

_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_FULL: Final = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "StorageQuotaExceeded"})
_CONNECT: Final = timedelta(seconds=5)
_REQUEST: Final = timedelta(seconds=60)
_SILENT: Final = timedelta(seconds=15)
_RETRIES: Final = 3
_RETRY: Final = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """A bucket and a prefix of keys in it.

    `endpoint` is the server's address, `None` for Amazon's of the `region`. With `path_style` the
    bucket stands in the path, else before the host. Without `access_key` and `secret_key`
    credentials are looked for as Amazon's own clients do: the environment (`AWS_...`), a web
    identity, the container's, the machine's.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"
    path_style: bool = True
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    def open(self) -> S3Store:
        """Return a client; it connects when it is used. Raises `MissingExtra`, `StoreError`."""
        try:
            from obstore.exceptions import BaseError  # noqa: PLC0415 an extra
            from obstore.store import S3Store  # noqa: PLC0415 an extra
        except ImportError as error:
            raise MissingExtra("S3 needs an extra: pip install 'leadline[s3]'") from error
        options: dict[str, Any] = {
            "region": self.region,
            "virtual_hosted_style_request": not self.path_style,
            "disable_bulk_delete": True,  # not every server has the deletion of many
        }
        if self.endpoint is not None:
            options["endpoint"] = self._endpoint(self.endpoint)
        if self.access_key is not None and self.secret_key is not None:
            options |= {"access_key_id": self.access_key, "secret_access_key": self.secret_key}
        try:
            return S3Store(
                self.name,
                config=options,  # type: ignore[arg-type]  # a mapping of plain values, as the stub's class has them
                client_options={
                    "allow_http": self.endpoint is not None and self.endpoint.startswith("http://"),
                    "connect_timeout": _CONNECT,
                    "read_timeout": _SILENT,
                    "timeout": _REQUEST,
                },
                retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY},
            )
        except (BaseError, ValueError) as error:
            raise StoreError(f"{self} cannot be opened: {_first_line(error)}") from error

    def folder(self, tenant: str) -> str:
        """Return the beginning of all keys of a tenant."""
        name = tenant_name(tenant).replace("%", "=")  # which a key would hold escaped
        return f"{self.prefix}/{name}" if self.prefix else name

    def key(self, tenant: str, name: str) -> str:
        """Return a body's key. Raises `BlobMissing` for what is no hash."""
        return f"{self.folder(tenant)}/{checked(name)}"

    def _endpoint(self, endpoint: str) -> str:
        if self.path_style:
            return endpoint
        scheme, _, host = endpoint.partition("://")
        return f"{scheme}://{self.name}.{host}"


def checked(name: str) -> str:
    """Return a hash as it is. Raises `BlobMissing` for what is none."""
    if not HASH.fullmatch(name):
        raise BlobMissing(f"no SHA-256: {name[:80]!r}")
    return name


def unpacked(stored: bytes, name: str) -> bytes:
    """Return the body of a stored object, which is compressed or not. Raises `BlobMissing` for a damaged one."""
    if sha256(stored) == name:
        return stored
    try:
        size = zstandard.frame_content_size(stored)
        if 0 <= size <= LARGEST:
            data = zstandard.ZstdDecompressor().decompress(stored) if size else b""
            if sha256(data) == name:
                return data
    except zstandard.ZstdError as error:
        raise BlobMissing(f"the stored body {name} is damaged") from error
    raise BlobMissing(f"the stored body {name} is damaged: its bytes have another hash")


@contextmanager
def translating(bucket: Bucket, name: str | None = None) -> Iterator[None]:
    """Translate the client's failures; `name` is the body that is read, if one is.

    The kind of a refusal stands only in the answer's XML, whose code is looked at.
    """
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415 an extra

    try:
        yield
    except FileNotFoundError as error:
        code = _code(error)
        if name is not None and code != "NoSuchBucket":
            raise BlobMissing(f"the stored body {name} is gone") from error
        raise StoreUnavailable(f"{bucket} is not there: {code or 'not found'}; make the bucket first") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        code = _code(error)
        if code in _FULL:
            raise StoreFull(f"no space is left in {bucket}: {code}") from error
        raise StoreUnavailable(f"{bucket} refuses us: {code or 'no permission'}; check the keys and rights") from error
    except (BaseError, OSError, TimeoutError) as error:
        code = _code(error)
        if code in _FULL:
            raise StoreFull(f"no space is left in {bucket}: {code}") from error
        raise StoreUnavailable(f"{bucket} cannot be used: {code or _first_line(error)}") from error


def _code(error: BaseException) -> str | None:
    found = _CODE.search(str(error))
    return found[1] if found else None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
