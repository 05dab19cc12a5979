"""A web of a few pages with a search of its own, for a whole `ask --web` without the network.

async with SmallWeb({"/bridge": WebPage(body=b"<p>The bridge was built in 605.</p>")}) as web:
    subprocess.run(["leadline", "ask", "When was the bridge built?", "--web"], env={**os.environ, **web.environment})
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

import orjson

from leadline.testing.web import HostileWeb, WebPage, WebRequest
from leadline.text.tokens import content_terms as terms

SEARCH: Final = "/search"
_TAG: Final = re.compile(r"<(script|style|head)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_SNIPPET: Final = 200
_MOST: Final = 10


class SmallWeb(HostileWeb):
    """`HostileWeb` whose `/search` answers as a SearXNG does, over the pages that were put there."""

    def __init__(self, pages: Mapping[str, WebPage]) -> None:
        super().__init__({**pages, SEARCH: self._found})

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings under which a run finds this web, and no other."""
        return {
            "LEADLINE_SEARCH__PROVIDERS": "searxng",
            "LEADLINE_SEARCH__SEARXNG__BASE_URL": f"http://127.0.0.1:{self.port}",
            "LEADLINE_FETCH__ALLOW_PRIVATE": "127.0.0.1/32",
            "LEADLINE_SEARCH__SEARXNG__QPS": "1000",
            "LEADLINE_OUTGOING__HOST_SECONDS": "0",
        }

    def _found(self, request: WebRequest) -> WebPage:
        query = set(terms(parse_qs(urlsplit(request.target).query).get("q", [""])[0]))
        hits = []
        for path, page in self.pages.items():
            if isinstance(page, WebPage) and page.status == 200:
                source = page.body.decode("utf-8", "replace")
                text = " ".join(_TAG.sub(" ", source).split())
                title = _TITLE.search(source)
                common = len(query & set(terms(text)))
                hits.append((common, path, title[1] if title else path, text[:_SNIPPET]))
        hits.sort(key=lambda hit: (-hit[0], hit[1]))
        results = [
            {"url": f"http://127.0.0.1:{self.port}{path}", "title": title, "content": snippet, "engine": "small-web"}
            for common, path, title, snippet in hits[:_MOST]
            if common
        ]
        return WebPage(body=orjson.dumps({"results": results}), content_type="application/json")
