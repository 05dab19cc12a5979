"""Make screenshots of every page of the Web UI: both languages, both themes, desk and phone.

    python -m scripts.screenshots FOLDER [--only en-light-desk]

A small web, a scripted model and a real `leadline serve` stand behind them; nothing outside is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
from tests.support.ui_world import CHINESE, LIVE, QUESTION, SURVEY, WISH, World, ui_world

SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
THEMES = ("light", "dark")


WEEKLY: list[dict[str, Any]] = [
    {"name": QUESTION, "question": QUESTION, "when": "every Monday 08:00", "zone": "Europe/Berlin", "web": True},
    {
        "name": "岷江水利",
        "question": CHINESE,
        "when": "every month on the 1 09:00",
        "zone": "Asia/Shanghai",
        "web": True,
    },
    {"name": "New notices to mariners", "question": "Which lights were changed?", "when": "every 6 hours", "web": True},
]
LOCK = b"# Falkenstein lock\n\nThe Falkenstein lock was opened in 1911.\n"
BROKEN = b"%PDF-1.7\n" + b"\xff" * 300
MANY = 9
"""Documents that take a while to be read, so that some wait, and some are read, when the picture is taken."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What was researched before pictures are made, by the page that shows it."""

    report: str
    later: str
    plan: str
    many: str
    shared: str


class Tour:
    """Goes through the pages and takes each."""

    def __init__(self, page: Page, world: World, *, runs: Runs, shot: Callable[[str], Awaitable[None]]) -> None:
        self._page = page
        self._world = world
        self._runs = runs
        self._shot = shot

    async def go(self) -> None:
        """Take all pictures of one language, theme and size."""
        await self._enter()
        await self._ask()
        await self._report()
        await self._lists()
        await self._documents()
        await self._schedules()
        await self._live()

    async def _at(self, place: str, there: str, name: str) -> None:
        """Go to a page, wait until it is drawn, and take it from its top."""
        await self._page.goto("about:blank")  # what the page before it shows must not be taken for this one
        await self._page.goto(f"{self._world.url}/{place}")
        await self._page.locator(there).first.wait_for()
        await self._top(name)

    async def _top(self, name: str) -> None:
        await self._page.evaluate("window.scrollTo(0, 0)")
        await self._shot(name)

    async def _enter(self) -> None:
        page = self._page
        await self._at(f"#/shared/{self._runs.shared}", ".answer", "shared")
        await self._at("#/shared/nothing", "[role=alert]", "shared-gone")
        await self._at("", "#key", "sign-in")
        await page.locator("#key").fill("ll_0000000000000000_wrong")
        await page.keyboard.press("Enter")
        await page.locator("[role=alert]:not(:empty)").wait_for()
        await self._shot("sign-in-refused")
        await page.locator("#key").fill(self._world.key)
        await page.keyboard.press("Enter")
        await page.locator("#question").wait_for()

    async def _ask(self) -> None:
        page = self._page
        await page.locator("#question").fill(QUESTION)
        await self._shot("ask")
        await page.locator("details.more > summary").click()
        await self._shot("ask-options")
        await self._at(f"#/ask?continues={self._runs.report}&again=1", ".notice", "ask-again")

    async def _report(self) -> None:
        page = self._page
        await self._at(f"#/run/{self._runs.report}", ".answer", "report")
        await page.locator("[data-cite='2']").first.click()
        await page.locator(".panel mark").wait_for()
        await self._shot("evidence")
        await page.keyboard.press("Escape")
        await page.locator(".filter .kind").nth(1).click()
        await self._top("claims")
        await page.locator(".filter .kind").first.click()
        await page.locator(".how summary").first.click()
        await self._top("timeline")
        await page.locator(".menu summary").click()
        await self._top("export")
        await page.keyboard.press("Escape")
        await page.locator(".actions > button").first.click()
        await page.locator("dialog .plainly").wait_for()
        await self._shot("share")
        await page.keyboard.press("Escape")
        await self._at(f"#/run/{self._runs.later}", ".changes", "changes")
        await self._at(f"#/run/{self._runs.many}", ".answer", "survey")
        await self._at(f"#/run/{self._runs.plan}", ".asks", "plan")

    async def _lists(self) -> None:
        page = self._page
        await self._at("#/runs", ".runs a", "runs")
        await page.locator("#search").fill("nobody asked this")
        await page.locator(".empty").wait_for()
        await self._shot("runs-none")
        await self._at("#/admin", "tbody tr", "admin")
        await self._at("#/run/nothing", ".empty", "lost")

    async def _documents(self) -> None:
        """Take sets of documents, some of them while they are read."""
        await self._at("#/documents", "#corpus-name", "documents-none")
        corpus = await shelf(self._world)
        await self._at("#/documents", "tr[data-state=reading]", "documents")
        await self._world.ask("DELETE", f"/v1/corpora/{corpus}")

    async def _schedules(self) -> None:
        page, world = self._page, self._world
        await self._at("#/schedules", "#schedule-often", "schedules-none")
        await page.locator("form details > summary").click()
        await page.locator("#schedule-often").select_option("own")
        await self._top("schedule-form")
        made = [(await world.ask("POST", "/v1/schedules", one))["id"] for one in WEEKLY]
        await world.fire(made[0])
        await world.ask("PATCH", f"/v1/schedules/{made[1]}", {"paused": True})
        await self._at("#/schedules", ".schedules .chip", "schedules")
        await page.locator(".schedules [data-deed=delete]").first.click()
        await page.locator("dialog").wait_for()
        await self._shot("schedule-delete")
        for one in made:
            await world.ask("DELETE", f"/v1/schedules/{one}")

    async def _live(self) -> None:
        live = await self._world.research(LIVE, web=True, strategy="react")
        await self._at(f"#/run/{live}", ".timeline .tool", "live")
        await self._world.ask("POST", f"/v1/research/{live}/cancel")
        await self._world.until(live)
        await self._at(f"#/run/{live}", ".chip.cancelled", "cancelled")


