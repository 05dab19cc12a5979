"""The browser that builds pages of scripts, where the settings ask for one."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from leadline.errors import MissingExtra, SettingsError
from leadline.settings import Settings
from leadline.wiring.outgoing import Outgoing

if TYPE_CHECKING:
    from leadline.fetch.browser import Admit, Browser
    from leadline.fetch.guard import Guard


async def open_browser(settings: Settings, *, guard: Guard, admit: Admit, outgoing: Outgoing) -> Browser:
    """Return the browser, which starts at the first page that needs it.

    Raises `SettingsError` where a part of it is missing, or where it could not keep to `proxy`.
    """
    from leadline.fetch.browser import Browser  # noqa: PLC0415 only where pages may be rendered
    from leadline.fetch.http import user_agent  # noqa: PLC0415 as above
    from leadline.fetch.rendering import RenderLimits  # noqa: PLC0415 as above
    from leadline.sandbox.chromium import cage  # noqa: PLC0415 as above

    visit = settings.visit
    if await asyncio.to_thread(find_spec, "playwright") is None:
        raise MissingExtra("`visit.render` is set, which needs an extra: pip install 'leadline[browser]'")
    if settings.proxy is not None:
        raise SettingsError("`visit.render` cannot go through `proxy`: set it to `off`")
    confined = await asyncio.to_thread(cage, visit.browser, memory=visit.render_memory, doors=visit.render_pages)
    browser = Browser(
        confined,
        guard,
        admit=admit,
        agent=user_agent(settings.fetch.contact or ""),
        pages=visit.render_pages,
        limits=RenderLimits(seconds=visit.render_seconds, memory=visit.render_memory),
    )
    return await outgoing.enter(browser)
