"""Schedules: made, asked when their time has come, paused, asked at once, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.support.browser_checks import ACCESSIBLE, CONTRAST, FOCUS, tree_faults
from tests.support.ui_browser import DESK, PHONE, Served
from tests.support.ui_world import ATTACK, QUESTION

pytestmark = [pytest.mark.server("chromium"), pytest.mark.xdist_group("web_ui"), pytest.mark.timeout(150)]

Enter = Callable[..., Page]
WAIT = 60_000
"""Milliseconds that a run may take on a busy machine."""


def listed(served: Served) -> Any:
    return served.do(served.world.ask("GET", "/v1/schedules"))


@pytest.fixture(autouse=True)
def nothing_is_left(served: Served) -> Iterator[None]:
    yield
    for one in listed(served):
        served.do(served.world.ask("DELETE", f"/v1/schedules/{one['id']}"))
    for one in served.do(served.world.ask("GET", "/v1/corpora"))["items"]:
        served.do(served.world.ask("DELETE", f"/v1/corpora/{one['id']}"))


def test_what_is_filled_in_is_what_is_asked(served: Served, enter: Enter) -> None:
    corpus = served.do(served.world.ask("POST", "/v1/corpora", {"name": "Lights"}))["id"]
    page = enter("#/schedules", timezone_id="Asia/Shanghai")
    expect(page.get_by_text("No schedules yet.")).to_be_visible()
    question = page.get_by_label("Question")
    question.fill(QUESTION)
    page.get_by_role("checkbox", name="Lights").check()
    page.get_by_label("How often").select_option(label="Every Monday")
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Shanghai")
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.locator("summary", has_text="Budget, name and more").click()
    page.get_by_label("Name").fill(f"Skerryvore {ATTACK}")
    page.get_by_label("Steps").fill("9")
    page.get_by_label("Minutes").fill("5")
    page.get_by_label("Strategy").select_option("react")
    page.get_by_role("button", name="Make the schedule").press("Enter")

    row = page.locator(".schedules > li")
    expect(row.get_by_role("heading")).to_have_text(f"Skerryvore {ATTACK}")
    expect(row).to_contain_text("Every Monday at 08:00 · Europe/Berlin")
    expect(row).to_contain_text("your time")
    expect(row).to_contain_text("not asked yet")
    expect(page.get_by_text("No schedules yet.")).to_be_hidden()
    (made,) = listed(served)
    assert (made["when"], made["zone"], made["question"]) == ("every Monday 08:00", "Europe/Berlin", QUESTION)
    options = {"web": True, "corpora": [corpus], "strategy": "react", "budget": {"steps": 9, "seconds": 300}}
    assert made["options"] == options

    run = served.do(served.world.fire(made["id"]))
    assert (run["state"], run["corpora"], run["strategy"]) == ("done", [corpus], "react")


def test_a_question_is_asked_again_by_itself(served: Served, enter: Enter) -> None:
    asked = {"question": QUESTION, "name": "Lights", "when": "every Monday 08:00", "strategy": "react", "web": True}
    made = served.do(served.world.ask("POST", "/v1/schedules", asked))
    first = served.do(served.world.fire(made["id"]))
    assert first["state"] == "done"
    page = enter("#/schedules")
    row = page.locator(".schedules > li")
    row.get_by_role("link", name="Read the report of").click()
    expect(page.locator(".answer")).to_contain_text("1 February 1844", timeout=WAIT)
    second = served.do(served.world.fire(made["id"]))
    assert (second["state"], second["continues"]) == ("done", first["id"])
    page.goto(served.address("#/schedules"))
    row.get_by_role("link", name="Read the report of").click()
    expect(page.locator(".changes")).to_be_visible(timeout=WAIT)

    page.goto(served.address("#/schedules"))
    row.get_by_role("button", name="Ask now").click()
    page.wait_for_url("**/#/run/*")
    expect(page.locator(".changes")).to_be_visible(timeout=WAIT)

    page.goto(served.address("#/schedules"))
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("No schedules yet.")).to_be_visible()
    assert listed(served) == []


def test_a_schedule_rests_and_goes_on_by_keyboard(served: Served, enter: Enter) -> None:
    page = enter("#/schedules", timezone_id="UTC")
    page.get_by_label("Question").fill("What is new at Skerryvore?")
    page.get_by_label("How often").select_option(label="By a rule of your own")
    expect(page.get_by_label("At", exact=True)).to_be_hidden()
    rule = page.get_by_label("Rule")
    rule.fill("every now and then")
    rule.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="every now and then")).to_be_visible()
    expect(rule).to_be_focused()
    assert listed(served) == []
    rule.fill("every 6 hours")
    rule.press("Enter")
    row = page.locator(".schedules > li")
    expect(row).to_contain_text("Every 6 hours")
    expect(row.get_by_role("button", name="Ask now")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(row.locator(".chip")).to_have_text("paused")
    expect(row.get_by_role("button", name="Go on")).to_be_focused()
    expect(page.locator("#told")).to_have_text("What is new at Skerryvore? is paused.")
    assert listed(served)[0]["next_at"] is None
    page.keyboard.press("Enter")
    expect(row.locator(".chip")).to_have_count(0)
    expect(row.get_by_role("button", name="Pause")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete it").press("Enter")
    expect(page.get_by_text("No schedules yet.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


@pytest.mark.parametrize("lang", ["en-GB", "zh-CN"])
def test_the_list_is_accessible_and_fits_a_phone(served: Served, enter: Enter, lang: str) -> None:
    for name, when in (
        (f"{ATTACK} {'long' * 10}", "every month on the 1 09:00"),
        ("Weekly" if lang == "en-GB" else "每周", "0 8 * * 1"),
    ):
        served.do(served.world.ask("POST", "/v1/schedules", {"question": QUESTION, "name": name, "when": when}))
    reader = served.do(served.world.ask("POST", "/v1/keys", {"name": "reader", "role": "reader"}))["credential"]
    page = enter("#/schedules", lang=lang)
    expect(page.locator(".schedules > li")).to_have_count(2)
    closed = page.locator("main details:not([open]) > summary")
    while closed.count():
        closed.first.click()
    for size in (DESK, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        for check in (ACCESSIBLE, CONTRAST, FOCUS):
            assert page.evaluate(check) == []
    assert tree_faults(page, lang) == []
    only = enter("#/schedules", lang=lang, key=reader)
    expect(only.locator(".schedules > li")).to_have_count(2)
    expect(only.locator("main button")).to_have_count(0)
    expect(only.locator("main form")).to_have_count(0)


def test_a_report_leads_to_a_schedule_of_its_question(served: Served, enter: Enter) -> None:
    earlier = served.run(QUESTION)
    page = enter(f"#/run/{earlier}")
    page.get_by_role("link", name="Ask regularly").click()
    expect(page.get_by_label("Question")).to_have_value(QUESTION)
    page.get_by_role("button", name="Make the schedule").click()
    expect(page.locator(".schedules > li")).to_have_count(1)
    (made,) = listed(served)
    assert made["options"]["continues"] == earlier
    run = served.do(served.world.fire(made["id"]))
    assert run["continues"] == earlier
