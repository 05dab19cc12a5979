"""Settings -> the store of bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from leadline.blobs.directory import DirectoryBlobs
from leadline.ports import Blobs, Bodies, Links
from leadline.settings import Settings
from leadline.settings.s3 import S3, bucket_of


@asynccontextmanager
async def blob_store(settings: Settings, folder: Path) -> AsyncIterator[Bodies]:
    """Open the store of bodies that the settings name; `folder` is the data folder.

    Raises `MissingExtra`, `StoreError`.
    """
    if not settings.blobs.startswith(S3):
        place = urlsplit(settings.blobs).path
        async with DirectoryBlobs(Path(place) if place else folder / "blobs") as directory:
            yield directory
        return
    from leadline.blobs.s3 import S3Blobs  # noqa: PLC0415 only where it is chosen
    from leadline.blobs.s3_place import Bucket  # noqa: PLC0415 as above

    section = settings.s3
    name, prefix = bucket_of(settings.blobs)
    bucket = Bucket(
        name=name,
        prefix=prefix,
        endpoint=section.endpoint,
        region=section.region,
        path_style=section.path_style,
        access_key=None if section.access_key is None else section.access_key.reveal(),
        secret_key=None if section.secret_key is None else section.secret_key.reveal(),
    )
    async with S3Blobs.open(bucket, copies=folder / "copies", copy_bytes=section.cache) as opened:
        yield opened


def links_of(blobs: Blobs, settings: Settings) -> Links | None:
    """Return what gives links to files, `None` where it is off, or nobody could fetch them: from a folder."""
    if isinstance(blobs, DirectoryBlobs) or not settings.s3.link_seconds:
        return None
    from leadline.blobs.s3 import S3Blobs  # noqa: PLC0415 as above

    return blobs if isinstance(blobs, S3Blobs) else None
