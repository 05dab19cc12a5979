"""A program's picture in a real browser: the page's policy lets it show, and lets nothing else."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from tests.support.reports import english

from leadline.domain import Artefact, sha256
from leadline.research.reporting.html import to_html
from leadline.sandbox.png import encoded_anew

pytestmark = pytest.mark.server("chromium")

PROGRAM = b"if True:\n    plot()\n"


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(width)) * height)
    made = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return encoded_anew(made)


def test_a_picture_shows_and_its_program_unfolds(tmp_path: Path) -> None:
    body, table = png(1_600, 400), b"a,b\n"
    picture = Artefact(
        name="rain.png", sha256=sha256(body), media_type="image/png", size=len(body), program=sha256(PROGRAM)
    )
    csv = replace(picture, name="rain.csv", sha256=sha256(table), media_type="text/csv", size=len(table))
    made = english()
    path = tmp_path / "report.html"
    bodies = {sha256(body): body, sha256(PROGRAM): PROGRAM, sha256(table): table}
    path.write_text(to_html(replace(made.report, artefacts=(picture, csv)), made.texts, bodies), encoding="utf-8")
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=sandbox)
        page = browser.new_page(viewport={"width": 600, "height": 800})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())
        image = page.locator("figure img")
        assert image.evaluate("(i) => [i.complete, i.naturalWidth, i.naturalHeight]") == [True, 1_600, 400]
        assert image.evaluate("(i) => i.clientWidth <= document.documentElement.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.locator(".made summary").click()
        assert page.locator(".made pre").inner_text() == "if True:\n    plot()"
        with page.expect_download() as saved:
            page.locator("a[download]").click()
        assert saved.value.suggested_filename == "rain.csv"
        assert Path(saved.value.path()).read_bytes() == table
        assert said == []
        browser.close()
