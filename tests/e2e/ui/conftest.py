"""The Web UI in a real browser against a real `leadline serve`; each file of tests has a world of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect, sync_playwright
from tests.support.ui_browser import DESK, WATCH, Seen, Served, serving

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync"]

Enter: TypeAlias = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=30_000)  # five seconds by default, less than a busy machine may take
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*QUIET, *sandbox])
        yield started
        started.close()


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    del browser  # its driver does not start beside a loop of another thread: it comes first
    with serving(tmp_path_factory.mktemp("ui")) as found:
        yield found


@pytest.fixture
def seen(served: Served) -> Iterator[Seen]:
    """What the test's pages did; at its end: no fault, no dialog, no request to anybody else."""
    found = Seen()
    yield found
    assert found.console == []
    assert found.dialogs == []
    assert {
        url for url in found.requests if not url.startswith((served.world.url, "blob:" + served.world.url))
    } == set()


@pytest.fixture
def enter(browser: Browser, served: Served, seen: Seen) -> Iterator[Enter]:
    """Give a function that signs in and opens a page."""
    contexts: list[BrowserContext] = []

    def opened(
        hash: str = "", *, size: dict[str, int] | None = None, key: str | None = None, lang: str = "en-GB", **more: Any
    ) -> Page:
        context = browser.new_context(viewport=size or DESK, locale=lang, accept_downloads=True, **more)  # type: ignore[arg-type]  # a TypedDict
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.add_init_script(WATCH)
        page.on("console", lambda message: _note(seen, message.text))
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("dialog", lambda dialog: _dismiss(seen, dialog))
        page.goto(served.address(hash))
        if key != "":
            page.locator("#key").fill(key or served.world.key)
            page.keyboard.press("Enter")
            page.locator("nav").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()


def _note(seen: Seen, text: str) -> None:
    # The browser itself reports each refusal that a test asks for.
    if not text.startswith("Failed to load resource"):
        seen.console.append(text)


def _dismiss(seen: Seen, dialog: Dialog) -> None:
    seen.dialogs.append(dialog.message)
    dialog.dismiss()
