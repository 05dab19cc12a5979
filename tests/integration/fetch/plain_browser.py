"""Becomes a plain user and renders pages as one; prints what came of it, as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from dataclasses import replace

from tests.integration.sandbox.plain_child import become_plain

TREE = re.compile(r"<p id=\"out\">(.*?),")


def main() -> None:
    if os.geteuid() == 0:
        become_plain()
    os.environ["HOME"] = os.environ["TMPDIR"] = "/tmp"
    from tests.support.browsing import LIMITS, MiB, browsing  # noqa: PLC0415 only after the change of user

    from leadline.errors import ToolFailed  # noqa: PLC0415 as above
    from leadline.testing import HostileWeb, WebPage  # noqa: PLC0415 as above

    say = "<p id=out></p><script>const say = (t) => { out.textContent = t; };"
    pages = {
        "/app": WebPage(
            body=f"{say} say('read by a plain user, and long enough for a page that has come to its end')</script>".encode()
        ),
        "/eater": WebPage(
            body=f"{say} const all = []; setInterval(() => {{ all.push(new Uint8Array(4e7).fill(1)); say('eating ' + all.length); }}, 1)</script>".encode()
        ),
    }

    async def told() -> dict[str, object]:
        async with (
            HostileWeb(pages) as web,
            browsing(web, limits=replace(LIMITS, memory=900 * MiB, settle=15.0)) as opened,
        ):
            try:
                eaten = await opened.shown("/eater")
            except ToolFailed as error:
                eaten = error.code
            found = TREE.search(await opened.shown("/app"))
            return {"user": os.geteuid(), "read": found[1] if found else "", "eater": eaten}

    sys.stdout.write(json.dumps(asyncio.run(told())))
