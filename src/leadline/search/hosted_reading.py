"""Reads documents that tenants uploaded, one after another, in killable processes; whoever claims one reads it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from leadline.errors import BlobMissing, ExtractError, LeaseLost, StoreError
from leadline.extract import stored
from leadline.extract.types import Extracted
from leadline.ports import Blobs
from leadline.ports.corpora import CorpusDocument, Readings, Unread
from leadline.search.corpus_types import Parser
from leadline.search.hosted_build import Unreadable

log = logging.getLogger("leadline.corpora")

_GONE: Final = "its bytes are not there any more: upload it again"


class Reading:
    """Reads what is to be read.

    `owner` names this process, `lease` are the seconds after which another takes over what a process
    died over.
    """

    def __init__(self, readings: Readings, *, blobs: Blobs, parser: Parser, owner: str, lease: float) -> None:
        self._readings = readings
        self._blobs = blobs
        self._parser = parser
        self._owner = owner
        self._lease = lease

    async def one(self, *, version: tuple[str, int] | None = None) -> bool:
        """Read a document, of a corpus's `version` where one is named; return false where there is none to take.

        A document that cannot be read fails by itself. Raises `StoreError`; what is held then is
        given out again when its lease has run out.
        """
        taken = await self._readings.claim(self._owner, lease=self._lease, version=version)
        for unread in taken:
            try:
                await self._holding(unread)
            except asyncio.CancelledError:
                await self._hand_back(unread)
                raise
            except LeaseLost as error:
                log.info("document_taken_over", extra={"corpus": unread.corpus, "reason": str(error)})
        return bool(taken)

    async def load(self, tenant: str, document: CorpusDocument) -> Extracted | Unreadable:
        """Return the text of a document that was read; where that is gone or of an older form it is read again."""
        if document.text is not None:
            with suppress(BlobMissing):
                data = await self._blobs.get(tenant, document.text)
                found = await asyncio.to_thread(stored.from_bytes, data)
                if found is not None:
                    return found
        try:
            return await self._parser.extract(await self._blobs.get(tenant, document.blob), name=document.name)
        except BlobMissing:
            return Unreadable(BlobMissing.code, _GONE)
        except ExtractError as error:
            if type(error) is ExtractError:  # the pool failed, not the document
                raise StoreError(f"documents cannot be read: {error}") from error
            return Unreadable(error.code, str(error))

    async def _holding(self, unread: Unread) -> None:
        """Read a document, and hold it as long as that takes."""
        try:
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(self._beat(unread), name="document's lease")
                await self._read(unread)
                beating.cancel()
        except BaseExceptionGroup as several:
            raise _first_of(several) from several

    async def _beat(self, unread: Unread) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            await self._readings.renew(unread, lease=self._lease)

    async def _read(self, unread: Unread) -> None:
        document, tenant = unread.document, unread.tenant
        try:
            raw = await self._blobs.get(tenant, document.blob)
            found = await self._parser.extract(raw, name=document.name)
        except BlobMissing:
            await self._readings.failed(unread, code=BlobMissing.code, reason=_GONE)
        except ExtractError as error:
            if type(error) is ExtractError:  # the pool failed, not the document
                await self._readings.hand_back(unread)
                raise StoreError(f"documents cannot be read: {error}") from error
            await self._readings.failed(unread, code=error.code, reason=str(error)[:500])
        else:
            packed = await asyncio.to_thread(stored.to_bytes, found)
            text = await self._blobs.put(tenant, packed)
            await self._readings.ready(unread, text=text, type=found.content_type, characters=len(found.text))

    async def _hand_back(self, unread: Unread) -> None:
        """Let another process go on at once, though this one is about to end."""
        with suppress(StoreError):
            await asyncio.shield(self._readings.hand_back(unread))


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
