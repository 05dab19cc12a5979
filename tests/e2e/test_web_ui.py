"""The Web UI in a real browser against a real `leadline serve`: asked, watched, read, shared, steered, administered."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect, sync_playwright
from tests.support.browser_checks import ACCESSIBLE, CONTRAST
from tests.support.ui_world import ATTACK, CHINESE, HOSTILE, LIVE, QUESTION, World, ui_world

T = TypeVar("T")
pytestmark = [pytest.mark.server("chromium"), pytest.mark.xdist_group("web_ui"), pytest.mark.timeout(120)]

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync"]
WATCH = "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective))"


@dataclass
class Served:
    """A service in a thread of its own, and its runs that have ended, by question."""

    world: World
    loop: asyncio.AbstractEventLoop
    runs: dict[str, str] = field(default_factory=dict)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the service's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(90)

    def address(self, hash: str = "") -> str:
        """Return the address of a page."""
        return f"{self.world.url}/{hash}"


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    # After the browser: its driver does not start beside a loop of another thread.
    ready: Future[Served] = Future()

    async def live() -> None:
        over = asyncio.Event()
        async with ui_world(tmp_path_factory.mktemp("ui")) as world:
            runs = {
                text: await world.research(text, web=True, strategy="react") for text in (QUESTION, CHINESE, HOSTILE)
            }
            for run in runs.values():
                assert (await world.until(run))["state"] == "done"
            found = Served(world, asyncio.get_running_loop(), runs)
            ends.append(over)
            ready.set_result(found)
            await over.wait()

    def work() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    ends: list[asyncio.Event] = []
    thread = threading.Thread(target=work)
    thread.start()
    found = ready.result(100)
    yield found
    found.loop.call_soon_threadsafe(ends[0].set)
    thread.join(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*QUIET, *sandbox])
        yield started
        started.close()


@dataclass
class Seen:
    """What pages said and where they went."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


Enter = Callable[..., Page]


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


def run_hash(served: Served, question: str) -> str:
    return f"#/run/{served.runs[question]}"


