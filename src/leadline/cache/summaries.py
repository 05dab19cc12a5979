"""What a model made of a page for a goal, kept for the tenant who asked."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Final

from leadline import codec
from leadline.cache.keys import key
from leadline.cache.tiered import TieredCache
from leadline.cache.types import Category, Loaded, Told
from leadline.domain import Usage
from leadline.errors import ToolFailed
from leadline.ports import NoSummary, Said, Summarizer

VERSION: Final = 1
"""Raised when summaries are asked for in another way."""

# Of the time, so that it is the summariser who says that it was late, and what that cost.
_OWN_SECONDS: Final = 0.05


class CachedSummarizer:
    """`Summarizer` through the cache, by the text's hash, the goal, the language and the model.

    A goal says what a run wants to know, so the answer is its tenant's alone. One from the cache
    cost nothing: its usage is empty. Of a call that failed, who caused it pays, as of one that did not.
    """

    def __init__(self, summarizer: Summarizer, cache: TieredCache, *, tenant: str, told: Told | None = None) -> None:
        self._summarizer = summarizer
        self._cache = cache
        self._tenant = tenant
        self._told = told

    @property
    def name(self) -> str:
        """See `Summarizer.name`."""
        return self._summarizer.name

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        """See `Summarizer.summarise`."""
        paid: list[Usage] = []
        inner = deadline - min(_OWN_SECONDS, deadline / 20)

        async def load() -> Loaded:
            try:
                said = await self._summarizer.summarise(content, goal, language=language, deadline=inner)
            except NoSummary as error:
                paid.append(error.usage)
                raise
            paid.append(said.usage)
            return Loaded(codec.encode(replace(said, usage=Usage())))

        request = {
            "by": self.name,
            "content": hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest(),
            "goal": goal,
            "language": language,
            "version": VERSION,
        }
        asked = key(Category.PASSAGES, request, tenant=self._tenant)
        try:
            async with asyncio.timeout(deadline):
                cached = await self._cache.through(asked, load, label=f"{self.name} {goal}")
        except NoSummary as error:
            used = sum(paid, Usage())
            raise NoSummary(str(error), reason=error.reason, usage=used) from error
        except TimeoutError as error:
            raise ToolFailed(f"`{self.name}` gave no summary within {deadline:.3g} s") from error
        if self._told is not None:
            self._told(Category.PASSAGES, cached)
        return replace(codec.decode(Said, cached.body), usage=sum(paid, Usage()))