async def shelf(world: World) -> str:
    """Make a set with documents that are read, that cannot be read, and that are being read; return its id."""
    corpus = str((await world.ask("POST", "/v1/corpora", {"name": "Locks and lights 船闸与灯塔"}))["id"])
    path = f"/v1/corpora/{corpus}/documents"
    await world.put(f"{path}/falkenstein-lock.md", LOCK)
    await world.put(f"{path}/broken-scan.pdf", BROKEN)
    for _ in range(300):
        known = await world.ask("GET", f"/v1/corpora/{corpus}")
        if known["ready"] + known["failed"] == 2:
            break
        await asyncio.sleep(0.1)
    rows = "".join(
        f"<tr><td>Station {row}</td><td>first shown in {1700 + row % 300}</td></tr>" for row in range(60_000)
    )
    for number in range(MANY):
        body = f"<html><title>Returns {number}</title><table>{rows}</table></html>".encode()
        await world.put(f"{path}/returns/district-{number:02}.html", body)
    return corpus


async def _look(browser: Browser, world: World, *, runs: dict[str, Runs], folder: Path, only: str) -> None:
    for language, theme, size in product(LANGUAGES, THEMES, SIZES):
        at = f"{language}-{theme}-{size}"
        if only not in at:
            continue
        context = await browser.new_context(viewport=SIZES[size], locale=LANGUAGES[language], color_scheme=theme)  # type: ignore[arg-type]  # TypedDicts
        page = await context.new_page()

        async def shot(name: str, at: str = at, page: Page = page) -> None:
            whole = name not in {"evidence", "share", "export", "schedule-delete"}
            await page.screenshot(path=folder / f"{name}-{at}.png", full_page=whole)

        await Tour(page, world, runs=runs[language], shot=shot).go()
        await context.close()


async def _researched(world: World, question: str, *, plan: str, many: str) -> Runs:
    """Ask a question, and again later; share the first report."""
    report = await world.research(question, web=True, strategy="react")
    await world.until(report)
    later = await world.research(question, web=True, strategy="react", continues=report, instructions=WISH)
    await world.until(later)
    made = await world.ask("POST", f"/v1/research/{report}/shares", {"days": 7})
    return Runs(report=report, later=later, plan=plan, many=many, shared=made["token"])


async def make(folder: Path, *, only: str = "") -> None:
    """Start the world, let it research, take all pictures."""
    with tempfile.TemporaryDirectory(prefix="leadline-shots-") as data:
        async with ui_world(Path(data)) as world, async_playwright() as playwright:
            plan = await world.research(LIVE, web=True, strategy="plan", approve=True)
            many = await world.research(SURVEY, web=True, strategy="react", length="long")
            asked = {"en": QUESTION, "zh": CHINESE}
            runs = {name: await _researched(world, text, plan=plan, many=many) for name, text in asked.items()}
            await world.until(many)
            await world.until(plan, "waiting")
            sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=sandbox)
            await _look(browser, world, runs=runs, folder=folder, only=only)
            await browser.close()


def main() -> None:
    """Read the arguments and make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument(
        "--only", default="", help="a language, theme and size such as `zh-dark-phone`, or a part of it"
    )
    taken = parser.parse_args()
    folder: Path = taken.folder
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(make(folder, only=taken.only))


if __name__ == "__main__":
    main()
