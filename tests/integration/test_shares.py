"""What of a busy machine a test had: its own work is no excuse, and that of others is."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from tests.support.quick import shared

SPIN = "import time\nwhile time.process_time() < 0.4: pass"
SLACK = 0.1 * (os.cpu_count() or 1)
"""The kernel counts in hundredths, for each processor by itself."""


def spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def test_work_of_ones_own_is_none_of_what_others_kept() -> None:
    before = spent()
    with shared() as share:
        for process in [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(2)]:
            process.wait()
    assert spent() - before > 0.8
    assert share.offered > spent() - before - SLACK, share
    assert 0.0 < share.fair <= share.took


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    """Yield a process that is nobody's child here and turns round and round."""
    script = f"{sys.executable} -c 'while True: pass' >/dev/null 2>&1 & echo $!"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    process = psutil.Process(int(said.stdout))
    assert process.pid not in {child.pid for child in psutil.Process().children(recursive=True)}
    yield process
    process.kill()


def test_what_others_use_was_kept_from_us(stranger: psutil.Process) -> None:
    began = sum(stranger.cpu_times()[:2])
    with shared() as share:
        while (used := sum(stranger.cpu_times()[:2]) - began) < 0.5:
            time.sleep(0.02)
    whole = share.took * (os.cpu_count() or 1)
    assert share.offered < whole - used + SLACK, share
    assert share.fair < share.took
