"""A log in memory, and a process that ships and dies between delivering and noting it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import orjson

from leadline.errors import StoreError, StoreUnavailable
from leadline.eventlog.envelope import Envelopes
from leadline.eventlog.jsonl import JsonLines
from leadline.eventlog.shipper import Outbox, Shipper
from leadline.ports import EventSink, Message, Turn
from leadline.resilience import Backoff, SystemClock
from leadline.tasks.sqlite import SqliteStore

LOG = "test"


class MemoryLog:
    """`EventSink` in a list; while `failure` is set it raises that, after `partly` messages."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []
        self.failure: StoreError | None = None
        self.partly = 0
        self.deliveries = 0
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Take messages."""
        self.deliveries += 1
        await self.hangs.wait()
        taken = messages if self.failure is None else messages[: self.partly]
        events = [orjson.loads(message.value) for message in taken]
        self.found += [(event["run"], event["seq"]) for event in events]
        if self.failure is not None:
            raise self.failure

    @property
    def firsts(self) -> list[tuple[str, int]]:
        """Return what was taken, without what was taken before."""
        return list(dict.fromkeys(self.found))


def away() -> StoreUnavailable:
    return StoreUnavailable("the log is away")


def shipper(store: Outbox, sink: EventSink, owner: str = "one", **changes: Any) -> Shipper:
    values: dict[str, Any] = {
        "name": LOG,
        "envelopes": Envelopes(),
        "clock": SystemClock(),
        "random": Random(1),
        "lease": 0.6,
        "backoff": Backoff(base=0.01, cap=0.02),
    }
    return Shipper(store=store, sink=sink, owner=owner, **(values | changes))


class DyingStore(SqliteStore):
    """Kills its process where a delivery was to be noted."""

    async def shipped(self, log: str, turn: Turn, *, lease: float) -> None:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)


async def _ship(database: Path, log: Path) -> None:
    async with DyingStore.open(database) as store, JsonLines.open(log) as sink:
        await shipper(store, sink, f"child {os.getpid()}").drain()


if __name__ == "__main__":
    asyncio.run(_ship(Path(sys.argv[1]), Path(sys.argv[2])))
