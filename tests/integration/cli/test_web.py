"""`ask` with pages of the web, over a server on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from leadline.testing import HostileWeb, WebPage

QUESTION = "When was the lighthouse at Skerryvore first lit?"
PAGE = WebPage(
    body=b"<html><head><title>Skerryvore</title></head><body><main>"
    b"<p>The lighthouse at Skerryvore was first lit in 1844. It stands on a reef in the Atlantic.</p>"
    b'<p><img src="http://evil.test/x.png"> ![x](http://evil.test/y.png)</p></main></body></html>'
)
OPEN = {"LEADLINE_FETCH__ALLOW_PRIVATE": "127.0.0.1/32"}


async def test_a_given_page_is_read_without_documents(leadline: Any) -> None:
    async with HostileWeb({"/lit": PAGE}) as web:
        url = f"http://127.0.0.1:{web.port}/lit"
        asked = await asyncio.to_thread(lambda: leadline("ask", QUESTION, "--url", url, env=OPEN))
        requests = len(web.requests)
        again = await asyncio.to_thread(lambda: leadline("replay", "last"))
        assert len(web.requests) == requests
    assert asked.returncode == 0, asked.stderr
    assert "first lit in 1844" in asked.stdout
    assert url in asked.stdout
    assert "evil.test" not in asked.stdout
    assert again.stdout == asked.stdout


async def test_a_page_on_a_private_network_is_refused_unless_allowed(leadline: Any) -> None:
    async with HostileWeb({"/lit": PAGE}) as web:
        url = f"http://127.0.0.1:{web.port}/lit"
        asked = await asyncio.to_thread(lambda: leadline("ask", QUESTION, "--url", url))
        assert web.requests == []
    assert "1844" not in asked.stdout
    assert "may not be fetched" in asked.stdout


def test_wrong_addresses_and_sites_are_the_users_mistakes(leadline: Any, documents: Path) -> None:
    wrong = (
        ("--url", "ftp://a.test/"),
        ("--url", "file:///etc/passwd"),
        ("--web", "--site", "https://a.test/"),
        ("--web", "--since", "yesterday"),
    )
    for arguments in wrong:
        refused = leadline("ask", QUESTION, "--docs", str(documents), *arguments)
        assert (refused.returncode, refused.stdout) == (2, ""), arguments
