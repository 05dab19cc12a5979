"""Asking, watching, steering, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.support.ui_browser import Seen, Served
from tests.support.ui_world import LIVE, QUESTION

pytestmark = [pytest.mark.server("chromium"), pytest.mark.xdist_group("web_ui"), pytest.mark.timeout(120)]

Enter = Callable[..., Page]


def test_a_question_is_asked_watched_over_a_reload_and_read(served: Served, enter: Enter) -> None:
    page = enter()
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_have_text("Write a question first.")
    page.locator("#question").fill(LIVE)
    page.get_by_label("Strategy").select_option("react")
    page.locator("details.more > summary").click()
    page.get_by_label("Tokens").fill("500000")
    page.get_by_label("Turn in the queue").select_option("After all others")
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
    assert served.do(served.world.ask("GET", f"/v1/research/{page.url.rpartition('/')[2]}"))["priority"] == -5
    asked = [event for event in journal if event["type"] == "tool_asked"]
    expect(log.locator("li.tool")).to_have_count(len(asked))
    expect(times.last).to_contain_text("Ended: answered")
    expect(page.locator(".spend progress").first).to_have_attribute("aria-label", re.compile("Tokens: .* of 500,000"))


RULES = """async () => {
  const { Timeline } = await import("/ui/files/timeline.js");
  const told = new Timeline();
  let seq = 0;
  const feed = (type, more) => told.feed({ seq: ++seq, at: 1700000000 + seq, type, branch: "gather", ...more });
  feed("run_started", { options: { strategy: "react", budget: { tokens: 1000 } } });
  feed("model_asked", { call: "m1", purpose: "gather" });
  feed("model_answered", { call: "m1", usage: { model_calls: 1, prompt_tokens: 40, completion_tokens: 2 },
    answer: { text: "", reasoning: "think " + "x".repeat(500) + "\u202eRTL", tool_calls: [{}] } });
  feed("tool_asked", { call: "t1", tool: "search", arguments: { query: ['"a b"', '"a b" c', '"d" e'] } });
  const underWay = told.list.lastChild.textContent;
  const hits = Array.from({ length: 7 }, (_, n) => ({ uri: `https://h.example/${n % 6}`, title: `T${n % 6}` }));
  feed("tool_answered", { call: "t1", usage: {}, value: { results: [{ hits }] } });
  feed("tool_asked", { call: "t2", tool: "visit", arguments: { url: "javascript:alert(1)" } });
  feed("tool_answered", { call: "t2", failure: { code: "forbidden", message: "not <b>allowed</b>" } });
  feed("tool_asked", { call: "t3", tool: "visit", arguments: { url: "https://h.example/" } });
  feed("tool_answered", { call: "t3", failure: { code: "interrupted", message: "stopped on request" } });
  feed("model_answered", { call: "m2", failure: { code: "interrupted", message: "stopped on request" } });
  feed("model_answered", { call: "m3", failure: { code: "model_timeout", message: "no answer" } });
  for (const [claim, verdict] of [["c1", "supported"], ["c2", "partial"], ["c1", "contradicted"]]) feed("claim_checked", { claim, verdict });
  feed("something_new", {});
  const count = told.list.children.length;
  told.feed({ seq: 3, at: 0, type: "run_waiting" });
  feed("run_finished", { state: "cancelled", stop_reason: "cancelled" });
  return { underWay, again: told.list.children.length - count, seen: told.seen === seq, links: told.list.querySelectorAll("a, b").length,
    spend: told.spend.textContent, rows: [...told.list.children].map((row) => [row.className.trim(),
      row.querySelector(".title").textContent, [...row.children].slice(1).map((part) => part.textContent).join("|")]) };
}"""


def test_the_timeline_tells_what_the_journal_says(enter: Enter) -> None:
    told = enter().evaluate(RULES)
    rows = told["rows"]
    assert [(look, title) for look, title, _ in rows] == [
        ("start", "Started · Step by step"),
        ("thought", "Thought"),
        # A name that is looked up by itself stands for all that is asked of it.
        ("tool search", 'Searched “a b” “"d" e” '),
        ("tool visit fault", "Read javascript:alert(1) "),
        ("tool visit", "Read h.example "),
        ("fault", "The model failed"),
        ("check", "Checked 2 claims"),
        ("start", "Ended: cancelled"),
    ]
    thought, search, refused, stopped, failed, checked = (told_ for _, _, told_ in rows[1:7])
    assert "Show all of it" in thought
    assert "\u202e" not in thought
    assert told["underWay"].rstrip("0123456789:").endswith("under way")
    assert search.startswith("6 results|T0 h.example/0")
    assert search.endswith("1 more")
    assert (refused, stopped, failed) == ("failed: not <b>allowed</b>", "stopped on request", "no answer")
    assert checked == "contradicted 1 · partly supported 1"
    assert (told["again"], told["seen"], told["links"]) == (1, True, 0)
    assert told["spend"].startswith("Searches3Pages0Model calls1Tokens42")


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


def test_a_plan_waits_is_changed_and_carried_out(served: Served, enter: Enter) -> None:
    run = served.do(served.world.research(QUESTION, web=True, strategy="plan", approve=True))
    served.do(served.world.until(run, "waiting"))
    page = enter(f"#/run/{run}")
    expect(page.get_by_role("heading", name="Check the plan")).to_be_visible()
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
    page.get_by_role("button", name="Write it up now").click()
    found = served.do(served.world.until(runs[0]))
    assert (found["state"], found["stop_reason"]) == ("done", "finished_early")
    expect(page.locator(".chip.done")).to_be_visible()
    run = served.do(served.world.research(f"{LIVE} No.", web=True, strategy="react"))
    page.goto(served.address(f"#/run/{run}"))
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="No, keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.locator(".chip.cancelled")).to_be_visible()
    expect(page.get_by_text("There is no report.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="Research")).to_be_visible()
    assert run not in page.content()
    served.do(served.world.until(runs[1]))
