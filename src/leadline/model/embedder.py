"""`Embedder` over a server of embeddings: one model of it, with a deadline for each call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from leadline.errors import ModelTimeout
from leadline.model.embeddings import EmbeddingModel
from leadline.ports import Clock


class ServerEmbedder:
    """One model of a server that speaks OpenAI's `/embeddings`; an asynchronous context manager.

    `url` is the base URL, ending where `/embeddings` begins. `batch` is how many texts a request
    holds at most. Raises `SettingsError` on entering with an address that is none.
    """

    def __init__(
        self, url: str, *, name: str, api_key: str | None = None, batch: int = 64, clock: Clock | None = None
    ) -> None:
        self._name = name
        self._model = EmbeddingModel(
            url.rstrip("/").removesuffix("/embeddings"), model=name, api_key=api_key, most=batch, clock=clock
        )

    async def __aenter__(self) -> Self:
        await self._model.__aenter__()
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self._model.__aexit__(*_failure)

    @property
    def name(self) -> str:
        """The model's name; see `Embedder.name`."""
        return self._name

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Sequence[Sequence[float]]:
        """Return a vector a text; see `Embedder.embed`."""
        try:
            async with asyncio.timeout(deadline):
                return await self._model.embed_all(texts)
        except TimeoutError as error:
            raise ModelTimeout(f"`{self._name}` gave no vectors within {deadline:.3g} s") from error
