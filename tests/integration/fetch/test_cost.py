"""What hostile pages cost at most: memory of a process of its own, and time."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

_CHILD = """
import asyncio, json, re, sys, time
from leadline.errors import ToolFailed
from leadline.fetch.guard import Guard
from leadline.fetch.hosts import Hosts
from leadline.fetch.http import Fetcher, FetchLimits
from leadline.resilience import SystemClock
from leadline.testing import HostileWeb

def peak():
    # Of this program alone: what `getrusage` tells holds that of the process it was forked from.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024

async def main(traps):
    clock = SystemClock()
    async with HostileWeb() as web:
        guard = Guard(allow_private=web.networks, resolve=web.resolve)
        limits = FetchLimits(seconds=2.0)
        async with Fetcher(guard, clock=clock, limits=limits, hosts=Hosts(clock=clock, delay=0.0)) as fetcher:
            for trap in traps:
                began = time.monotonic()
                try:
                    outcome = len((await fetcher.fetch(web.url(trap), deadline=2.0)).body)
                except ToolFailed as error:
                    outcome = error.code
                print(json.dumps([trap, outcome, time.monotonic() - began, peak()]))

asyncio.run(main(sys.argv[1:]))
"""
TRAPS = (
    "/gzip-bomb",
    "/brotli-bomb",
    "/gzip-twice",
    "/endless",
    "/endless-pdf",
    "/huge-header",
    "/many-headers",
    "/drip",
)
MOST_MIB = 100
MOST_SECONDS = 2.0


@pytest.mark.slow
async def test_hostile_pages_stay_under_their_caps() -> None:
    """Server and client share the process: what is measured is above what the client alone takes."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _CHILD, *TRAPS, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    rows = [json.loads(line) for line in output.splitlines()]
    assert [row[0] for row in rows] == list(TRAPS)
    for trap, outcome, seconds, peak in rows:
        assert peak <= MOST_MIB, (trap, outcome, peak)
        assert seconds <= MOST_SECONDS + 1.0, (trap, outcome, seconds)
