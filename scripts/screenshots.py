"""Make screenshots of every page of the Web UI: both languages, both themes, desk and phone.

    python -m scripts.screenshots FOLDER

A small web, a scripted model and a real `leadline serve` stand behind them; nothing outside is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from tests.support.ui_world import CHINESE, LIVE, QUESTION, World, ui_world

SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
THEMES = ("light", "dark")


async def _signed_in(page: Page, world: World) -> None:
    await page.goto(world.url)
    await page.locator("#key").fill(world.key)
    await page.keyboard.press("Enter")
    await page.locator("#question").wait_for()


async def _pages(page: Page, world: World, *, runs: dict[str, str], shot: Callable[[str], Awaitable[None]]) -> None:
    """Go through the pages and take each."""
    await page.goto(world.url)
    await page.locator("#key").wait_for()
    await shot("sign-in")
    await _signed_in(page, world)
    await page.locator("#question").fill(QUESTION)
    await shot("ask")
    await page.locator("details > summary").first.click()
    await shot("ask-options")
    for name, place, there in (
        ("runs", "#/runs", ".runs a"),
        ("report", f"#/run/{runs['report']}", ".answer"),
        ("plan", f"#/run/{runs['plan']}", ".asks"),
        ("admin", "#/admin", "tbody tr"),
    ):
        await page.goto(f"{world.url}/{place}")
        await page.locator(there).first.wait_for()
        await shot(name)
        if name == "report":
            await page.locator("[data-cite='2']").first.click()
            await page.locator(".panel mark").wait_for()
            await shot("evidence")
            await page.keyboard.press("Escape")
            await page.locator(".how summary").first.click()
            await shot("timeline")
    live = await world.research(LIVE, web=True, strategy="react")
    await page.goto(f"{world.url}/#/run/{live}")
    await page.locator(".timeline .tool").first.wait_for()
    await shot("live")


async def _look(browser: Browser, world: World, *, runs: dict[str, dict[str, str]], folder: Path) -> None:
    for language, locale in LANGUAGES.items():
        for theme in THEMES:
            for size, viewport in SIZES.items():
                context = await browser.new_context(viewport=viewport, locale=locale, color_scheme=theme)  # type: ignore[arg-type]  # TypedDicts
                page = await context.new_page()

                async def shot(name: str, at: str = f"{language}-{theme}-{size}", page: Page = page) -> None:
                    await page.screenshot(path=folder / f"{name}-{at}.png", full_page=name != "evidence")

                await _pages(page, world, runs=runs[language], shot=shot)
                await context.close()


async def make(folder: Path) -> None:
    """Start the world, let it research, take all pictures."""
    with tempfile.TemporaryDirectory(prefix="leadline-shots-") as data:
        async with ui_world(Path(data)) as world, async_playwright() as playwright:
            plan = await world.research(LIVE, web=True, strategy="plan", approve=True)
            reports = {"en": QUESTION, "zh": CHINESE}
            runs = {
                language: {"report": await world.research(text, web=True, strategy="react"), "plan": plan}
                for language, text in reports.items()
            }
            for found in runs.values():
                await world.until(found["report"])
            await world.until(plan, "waiting")
            sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=sandbox)
            await _look(browser, world, runs=runs, folder=folder)
            await browser.close()


def main() -> None:
    """Read the arguments and make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(make(folder))


if __name__ == "__main__":
    main()
