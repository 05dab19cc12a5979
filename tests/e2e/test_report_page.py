"""The report page in a real browser: citations open, focus returns, nothing is loaded, nothing runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, expect, sync_playwright
from tests.support.reports import Made, a_claim, a_report, a_source, chinese, cite, english

from leadline.domain import Contradiction
from leadline.research.reporting.contexts import AROUND, shown
from leadline.research.reporting.html import to_html
from leadline.telling.numbering import Numbers

pytestmark = pytest.mark.server("chromium")

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}
SMALL_DESK = {"width": 1024, "height": 700}
QUIET = [
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync"),
    *("--no-first-run", "--metrics-recording-only", "--no-default-browser-check"),
]
WATCH = "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective))"


@dataclass
class Seen:
    """What a page did beside being shown."""

    url: str
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        """Note a dialog and close it."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def nothing(self) -> bool:
        """Whether the page loaded itself and did no more."""
        return (self.console, self.dialogs, set(self.requests)) == ([], [], {self.url})


Show = Callable[..., tuple[Page, Seen]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*QUIET, *sandbox])
        yield started
        started.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Give a function that opens a report's page."""
    contexts = []

    def opened(
        made: Made, *, size: dict[str, int] | None = None, script: bool = True, fragment: str = ""
    ) -> tuple[Page, Seen]:
        path = tmp_path / "report.html"
        path.write_text(to_html(*made), encoding="utf-8")
        context = browser.new_context(viewport=size or DESK, java_script_enabled=script)  # type: ignore[arg-type]  # a TypedDict
        contexts.append(context)
        page = context.new_page()
        seen = Seen(url=path.as_uri())
        page.add_init_script(WATCH)
        page.on("console", lambda message: seen.console.append(message.text))
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("response", lambda response: seen.answered.append(response.url))
        page.on("dialog", seen.dismiss)
        page.goto(f"{seen.url}{fragment}")
        return page, seen

    yield opened
    for context in contexts:
        context.close()


def citation(page: Page, number: int) -> Locator:
    return page.locator(f"#c{number}")


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.id || document.activeElement.tagName")
    return found


@pytest.mark.parametrize("made", [english(), chinese()], ids=["en", "zh"])
@pytest.mark.parametrize("size", [DESK, SMALL_DESK, PHONE], ids=["desk", "small", "phone"])
def test_each_citation_shows_its_quotation_in_the_stored_text(show: Show, made: Made, size: dict[str, int]) -> None:
    page, seen = show(made, size=size)
    panel, mark, body = page.locator("#panel"), page.locator("#panel-text mark"), page.locator("#panel-text")
    numbers = Numbers(made.report)
    for source in made.report.sources:
        text = made.texts[source.id]
        for number, cited in numbers.in_source(source.id):
            citation(page, number).click()
            expect(mark).to_have_count(1)
            expect(mark).to_be_in_viewport()
            assert mark.text_content() == shown(cited.quote)
            low, high = max(0, cited.start - AROUND), min(len(text), cited.end + AROUND)
            before, after = "[…]" * (low > 0), "[…]" * (high < len(text))
            assert body.text_content() == before + shown(text[low:high]) + after
            expect(citation(page, number)).to_have_attribute("aria-expanded", "true")
            expect(page.get_by_role("dialog")).to_have_accessible_name(f"{number} · {source.title}")
            page.keyboard.press("Escape")
            expect(panel).to_be_hidden()
            assert focused(page) == f"c{number}"
            expect(citation(page, number)).to_have_attribute("aria-expanded", "false")
    assert seen.nothing()


def test_the_keyboard_alone_is_enough(show: Show) -> None:
    page, seen = show(english())
    for _ in range(3):
        page.keyboard.press("Tab")
    assert focused(page) == "c2"  # past the link to the report, and the answer's citation
    page.keyboard.press("Enter")
    assert focused(page) == "MARK"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "panel-close"
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_hidden()
    assert focused(page) == "c2"
    assert seen.nothing()


def test_another_citation_may_be_opened_while_one_is(show: Show) -> None:
    page, seen = show(english())
    citation(page, 1).click()
    citation(page, 3).click()
    expect(page.locator("#panel-text mark")).to_have_text("The lamp was automated in 1979.")
    expect(citation(page, 1)).to_have_attribute("aria-expanded", "false")
    page.locator("#panel-close").click()
    expect(citation(page, 3)).to_be_focused()
    assert seen.nothing()


@pytest.mark.parametrize("made", [english(), chinese()], ids=["en", "zh"])
def test_without_script_a_citation_leads_to_the_text_and_back(show: Show, made: Made) -> None:
    page, seen = show(made, script=False)
    citation(page, 3).click()
    expect(page.locator("#e3 + mark")).to_be_in_viewport()
    page.locator("#e3").click()
    expect(citation(page, 3)).to_be_in_viewport()
    expect(page.locator("#panel")).to_be_hidden()
    assert {url.partition("#")[0] for url in seen.requests} == {seen.url}


def test_a_link_into_the_stored_text_opens_it(show: Show) -> None:
    page, _ = show(english(), fragment="#e3")
    expect(page.locator("#e3 + mark")).to_be_in_viewport()
    page, _ = show(english())
    expect(page.locator("#evidence pre").first).to_be_hidden()


