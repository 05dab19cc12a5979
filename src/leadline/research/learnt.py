"""What a branch has learnt of addresses and of private text: what a gateway decides by.

All of it follows from outcomes that the branch took, in the order in which it took them, so that a
resumed run comes to the same. A page of the web is public; everything else is its owner's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from leadline.domain import Excerpt, Json, Source
from leadline.research.evidence import Ledger

_EXTERNAL: Final = "mcp:"


class Learnt:
    """Addresses of the web that results offered, and text of private documents that they showed.

    Of works that scholarly services told of it also keeps what a bibliography needs.
    """

    def __init__(self) -> None:
        self._addresses: dict[str, None] = {}
        self._private: dict[str, None] = {}
        self._told: dict[str, dict[str, None]] = {}
        self._works: dict[str, Mapping[str, Any]] = {}

    @classmethod
    def of(cls, ledger: Ledger, *, online: bool) -> Learnt:
        """Begin with what a run already holds; text is read only where the run may reach the web."""
        learnt = cls()
        shown = ledger.excerpts if online else ()
        private = {source.id for source in ledger.sources if not _is_web(source.uri)}
        texts = {id: ledger.text(id) for id in dict.fromkeys(e.source_id for e in shown) if id in private}
        learnt.take(None, sources=ledger.sources, shown=shown, texts=texts)
        return learnt

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses of hits, of links of pages, and of the sources themselves."""
        return frozenset(self._addresses)

    @property
    def private(self) -> tuple[str, ...]:
        """What was shown of documents that do not lie on the web, in order."""
        return tuple(self._private)

    @property
    def told(self) -> Mapping[str, tuple[str, ...]]:
        """What each external tool server said, by its name: to itself it may go back."""
        return {server: tuple(texts) for server, texts in self._told.items()}

    def described(self, source: Source) -> Source:
        """Return a source with the title, authors and date that it lacks and a hit at its address had."""
        work = self._works.get(source.uri) or self._works.get(source.final_uri or "")
        if work is None:
            return source
        authors, published, title = work.get("authors"), work.get("published"), work.get("title")
        named = tuple(name for name in authors if isinstance(name, str)) if isinstance(authors, list) else ()
        return replace(
            source,
            title=source.title or (title if isinstance(title, str) else ""),
            authors=source.authors or named,
            published=source.published or (published if isinstance(published, str) else None),
        )

    def take(
        self, value: Json, *, sources: Sequence[Source], shown: Sequence[Excerpt], texts: Mapping[str, str]
    ) -> None:
        """Learn from one outcome: its value, the sources that it brought and their texts."""
        for source in sources:
            self._addresses.update(dict.fromkeys(filter(_is_web, (source.uri, source.final_uri or ""))))
        public = {source.id for source in sources if _is_web(source.uri)}
        servers = {source.id: _server(source.uri) for source in sources}
        for excerpt in shown:
            if excerpt.source_id not in public:
                passage = texts.get(excerpt.source_id, "")[max(0, excerpt.start) : excerpt.end]
                self._keep(passage)
                self._tell(servers.get(excerpt.source_id, ""), passage)
        for source in sources:
            if source.id not in public and not servers[source.id]:
                self._keep(source.title)
        for hit in _hits(value):
            self._offered(hit)
        for page in _objects(value, "pages"):
            links = page.get("links")
            self._addresses.update(dict.fromkeys(filter(_is_web, links if isinstance(links, list) else ())))

    def _offered(self, hit: Mapping[str, Any]) -> None:
        uri = hit.get("uri")
        if _is_web(uri):
            addresses = [address for address in (uri, hit.get("full_text")) if _is_web(address)]
            self._addresses.update(dict.fromkeys(map(str, addresses)))
            if "authors" in hit:
                self._works.update((str(address), hit) for address in addresses)
            return
        for part in ("title", "snippet"):
            if isinstance(hit.get(part), str):
                self._keep(hit[part])

    def _tell(self, server: str, text: str) -> None:
        if server:
            self._told.setdefault(server, {})[text] = None

    def _keep(self, text: str) -> None:
        if text.strip():
            self._private[text] = None


def _server(uri: str) -> str:
    """Return the external tool server that an address names, `""` where it names none."""
    return uri[len(_EXTERNAL) :].partition("/")[0] if uri.startswith(_EXTERNAL) else ""


def _hits(value: Json) -> Iterator[Mapping[str, Any]]:
    for result in _objects(value, "results"):
        yield from _objects(result, "hits")


def _objects(value: object, name: str) -> list[dict[str, Any]]:
    """Return the objects of a list in a result; what has another shape holds none."""
    found = value.get(name) if isinstance(value, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _is_web(uri: object) -> bool:
    return isinstance(uri, str) and uri[:8].lower().startswith(("http://", "https://"))
