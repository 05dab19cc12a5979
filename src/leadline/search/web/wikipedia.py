"""Wikipedia's own search, in the language of the question; no key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final
from urllib.parse import quote

from leadline.errors import ProviderBroken, ProviderFailed, ProviderLimited
from leadline.search.web.types import Ask, Item
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, retry_after, text_of

_TAG: Final = re.compile(r"<[^<>]{0,200}>")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_BUSY: Final = frozenset({"ratelimited", "maxlag"})


class Wikipedia:
    """GET /w/api.php?list=search, one request at a time as it asks; it knows no dates of publication.

    The day on which an article was last edited is no date of publication either, so none is told.
    """

    name: ClassVar[str] = "wikipedia"
    rate: ClassVar[float] = 5.0
    ignores: ClassVar[frozenset[str]] = frozenset({"since", "year"})

    def __init__(self, base_url: str = "https://{language}.wikipedia.org") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`; sites are filtered by the results, which are all of one."""
        language = ask.place.language if _LANGUAGE.fullmatch(ask.place.language) else "en"
        params = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "list": "search",
            "srsearch": ask.query.text[:300],
            "srlimit": str(min(50, ask.query.limit)),
            "srprop": "snippet",
            "meta": "siteinfo",
            "siprop": "general",
            "maxlag": "5",
        }
        return Request(url=f"{self._base_url.format(language=language)}/w/api.php", params=params)

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`; a snippet is HTML."""
        value = json_object(self.name, reply)
        query = value.get("query")
        if not isinstance(query, dict) or "search" not in query:
            raise ProviderBroken(f"`{self.name}` answered JSON without `query.search`")
        general = query.get("general")
        base = text_of(general.get("base")) if isinstance(general, dict) else ""
        articles = base.rpartition("/")[0] or "https://en.wikipedia.org/wiki"
        return [
            Item(
                f"{articles}/{quote(text_of(one.get('title')).replace(' ', '_'), safe='/:(),')}",
                text_of(one.get("title")),
                _TAG.sub("", text_of(one.get("snippet"))),
            )
            for one in objects(self.name, query["search"], at="query.search")
            if one.get("title")
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`: errors come with status 200 as well, named by a code."""
        known = failure_of(self.name, reply)
        if known is not None:
            return known
        error = json_object(self.name, reply).get("error")
        if not isinstance(error, dict):
            return None
        code = text_of(error.get("code"))
        if code in _BUSY:
            return ProviderLimited(f"`{self.name}` asks to wait: `{code}`", retry_after=retry_after(reply))
        return ProviderBroken(f"`{self.name}` does not take the request: `{code[:60]}`")
