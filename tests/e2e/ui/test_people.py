"""Who signs in, what keys may do, and that whoever reads by keyboard, screen reader or phone reads all of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.support.browser_checks import ACCESSIBLE, CONTRAST, FOCUS, tree_faults
from tests.support.ui_browser import DESK, PHONE, Served
from tests.support.ui_world import ATTACK, LIVE, QUESTION

pytestmark = [pytest.mark.server("chromium"), pytest.mark.xdist_group("web_ui"), pytest.mark.timeout(120)]

Enter = Callable[..., Page]
CUT_OFF = """() => [...document.querySelectorAll("nav a")]
  .filter((e) => e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right + 1).map((e) => e.textContent)"""
"""Pages whose names the bar hides, with nothing that says so."""


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


def test_language_and_theme_are_changed_and_kept(enter: Enter) -> None:
    page = enter()
    page.locator("#question").fill("Half a question")
    page.get_by_role("button", name="切换到中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("您想了解什么？")
    expect(page.locator("#question")).to_have_value("Half a question")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("您想了解什么？")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 30)"


def test_an_admin_page_that_reaches_nothing_says_so_once(enter: Enter) -> None:
    page = enter()
    page.route(re.compile(r"/v1/|/ui/status"), lambda route: route.abort())
    page.get_by_role("link", name="Admin").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The service does not answer. Is it running, and is there a network?"
    )
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Keys", exact=True)).to_be_visible()


def test_keys_are_made_used_and_revoked_and_roles_are_kept_to(served: Served, enter: Enter) -> None:
    served.run(QUESTION)
    page = enter("#/admin")
    for part in ("Health", "Keys", "Usage, last 30 days", "Activity"):
        expect(page.get_by_role("heading", name=part, exact=True)).to_be_visible()
    expect(page.locator(".plainly .chip.done", has_text="healthy").first).to_be_visible()
    page.get_by_label("For whom or what").fill(f"Rita {ATTACK}")
    page.locator("#key-role").select_option("reader")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("input.once").input_value()
    reader = enter(f"#/run/{served.run(QUESTION)}", key=key)
    expect(reader.locator(".answer")).to_be_visible()
    for name in ("Ask further", "Delete", "Share"):
        expect(reader.get_by_role("button", name=name)).to_have_count(0)
    expect(reader.get_by_role("link", name="Ask", exact=True)).to_have_count(0)
    page.get_by_role("button", name=re.compile("Revoke: Rita")).click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator(".chip.cancelled", has_text="revoked")).to_be_visible()
    reader.get_by_role("link", name="Research").click()
    expect(reader.locator("#key")).to_be_visible()
    expect(reader.get_by_role("alert")).to_contain_text("expired or was revoked")


def test_a_key_at_a_provider_is_set_never_shown_and_removed(served: Served, enter: Enter) -> None:
    page = enter("#/admin", lang="zh-CN")
    page.get_by_label("提供方", exact=True).select_option("search.serper")
    page.get_by_role("button", name="保存密钥").click()
    expect(page.get_by_text("请粘贴密钥。")).to_be_visible()
    page.get_by_label("密钥；多把时每行一把").fill("schlüssel")
    page.get_by_role("button", name="保存密钥").click()
    expect(page.get_by_role("alert").filter(has_text="操作未成功：请求无法满足。")).to_be_visible()
    page.get_by_label("密钥；多把时每行一把").fill("sesame-0123456789")
    page.get_by_role("button", name="保存密钥").click()
    expect(page.get_by_text("已加密保存为 search.serper。")).to_be_visible()
    expect(page.get_by_label("密钥；多把时每行一把")).to_have_value("")
    assert "sesame" not in page.content()
    (kept,) = served.do(served.world.ask("GET", "/v1/secrets"))
    assert (kept["name"], kept["used"]) == ("search.serper", False)
    page.get_by_role("button", name="删除: search.serper").click()
    page.get_by_role("button", name="移除", exact=True).click()
    expect(page.get_by_text("尚无：使用服务方的密钥")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en-GB", "zh-CN"])
def test_every_page_is_accessible_and_fits_a_phone(served: Served, enter: Enter, lang: str, scheme: str) -> None:
    page = enter("", key="", lang=lang, color_scheme=scheme)
    earlier = served.run(QUESTION)

    def check(where: str) -> None:
        page.locator("main h1").first.wait_for()
        assert page.evaluate(ACCESSIBLE) == [], where
        assert page.evaluate(CONTRAST) == [], where
        assert page.evaluate(FOCUS) == [], where
        assert tree_faults(page, lang) == [], where
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], where
        assert page.evaluate(CUT_OFF) == [], where
        assert page.evaluate(CONTRAST) == [], where
        page.set_viewport_size(DESK)  # type: ignore[arg-type]  # as above

    check("sign in")
    page.locator("#key").fill(served.world.key)
    page.keyboard.press("Enter")
    page.locator("#question").wait_for()
    page.locator("details.more > summary").click()
    check("ask")
    for place, there in (
        ("#/runs", ".runs a"),
        (f"#/run/{earlier}", ".answer"),
        (f"#/run/{served.again(QUESTION)}", ".changes"),
        ("#/schedules", "#schedule-often"),
        ("#/documents", "#corpus-name"),
        ("#/admin", "tbody tr"),
        ("#/run/nothing", ".empty"),
    ):
        page.goto("about:blank")
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
    page = enter(f"#/run/{served.run(QUESTION)}")
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


def test_the_keyboard_alone_leads_from_the_question_to_the_evidence_and_back(served: Served, enter: Enter) -> None:
    page = enter()
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type(QUESTION)
    _tab_to(page, "#strategy")
    page.keyboard.type("Step by step")
    expect(page.locator("#strategy")).to_have_value("react")
    _tab_to(page, "form.ask button.main")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(QUESTION)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.locator(".answer").wait_for(timeout=40_000)
    _tab_to(page, "[data-cite='2']")
    page.keyboard.press("Enter")
    expect(page.locator(".panel mark")).to_be_focused()
    expect(page.locator(".panel .claimed")).to_contain_text("Alan Stevenson")
    page.keyboard.press("Escape")
    expect(page.locator("[data-cite='2']").first).to_be_focused()
    _tab_to(page, "nav a[href='#/ask']", back=True)
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_be_focused()


def _tab_to(page: Page, selector: str, *, back: bool = False) -> None:
    for _ in range(60):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"no key leads to {selector}")


def test_a_screen_reader_hears_what_is_new_and_not_what_was_replayed(served: Served, enter: Enter) -> None:
    page = enter(f"#/run/{served.run(QUESTION)}")
    page.locator(".answer").wait_for()
    page.locator(".how summary").first.click()
    log = page.get_by_role("log")
    expect(log.locator("li").last).to_contain_text("Ended")
    expect(log).to_have_attribute("aria-live", "off")
    live = served.do(served.world.research(f"{LIVE} Aloud.", web=True, strategy="react"))
    page.goto(served.address(f"#/run/{live}"))
    expect(log.get_by_text("Thought").first).to_be_visible()
    expect(log).to_have_attribute("aria-live", "polite")
    expect(page.locator("#told")).to_have_text("done", timeout=40_000)