def test_a_wrong_key_is_refused_and_the_right_one_stays_out_of_reach(served: Served, enter: Enter) -> None:
    page = enter(key="")
    page.locator("#key").fill("ll_0000000000000000_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    expect(page.locator("#key")).to_be_focused()
    page.locator("#key").fill(served.world.key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("What do you want to know?")
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "__Host-leadline"
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    kept = page.evaluate("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert served.world.key[-20:] not in kept
    page.reload()
    expect(page.locator("#question")).to_be_focused()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#key")).to_be_visible()
    assert page.context.cookies() == []


def test_a_question_is_asked_watched_over_a_reload_and_read(served: Served, enter: Enter) -> None:
    page = enter()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_have_text("Write a question first.")
    page.locator("#question").fill(LIVE)
    page.get_by_label("Strategy").select_option("react")
    page.locator("summary").click()
    page.get_by_label("Tokens").fill("500000")
    page.locator("#question").press("Control+Enter")
    log = page.get_by_role("log")
    expect(log.get_by_text("Started")).to_be_visible()
    expect(page.locator(".chip.running")).to_be_visible()
    expect(log.get_by_text("Thought").first).to_be_visible()
    expect(log.get_by_text("Searched").first).to_be_visible()
    page.reload()
    expect(log.get_by_text("Started")).to_have_count(1)
    expect(page.locator(".spend")).to_contain_text("Searches2")
    expect(page.locator(".report .answer")).to_be_visible(timeout=40_000)
    expect(page.locator(".chip.done")).to_be_visible()
    page.locator(".how summary").first.click()
    times = log.locator("ol.timeline > li")
    journal = served.do(served.world.ask("GET", f"/v1/research/{page.url.rpartition('/')[2]}/journal?limit=500"))[
        "items"
    ]
    asked = [event for event in journal if event["type"] == "tool_asked"]
    expect(log.locator("li.tool")).to_have_count(len(asked))
    expect(times.last).to_contain_text("Ended: answered")
    expect(page.locator(".spend progress").first).to_have_attribute("aria-label", re.compile("Tokens: .* of 500,000"))


def test_a_connection_that_breaks_goes_on_where_it_was(served: Served, seen: Seen, enter: Enter) -> None:
    run = served.do(served.world.research(LIVE + " Again.", web=True, strategy="react"))
    page = enter(f"#/run/{run}")
    log = page.get_by_role("log")
    expect(log.get_by_text("Started")).to_be_visible()
    page.context.set_offline(True)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    served.do(served.world.until(run))
    page.context.set_offline(False)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: false, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".report .answer")).to_be_visible()
    # The report takes the place of the timeline, which closes.
    page.locator(".how summary").first.click()
    expect(log.get_by_text("Started")).to_have_count(1)
    expect(log.get_by_text("Ended: answered")).to_have_count(1)
    first, *later = [int(url.rpartition("=")[2]) for url in seen.requests if f"/{run}/events?after=" in url]
    assert first == 0
    assert later
    assert min(later) > 0


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("question", [QUESTION, CHINESE, HOSTILE], ids=["en", "zh", "hostile"])
def test_each_citation_shows_its_quotation_in_the_stored_text(
    served: Served, enter: Enter, size: dict[str, int], question: str
) -> None:
    page = enter(run_hash(served, question), size=size)
    report = served.do(served.world.ask("GET", f"/ui/runs/{served.runs[question]}/view"))
    for cited in report["citations"]:
        link = page.locator(f".report [data-cite='{cited['number']}']").first
        link.click()
        mark = page.locator(".panel mark")
        expect(mark).to_be_in_viewport()
        assert mark.text_content() == cited["quote"]
        source = served.do(
            served.world.ask("GET", f"/v1/research/{served.runs[question]}/sources/{cited['source_id']}")
        )
        assert page.locator(".panel .text").text_content() == source["text"]
        expect(link).to_have_attribute("aria-expanded", "true")
        expect(mark).to_be_focused()
        page.keyboard.press("Escape")
        expect(mark).to_have_count(0)
        expect(link).to_be_focused()


def test_claims_are_filtered_by_verdict_and_words(served: Served, enter: Enter) -> None:
    page = enter(run_hash(served, QUESTION))
    page.get_by_role("button", name="contradicted 1").click()
    expect(page.locator("ul.claims > li")).to_have_count(1)
    expect(page.locator("ul.claims")).to_contain_text("52 metres")
    expect(page.locator(".text-of-report")).to_be_hidden()
    expect(page.get_by_role("status").first).to_contain_text(re.compile(r"1 of \d+ claims"))
    page.get_by_role("button", name="Report", exact=True).click()
    expect(page.locator(".text-of-report")).to_be_visible()
    page.get_by_label("Find in claims").fill("stevenson")
    expect(page.locator("ul.claims > li").first).to_contain_text("Stevenson")


def test_hostile_texts_stay_text_everywhere(served: Served, enter: Enter) -> None:
    page = enter("#/runs")
    expect(page.locator(".runs")).to_contain_text(ATTACK)
    page.get_by_label("Search in questions").fill("hostile")
    expect(page.locator(".runs > li")).to_have_count(1)
    page.locator(".runs a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.locator(".answer")).to_contain_text(ATTACK)
    page.locator(".how summary").first.click()
    expect(page.get_by_role("log")).to_contain_text(ATTACK)
    page.locator(".report [data-cite='1']").first.click()
    expect(page.locator(".panel mark")).to_contain_text(ATTACK)
    expect(page.locator("main img, main script, iframe, object, embed")).to_have_count(0)
    assert page.evaluate("[...document.links].every((link) => /^https?:$/.test(link.protocol))")
    page.goto(served.address(f"#/run/{ATTACK}"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(served.address(f"#/{ATTACK}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page.")


def test_a_plan_waits_is_changed_and_carried_out(served: Served, enter: Enter) -> None:
    run = served.do(served.world.research(QUESTION, web=True, strategy="plan", approve=True))
    served.do(served.world.until(run, "waiting"))
    page = enter(f"#/run/{run}")
    expect(page.get_by_role("heading", name="The plan waits for you")).to_be_visible()
    page.get_by_role("button", name="Remove: Sub-question 1").click()
    field = page.get_by_role("textbox", name="Sub-question 1")
    expect(field).to_be_focused()
    field.fill("Who designed the Skerryvore lighthouse, and when?")
    page.get_by_role("button", name="Start with this plan").click()
    expect(page.locator(".report .answer")).to_be_visible(timeout=40_000)
    journal = served.do(served.world.ask("GET", f"/v1/research/{run}/journal?limit=500"))["items"]
    replies = [event["reply"] for event in journal if event["type"] == "run_resumed" and event["reply"]]
    assert replies == [{"plan": ["Who designed the Skerryvore lighthouse, and when?"]}]


def test_a_run_is_stopped_to_write_and_another_cancelled(served: Served, enter: Enter) -> None:
    runs = [
        served.do(served.world.research(f"{LIVE} {word}", web=True, strategy="react")) for word in ("Soon.", "Never.")
    ]
    page = enter(f"#/run/{runs[0]}")
    page.get_by_role("button", name="Stop and write").click()
    found = served.do(served.world.until(runs[0]))
    assert (found["state"], found["stop_reason"]) == ("done", "finished_early")
    expect(page.locator(".chip.done")).to_be_visible()
    run = served.do(served.world.research(f"{LIVE} No.", web=True, strategy="react"))
    page.goto(served.address(f"#/run/{run}"))
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_role("dialog").get_by_role("button", name="No, keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_role("button", name="Stop the run").click()
    expect(page.locator(".chip.cancelled")).to_be_visible()
    expect(page.get_by_text("This run has no report.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    assert run not in page.content()
    served.do(served.world.until(runs[1]))


def test_one_asks_further_on_the_evidence_of_a_run(served: Served, enter: Enter) -> None:
    page = enter(run_hash(served, QUESTION))
    page.get_by_role("link", name="Ask further").click()
    expect(page.locator(".notice")).to_contain_text(QUESTION)
    page.locator("#question").fill("How high is the tower of the Skerryvore lighthouse?")
    page.get_by_label("Strategy").select_option("extractive")
    page.get_by_label("The open web").uncheck()
    page.get_by_label("Scholarly works").uncheck()
    page.get_by_role("button", name="Start research").click()
    expect(page.locator(".answer")).to_contain_text("48 metres", timeout=30_000)
    expect(page.get_by_role("link", name="Goes on with the evidence of")).to_be_visible()


def test_a_report_is_exported_and_shared_read_only(served: Served, enter: Enter) -> None:
    page = enter(run_hash(served, QUESTION))
    for label, start in (("HTML", b"<!doctype html>"), ("Markdown", b"# "), ("Everything", b"PK")):
        page.locator(".menu summary").click()
        with page.expect_download() as waiting:
            page.locator(".sheet").get_by_role("button", name=label).click()
        assert Path(waiting.value.path()).read_bytes()[:40].lower().startswith(start.lower())
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("input.once").input_value()
    guest = enter(link.removeprefix(served.world.url + "/"), key="", size=PHONE)
    expect(guest.get_by_role("heading", level=1)).to_have_text(QUESTION)
    expect(guest.get_by_role("button", name="Delete")).to_have_count(0)
    expect(guest.locator("nav")).to_have_count(0)
    guest.locator("[data-cite='1']").first.click()
    expect(guest.locator(".panel mark")).to_be_in_viewport()
    page.get_by_role("button", name="Close this link").click()
    expect(page.locator(".chip", has_text="closed")).to_be_visible()
    guest.reload()
    expect(guest.get_by_role("alert")).to_contain_text("This link opens nothing")


def test_keys_are_made_used_and_revoked_and_roles_are_kept_to(served: Served, enter: Enter) -> None:
    page = enter("#/admin")
    for part in ("Health", "Keys", "Usage of the last 30 days", "Who did what"):
        expect(page.get_by_role("heading", name=part, exact=True)).to_be_visible()
    expect(page.locator(".chip.done", has_text="healthy")).to_be_visible()
    page.get_by_label("For whom or what").fill(f"Rita {ATTACK}")
    page.locator("#key-role").select_option("reader")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("input.once").input_value()
    reader = enter(run_hash(served, QUESTION), key=key)
    expect(reader.locator(".answer")).to_be_visible()
    for name in ("Ask further", "Delete", "Share"):
        expect(reader.get_by_role("button", name=name)).to_have_count(0)
    expect(reader.get_by_role("link", name="Ask", exact=True)).to_have_count(0)
    page.get_by_role("button", name=re.compile("Revoke: Rita")).click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator(".chip.cancelled", has_text="revoked")).to_be_visible()
    reader.get_by_role("link", name="Runs").click()
    expect(reader.locator("#key")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en-GB", "zh-CN"])
def test_every_page_is_accessible_and_fits_a_phone(served: Served, enter: Enter, lang: str, scheme: str) -> None:
    page = enter("", key="", lang=lang, color_scheme=scheme)

    def check(where: str) -> None:
        page.wait_for_function("document.querySelector('main h1')")
        assert page.evaluate(ACCESSIBLE) == [], where
        assert page.evaluate(CONTRAST) == [], where
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], where
        page.set_viewport_size(DESK)  # type: ignore[arg-type]  # as above

    check("sign in")
    page.locator("#key").fill(served.world.key)
    page.keyboard.press("Enter")
    page.locator("#question").wait_for()
    page.locator("details > summary").first.click()
    check("ask")
    for place, there in (("#/runs", ".runs a"), (run_hash(served, QUESTION), ".answer"), ("#/admin", "tbody tr")):
        page.goto(served.address(place))
        page.locator(there).first.wait_for()
        closed = page.locator("main details:not(.menu):not([open]) > summary")
        while closed.count():
            closed.first.click()
        if there == ".answer":
            page.locator("[data-cite='1']").first.click()
            page.locator(".panel mark").wait_for()
        check(place)


def test_the_keyboard_alone_is_enough(served: Served, enter: Enter) -> None:
    page = enter(run_hash(served, QUESTION))
    page.locator(".answer").wait_for()
    # A page opens with its heading focused (blurred, Tab would still go on from there): the way to the bar leads back.
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    stops = page.locator("#top a, #top button").count()
    for _ in range(stops):
        page.keyboard.press("Shift+Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.cite"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".panel mark")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-cite='1']").first).to_be_focused()


def test_language_and_theme_are_changed_and_kept(enter: Enter) -> None:
    page = enter()
    page.get_by_role("button", name="切换到中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("您想了解什么？")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("您想了解什么？")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 30)"
