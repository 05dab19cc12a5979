"""Documents: a set is made, filled, read, asked, and emptied again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect
from tests.support.browser_checks import ACCESSIBLE, CONTRAST
from tests.support.ui_browser import PHONE, Served
from tests.support.ui_world import ATTACK

pytestmark = [pytest.mark.server("chromium"), pytest.mark.xdist_group("web_ui"), pytest.mark.timeout(120)]

Enter = Callable[..., Page]
READ = 60_000
"""Milliseconds that reading a few documents may take on a busy machine."""

LOCK = b"# Falkenstein lock\n\nThe Falkenstein lock was opened in 1911.\n"
FILES: list[FilePayload] = [
    {"name": "lock.md", "mimeType": "text/markdown", "buffer": LOCK},
    {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n" + b"\xff" * 300},
    {"name": f"{ATTACK.replace('/', '-')}.txt", "mimeType": "text/plain", "buffer": b"Nothing about locks."},
]


def test_documents_are_added_read_asked_and_removed(served: Served, enter: Enter) -> None:
    page = enter("#/documents")
    expect(page.get_by_text("None yet. Make a set, add files to it, and ask them")).to_be_visible()
    page.get_by_label("Name of a new set").fill("Locks")
    page.get_by_role("button", name="Make a set").click()
    shelf = page.locator("section.corpus", has=page.get_by_role("heading", name="Locks"))
    expect(shelf.get_by_text("It is empty.")).to_be_visible()
    shelf.locator("input[type=file]").set_input_files(FILES)
    expect(shelf.get_by_text("Added lock.md")).to_be_visible()
    expect(shelf.locator("tr[data-state=ready]")).to_have_count(2, timeout=READ)
    broken = shelf.locator("tr[data-state=failed]")
    expect(broken).to_contain_text("broken.pdf")
    expect(broken.locator(".hint")).not_to_be_empty()
    expect(shelf.locator(".standing")).to_contain_text("3 documents")
    expect(shelf.locator(".standing")).to_contain_text("1 cannot be read")
    assert page.evaluate(ACCESSIBLE) == []
    assert page.evaluate(CONTRAST) == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    shelf.get_by_role("link", name="Ask these documents").click()
    expect(page.get_by_role("checkbox", name="Locks")).to_be_checked()
    expect(page.locator("#web")).not_to_be_checked()
    page.locator("#question").fill("When was the Falkenstein lock opened?")
    page.locator("#strategy").select_option("extractive")
    page.get_by_role("button", name="Start research").click()
    expect(page.locator(".answer, .section, main article").first).to_be_visible(timeout=READ)
    expect(page.locator("main")).to_contain_text("opened in 1911", timeout=READ)

    page.goto(served.address("#/documents"))
    page.get_by_role("button", name="Remove: broken.pdf").click()
    page.get_by_role("button", name="Remove it").click()
    expect(shelf.locator(".standing")).to_contain_text("2 documents")
    shelf.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("None yet. Make a set, add files to it, and ask them")).to_be_visible()
