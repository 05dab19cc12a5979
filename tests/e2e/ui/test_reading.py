"""A report beside its evidence: read, filtered, continued, compared, exported, shared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.support.ui_browser import DESK, PHONE, Served
from tests.support.ui_pages import STATIONS
from tests.support.ui_world import ATTACK, CHINESE, HOSTILE, QUESTION, SURVEY, WISH

pytestmark = [pytest.mark.server("chromium"), pytest.mark.xdist_group("web_ui"), pytest.mark.timeout(120)]

Enter = Callable[..., Page]


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("question", [QUESTION, CHINESE, HOSTILE], ids=["en", "zh", "hostile"])
def test_each_citation_shows_its_quotation_in_the_stored_text(
    served: Served, enter: Enter, size: dict[str, int], question: str
) -> None:
    page = enter(f"#/run/{served.run(question)}", size=size)
    report = served.do(served.world.ask("GET", f"/ui/runs/{served.run(question)}/view"))
    for cited in report["citations"]:
        link = page.locator(f".report [data-cite='{cited['number']}']").first
        link.click()
        mark = page.locator(".panel mark")
        expect(mark).to_be_in_viewport()
        assert mark.text_content() == cited["quote"]
        source = served.do(served.world.ask("GET", f"/v1/research/{served.run(question)}/sources/{cited['source_id']}"))
        assert page.locator(".panel .text").text_content() == source["text"]
        expect(link).to_have_attribute("aria-expanded", "true")
        expect(mark).to_be_focused()
        page.keyboard.press("Escape")
        expect(mark).to_have_count(0)
        expect(link).to_be_focused()


def test_claims_are_filtered_by_verdict_and_words(served: Served, enter: Enter) -> None:
    page = enter(f"#/run/{served.run(QUESTION)}")
    page.get_by_role("button", name="contradicted 1").click()
    expect(page.locator("ul.claims > li")).to_have_count(1)
    expect(page.locator("ul.claims")).to_contain_text("52 metres")
    expect(page.locator(".text-of-report")).to_be_hidden()
    expect(page.get_by_role("status").first).to_contain_text(re.compile(r"1 of \d+ claims"))
    page.get_by_role("button", name="Whole report").click()
    expect(page.locator(".text-of-report")).to_be_visible()
    page.get_by_label("Find in claims").fill("stevenson")
    expect(page.locator("ul.claims > li").first).to_contain_text("Stevenson")


LONG = """async (question) => {
  const { asked } = await import("/ui/files/report.js");
  const [heading, more] = asked(question);
  return [[...heading.textContent].length, more ? more.querySelector("p").textContent : null];
}"""


def test_of_a_very_long_question_the_heading_is_the_beginning(enter: Enter) -> None:
    page = enter()
    assert page.evaluate(LONG, "Why? " * 100) == [280, ("Why? " * 100).strip()]
    assert page.evaluate(LONG, "Why?") == [4, None]


def test_hostile_texts_stay_text_everywhere(served: Served, enter: Enter) -> None:
    served.run(HOSTILE)
    page = enter("#/runs")
    expect(page.locator(".runs")).to_contain_text(ATTACK)
    page.get_by_label("Search in questions").fill("hostile")
    expect(page.locator(".runs > li")).to_have_count(1)
    page.locator(".runs a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.locator(".answer")).to_contain_text(ATTACK)
    page.locator(".how summary").first.click()
    expect(page.get_by_role("log")).to_contain_text(ATTACK)
    # The engine tells the title as the page escaped it: people read it as the page shows it.
    expect(page.get_by_role("log").locator(".search li bdi").first).to_have_text(f"Harbour Light {ATTACK}")
    expect(page.get_by_role("log")).not_to_contain_text("&lt;")
    page.locator(".report [data-cite='1']").first.click()
    expect(page.locator(".panel mark")).to_contain_text(ATTACK)
    expect(page.locator("main img, main script, iframe, object, embed")).to_have_count(0)
    assert page.evaluate("[...document.links].every((link) => /^https?:$/.test(link.protocol))")
    page.goto(served.address(f"#/run/{ATTACK}"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(served.address(f"#/{ATTACK}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page.")


def test_one_asks_further_on_the_evidence_of_a_run(served: Served, enter: Enter) -> None:
    page = enter(f"#/run/{served.run(QUESTION)}")
    page.get_by_role("link", name="Ask further").click()
    expect(page.locator(".notice")).to_contain_text(QUESTION)
    page.locator("#question").fill("How high is the tower of the Skerryvore lighthouse?")
    page.get_by_label("Strategy").select_option("extractive")
    page.get_by_label("The open web").uncheck()
    page.get_by_label("Scholarly works").uncheck()
    page.get_by_role("button", name="Start research").click()
    expect(page.locator(".answer")).to_contain_text("48 metres", timeout=30_000)
    expect(page.get_by_role("link", name="Goes on with an earlier run")).to_be_visible()


def test_a_report_is_exported_and_shared_read_only(served: Served, enter: Enter) -> None:
    page = enter(f"#/run/{served.run(QUESTION)}")
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
    guest.locator(".menu summary").click()
    sheet = guest.locator(".sheet").bounding_box()
    assert sheet is not None
    assert 0 <= sheet["x"] <= sheet["x"] + sheet["width"] <= PHONE["width"]
    guest.locator(".menu summary").click()
    guest.locator("[data-cite='1']").first.click()
    expect(guest.locator(".panel mark")).to_be_in_viewport()
    page.get_by_role("button", name="Close this link").click()
    expect(page.locator(".chip", has_text="closed")).to_be_visible()
    guest.reload()
    expect(guest.get_by_role("alert")).to_contain_text("This link no longer works")


def test_the_same_question_again_says_what_changed(served: Served, enter: Enter) -> None:
    earlier = served.run(QUESTION)
    page = enter(f"#/run/{earlier}")
    page.get_by_role("link", name="What is new?").click()
    expect(page.locator("#question")).to_have_value(QUESTION)
    expect(page.get_by_label("Strategy")).to_have_value("react")
    expect(page.locator(".notice")).to_contain_text("will say what changed")
    page.locator("details.more > summary").click()
    page.get_by_label("What the report should look like").fill(WISH)
    page.get_by_role("button", name="Start research").click()
    changes = page.locator(".changes")
    expect(changes.get_by_role("heading", level=2)).to_contain_text("What changed since", timeout=40_000)
    expect(changes.locator(".changed_claims > li")).to_contain_text("The tower is 48 metres high.")
    expect(changes.locator(".changed_claims .why")).to_contain_text("before: “The tower is 52 metres high.”")
    expect(changes.locator(".changed_claims .why")).to_contain_text("verdict: contradicted by the source → ")
    expect(changes.locator(".new_claims > li")).to_contain_text("twelve miles off the island of Tiree")
    expect(changes.locator(".gone_claims del")).to_contain_text(["61,331 pounds", "hens on the rock"])
    changes.locator(".changed_claims [data-cite]").click()
    expect(page.locator(".panel mark")).to_contain_text("48 metres")
    page.get_by_role("button", name="切换到中文").click()
    expect(changes.locator(".changed_claims .why")).to_contain_text("判定：与来源矛盾 → ")
    changes.get_by_role("link").first.click()
    expect(page).to_have_url(served.address(f"#/run/{earlier}"))
    expect(page.locator(".answer")).to_be_visible()
    expect(page.locator(".changes")).to_have_count(0)


def test_sixty_sources_with_long_names_fit_a_phone_and_a_desk(served: Served, enter: Enter) -> None:
    page = enter(f"#/run/{served.run(SURVEY, length='long')}")
    expect(page.locator("ul.sources > li")).to_have_count(STATIONS)
    page.get_by_label("Find in claims").fill("station 42 burnt")
    expect(page.locator("ul.claims > li")).to_have_count(1)
    page.locator("ul.claims [data-cite]").click()
    expect(page.locator(".panel mark")).to_be_in_viewport()
    expect(page.locator(".panel .claimed")).to_contain_text("station 42 burnt")
    page.get_by_role("button", name="Whole report").click()
    page.keyboard.press("Escape")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    last = page.locator("ul.sources [data-cite]").last
    last.click()
    expect(page.locator("dialog.over mark")).to_be_in_viewport()
    assert page.evaluate("document.querySelector('dialog.over').scrollWidth") <= PHONE["width"]
    page.keyboard.press("Escape")
    expect(last).to_be_focused()
