"""Web pages as stored texts: fetch, extract, and say where it all came from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from leadline.domain import Fetched, Source, sha256, source_id
from leadline.errors import (
    ExtractError,
    ExtractTimeout,
    FetchTimeout,
    FetchTooLarge,
    FetchUnreadable,
    NotFound,
    TooLarge,
    ToolFailed,
)
from leadline.extract.marks import marks
from leadline.extract.types import Extracted, Link
from leadline.fetch.headers import Validators
from leadline.fetch.http import Fetcher, Page
from leadline.fetch.rendering import letters, script_built
from leadline.fetch.urls import shortened
from leadline.ports import PageRead
from leadline.resilience import Deadline

RENDERED: Final = "browser"
"""The provider of a source whose page a browser rendered."""

_BROWSERS_SHARE: Final = 0.7  # of the time that is left: closing and reading its page come after


class PageParser(Protocol):
    """Turns the bytes of a page into text; `leadline.extract.children.ExtractPool` does."""

    async def extract(self, source: bytes, /, *, name: str | None = None, declared: str | None = None) -> Extracted:
        """Return the text. `declared` is the Content-Type. Raises `ExtractError`."""
        ...


class Renders(Protocol):
    """Turns a page into what its scripts make of it; `leadline.fetch.browser.Browser` does."""

    async def render(self, page: Page, *, deadline: float) -> Page:
        """Return the page with its tree as body. Raises `ToolFailed`."""
        ...


class WebReader:
    """`Reader` of http and https addresses, straight from their hosts.

    With `browser` a page that says almost nothing without its scripts is rendered; its source's
    provider is then `RENDERED`. `failed` hears of pages that could not be.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        parser: PageParser,
        *,
        provider: str = "web",
        browser: Renders | None = None,
        failed: Callable[[ToolFailed], None] | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._parser = parser
        self._provider = provider
        self._browser = browser
        self._failed = failed

    def reads(self, uri: str) -> bool:
        """See `ports.Reader`."""
        return is_web(uri)

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """See `ports.Reader`. Raises `Forbidden`, `NotFound` and `FetchFailed` subclasses."""
        limit = Deadline(deadline)
        return (await self._made(await self._page(uri, None, limit), limit)).fetched

    async def page(self, uri: str, *, deadline: float, mark: str = "") -> PageRead | None:
        """See `ports.Pages`; raises as `read` does. A mark is the page's validators (RFC 9110, section 13.1)."""
        limit = Deadline(deadline)
        page = await self._page(uri, Validators.of_mark(mark) if mark else None, limit)
        return None if page.not_modified else await self._made(page, limit)

    async def _page(self, uri: str, validators: Validators | None, limit: Deadline) -> Page:
        if not is_web(uri):
            raise NotFound(f"not an address on the web: {shortened(uri)}")
        return await self._fetcher.fetch(uri, deadline=limit.left(), validators=validators)

    async def _made(self, page: Page, limit: Deadline) -> PageRead:
        extracted = await self._extracted(page, limit)
        provider, mark = self._provider, page.validators.mark
        if self._browser is not None and script_built(page, extracted):
            mark = ""  # what scripts make of a file may change while the file does not
            rendered = await self._rendered(self._browser, page, limit)
            if rendered is not None and letters(rendered.extracted.text) > letters(extracted.text):
                page, extracted, provider = rendered.page, rendered.extracted, RENDERED
        if not extracted.text.strip():
            raise FetchUnreadable(f"{shortened(page.url)} holds no text", status=page.status)
        source = source_of(
            extracted,
            uri=page.url,
            final_uri=page.final_url,
            provider=provider,
            fetched_at=page.fetched_at,
            truncated=page.truncated,
        )
        fetched = Fetched(source=source, text=extracted.text, raw=page.body, links=addresses(extracted.links))
        return PageRead(fetched=fetched, mark=mark, shared=page.shared)

    async def _extracted(self, page: Page, limit: Deadline) -> Extracted:
        declared = page.headers.get("content-type")
        return await extract(self._parser, page.body, name=page.final_url, declared=declared, deadline=limit)

    async def _rendered(self, browser: Renders, page: Page, limit: Deadline) -> _Rendered | None:
        """Return the page as the browser sees it, `None` where it cannot: then it is what it was without."""
        try:
            rendered = await browser.render(page, deadline=limit.left() * _BROWSERS_SHARE)
            return _Rendered(rendered, await self._extracted(rendered, limit))
        except ToolFailed as error:
            if self._failed is not None:
                self._failed(error)
            return None


class _Rendered(NamedTuple):
    page: Page
    extracted: Extracted


async def extract(parser: PageParser, raw: bytes, *, name: str, declared: str | None, deadline: Deadline) -> Extracted:
    """Return the text of a fetched document; parsers' failures become `FetchFailed` subclasses."""
    try:
        async with asyncio.timeout(deadline.left()):
            return await parser.extract(raw, name=name, declared=declared)
    except (ExtractTimeout, TimeoutError) as error:
        raise FetchTimeout(f"{shortened(name)} took too long to read: {error}") from error
    except TooLarge as error:
        raise FetchTooLarge(str(error)) from error
    except ExtractError as error:
        raise FetchUnreadable(str(error)) from error


def source_of(
    extracted: Extracted,
    *,
    uri: str,
    final_uri: str | None,
    provider: str,
    fetched_at: float,
    truncated: bool,
    title: str = "",
    published: str | None = None,
) -> Source:
    """Return the source that stands for an extracted page.

    `fetched_at` is Unix time; `title` and `published` are used where the text itself has none.
    """
    digest = sha256(extracted.text.encode("utf-8", "replace"))
    return Source(
        id=source_id(digest),
        uri=uri,
        sha256=digest,
        raw_sha256=extracted.raw_sha256,
        extractor=extracted.extractor,
        content_type=extracted.content_type,
        chars=len(extracted.text),
        title=extracted.title or title,
        authors=extracted.authors,
        published=extracted.published or published,
        language=extracted.language,
        fetched_at=datetime.fromtimestamp(fetched_at, UTC).isoformat(timespec="seconds"),
        final_uri=final_uri if final_uri != uri else None,
        provider=provider,
        truncated=truncated or extracted.truncated,
        marks=marks(extracted.locators),
    )


def addresses(links: Sequence[Link]) -> tuple[str, ...]:
    """Return the addresses of links, each once."""
    return tuple(dict.fromkeys(link.url for link in links))


def is_web(uri: str) -> bool:
    """Return whether `uri` is an http or https address; whether it may be fetched is the guard's affair."""
    return uri[:8].lower().startswith(("http://", "https://"))