@pytest.mark.parametrize("made", [english(), chinese()], ids=["en", "zh"])
def test_a_phone_scrolls_one_way_only(show: Show, made: Made) -> None:
    long = replace(made.report, question="https://example.org/" + "a" * 300, notes=("x" * 400,))
    page, _ = show(Made(long, made.texts), size=PHONE, script=False)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        wide = page.locator("html").evaluate("(root) => root.scrollWidth")
        assert wide == PHONE["width"]


def test_paper_has_the_report_and_neither_panel_nor_stored_texts(show: Show) -> None:
    page, _ = show(english())
    citation(page, 1).click()
    page.emulate_media(media="print")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("#evidence")).to_be_hidden()
    expect(page.locator(".verdict.contradicted")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(show: Show, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    page, _ = show(english())
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the literals
    citation(page, 3).click()
    lowest: float = page.evaluate("""() => {
      const light = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
      const lum = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
      const rgb = (s) => s.match(/[0-9.]+/g).map(Number);
      const ground = (e) => {
        for (; e; e = e.parentElement) {
          const c = rgb(getComputedStyle(e).backgroundColor);
          if (c.length < 4 || c[3] > 0) return c;
        }
      };
      const ratios = [...document.querySelectorAll("body *")]
        .filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
        .map((e) => [lum(rgb(getComputedStyle(e).color)), lum(ground(e))])
        .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
      return ratios.length > 20 ? Math.min(...ratios) : 0;
    }""")
    assert lowest >= 4.5


def test_the_policy_stops_what_might_slip_in(show: Show) -> None:
    page, seen = show(english())
    page.evaluate("""() => {
      const add = (name, fields) => document.body.append(Object.assign(document.createElement(name), fields));
      add('script', { textContent: "alert('inline')" });
      add('script', { src: 'https://evil.example/x.js' });
      add('img', { src: 'https://evil.example/x.png' });
      add('img', { src: 'data:image/gif;base64,R0lGODlhAQABAAAAACw=' });
      add('style', { textContent: 'body { display: none }' });
      add('iframe', { src: 'https://evil.example/' });
      const link = document.createElement('a');
      link.setAttribute('onclick', "alert('handler')");
      document.body.append(link);
      link.click();
    }""")
    expect(page.locator("main")).to_be_visible()
    page.wait_for_function("true")
    assert seen.dialogs == []
    assert seen.answered == [seen.url]
    stopped = {line.removeprefix("CSP: ") for line in seen.console if line.startswith("CSP: ")}
    assert stopped == {"script-src-elem", "img-src", "style-src-elem", "frame-src", "script-src-attr"}


def test_a_hostile_source_is_only_text(show: Show) -> None:
    attack = (
        "</pre></script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\u202e\u200b\r\n<b>"
    )
    text = f"{attack} before. The quote: {attack} after. 😀 {attack}"
    source = a_source(text, uri="javascript:alert(3)", title=attack, authors=(attack,), also=("javascript:alert(4)",))
    evidence = cite(source, text, f"The quote: {attack} after. 😀", locator=attack)
    claim = a_claim(attack, evidence, decided_by="judge", reasons=(attack,))
    report = a_report(
        [claim],
        [source],
        question=attack,
        answer=attack,
        answer_claims=(claim.id,),
        notes=(attack,),
        unexamined=(attack,),
        contradictions=(Contradiction(about=attack, sides=(evidence, evidence)),),
    )
    page, seen = show(Made(report, {source.id: text}))
    for link in page.locator("a.cite").all():
        link.click()
        assert page.locator("#panel-text mark").text_content() == shown(evidence.quote)
        assert page.locator("#panel-text").text_content() == shown(text)
        page.keyboard.press("Escape")
    expect(page.locator("img, b, iframe, svg")).to_have_count(0)
    assert seen.nothing()


def test_many_citations_of_a_long_text_each_show_their_own(show: Show) -> None:
    text = "".join(f"Line {i} of the 𝄞 log.\r\n" for i in range(200_000))
    source = a_source(text, title="The log")
    claims = []
    for index in range(200):
        line = f"Line {index * 7 if index < 100 else index * 900} of the 𝄞 log."
        claims.append(a_claim(f"Claim {index}.", cite(source, text, line), index=index))
    page, seen = show(Made(a_report(claims, [source]), {source.id: text}))
    for index in (0, 1, 57, 99, 100, 150, 199):
        citation(page, index + 1).click()
        mark = page.locator("#panel-text mark")
        expect(mark).to_have_text(claims[index].citations[0].quote)
        expect(mark).to_be_in_viewport()
    assert seen.nothing()


def test_a_long_quotation_opens_at_its_beginning(show: Show) -> None:
    text = "before. " * 2_000 + "Begin. " + "and so on " * 3_000 + "after. " * 2_000
    source = a_source(text)
    quote = text[text.index("Begin.") : text.index("after.")].strip()
    page, _ = show(Made(a_report([a_claim("It begins.", cite(source, text, quote))], [source]), {source.id: text}))
    citation(page, 1).click()
    top = page.locator("#panel-text mark").evaluate("(m) => m.getClientRects()[0].top")
    panel = page.locator("#panel-text").evaluate("(p) => p.getBoundingClientRect().top")
    assert panel - 2 <= top <= panel + 60
