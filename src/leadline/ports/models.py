"""Language models, and vectors of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from leadline.domain import (
    ModelAnswer,
    ModelRequest,
)


class Model(Protocol):
    """One turn of a conversation with a language model."""

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Return the whole answer.

        `deadline` is in seconds from now for everything, retries included. `session` names the
        conversation, so that a balancer finds the server that holds its prefix. `progress` gets
        (`text` or `reasoning`, new characters) as they stream. Raises `ModelError` subclasses.
        """
        ...


class Embedder(Protocol):
    """Texts to vectors that lie near each other where the texts mean much the same."""

    @property
    def name(self) -> str:
        """The model's name; only vectors of one name can be compared."""
        ...

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Sequence[Sequence[float]]:
        """Return a vector a text, in order, all finite and of one length. Raises `ModelError` as `Model` does."""
        ...


class Ranker(Protocol):
    """Tells how much texts have to do with a query."""

    async def scores(self, query: str, texts: Sequence[str], *, deadline: float) -> Sequence[float]:
        """Return a finite number a text, in order, higher where it fits better. Raises `ModelError` as `Model` does."""
        ...
