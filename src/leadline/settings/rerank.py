"""Settings of the model that puts what a search found in order."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.errors import SettingsError
from leadline.settings.kinds import Key, Number, OrNone, Secret, Server, Text, Whole, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class RerankSettings:
    """What puts the hits of a search in order. Without `url` they stay as their providers' ranks have them."""

    url: str | None = setting(
        None,
        OrNone(Server()),
        "Base URL of a server that reranks, ending where `/rerank` begins: `http://127.0.0.1:8000/v1`. `none`: hits "
        "are in the order of their providers' ranks. Queries, and titles and extracts of hits, are sent to it.",
    )
    name: str | None = setting(None, OrNone(Text()), "The reranking model's name at its server.")
    api_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to the server that reranks; never printed."
    )
    seconds: float = setting(
        3.0, Number(0, above=True), "How long an order may take; later than that hits stay as they are."
    )
    most: int = setting(40, Whole(2, 200), "Hits of a query, the best by rank, that are put in order.")
    usd: float = setting(0.0, Number(0), "US dollars that one order costs: in a run's cost and limit, as a search's.")


def check_rerank(section: RerankSettings) -> None:
    """Refuse a server without a model, and a model without a server. Raises `SettingsError`."""
    if section.url is not None and section.name is None:
        raise SettingsError("`rerank.url` is set, but `rerank.name` is not: name the model that the server offers")
    if section.name is not None and section.url is None:
        raise SettingsError(f"`rerank.name` is {section.name}, but `rerank.url` is not set: name its server")
