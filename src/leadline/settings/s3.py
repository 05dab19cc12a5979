"""Settings of where bodies are kept: a folder, or a bucket of S3."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from leadline.errors import SettingsError
from leadline.settings.kinds import Key, OrNone, Secret, Server, Size, Switch, Text, Whole, setting

S3: Final = "s3"

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9!_.*'()/-]{0,200}")


@dataclass(frozen=True, slots=True)
class BlobsUrl:
    """A folder, or a bucket with a prefix."""

    allowed: str = field(
        default="`file://` for the data folder, `file:///` and a path, or `s3://BUCKET/PREFIX`", init=False
    )

    def parse(self, raw: object, base: Path) -> str:
        """Return the address."""
        if not isinstance(raw, str):
            raise TypeError
        text = raw.strip()
        scheme, found, rest = text.partition("://")
        if scheme == "file" and found and (not rest or rest.startswith("/")):
            return text
        bucket, _, prefix = rest.partition("/")
        prefix = prefix.strip("/")
        if scheme != S3 or not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix):
            raise ValueError
        if any(part in {"", ".", ".."} for part in prefix.split("/") if prefix):
            raise ValueError
        return f"{S3}://{bucket}/{prefix}".rstrip("/")


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Settings:
    """How the bucket is reached, and what of it is kept on this machine."""

    endpoint: str | None = setting(
        None,
        OrNone(Server()),
        "Address of a server that speaks S3. `none`: Amazon's, of the region.",
    )
    region: str = setting("us-east-1", Text(), "The bucket's region; most servers of one's own take any.")
    path_style: bool = setting(True, Switch(), "Whether the bucket stands in the address's path, not before its host.")
    access_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Key()),
        "The access key's id. `none`: credentials are found as Amazon's clients find them, in the environment "
        "(`AWS_ACCESS_KEY_ID` and its like) or from the machine.",
    )
    secret_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The access key's secret; never printed."
    )
    cache: int = setting(
        2 << 30, Size(1 << 20), "Bytes of bodies used last that each machine keeps in the data folder."
    )
    link_seconds: int = setting(
        0,
        Whole(0, 3_600),
        "Seconds for which an export can be fetched from the bucket itself by a link; who asks must be able to reach "
        "the bucket under the address that the service uses. 0: no links are given.",
    )


def bucket_of(url: str) -> tuple[str, str]:
    """Return bucket and prefix of an `s3://` address."""
    parts = urlsplit(url)
    return parts.netloc, parts.path.strip("/")


def check_s3(section: S3Settings) -> None:
    """Refuse half of a key."""
    if (section.access_key is None) != (section.secret_key is None):
        missing = "access_key" if section.access_key is None else "secret_key"
        raise SettingsError(f"`s3.{missing}` is not set: a key has an id and a secret")
