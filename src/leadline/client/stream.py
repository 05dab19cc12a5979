"""A run's events from a service: one stream of records without gap or double, over any number of connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson

from leadline.client.http import Sent, ServiceHttp
from leadline.errors import ServiceError, ServiceUnavailable
from leadline.events import EVENTS, Progress, Record, RunFinished, event_from

SILENCE: Final = 60.0
"""Seconds without a byte after which a connection counts as broken; a service says more often that it is there."""

_MOST_LINE: Final = 64 << 20
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One event of a stream (WHATWG HTML 9.2). `retry` is in milliseconds."""

    event: str = "message"
    data: str = ""
    id: str | None = None
    retry: int | None = None


class Frames:
    """Cuts a stream's bytes into events, however they are split."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, list[str]] = {}

    def feed(self, piece: bytes) -> list[Frame]:
        """Return the events that are whole now. Raises `ServiceError` for a line without end."""
        lines = (self._rest + piece).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _MOST_LINE:
            raise ServiceError("the service sends a line without end")
        return [frame for frame in map(self._line, lines) if frame is not None]

    def _line(self, line: bytes) -> Frame | None:
        if line:
            name, _, value = line.decode("utf-8", "replace").partition(":")
            if name:
                self._fields.setdefault(name, []).append(value.removeprefix(" "))
            return None
        fields, self._fields = self._fields, {}
        if not fields:
            return None
        retry = fields.get("retry", [""])[-1]
        return Frame(
            event=fields.get("event", ["message"])[-1],
            data="\n".join(fields.get("data", [])),
            id=fields["id"][-1] if "id" in fields else None,
            retry=int(retry) if retry.isascii() and retry.isdecimal() and len(retry) < 9 else None,
        )


class Following:
    """Follows one run. `patience` is for how many seconds in a row nothing may come of it."""

    def __init__(self, http: ServiceHttp, run_id: str, *, after: int, patience: float) -> None:
        self._http = http
        self._path = f"/v1/research/{run_id}/events"
        self._seen = after
        self._patience = patience
        self._wait = _FIRST_WAIT
        self._lost: float | None = None
        self._ended = False

    async def items(self) -> AsyncGenerator[Record | Progress]:
        """Yield what happens until the run ended. Raises `ServiceUnavailable` after too long a silence."""
        while not self._ended:
            async with aclosing(self._connection()) as connection:
                async for item in connection:
                    yield item
            if not self._ended:
                await asyncio.sleep(min(_LONGEST_WAIT, self._wait))

    async def _connection(self) -> AsyncGenerator[Record | Progress]:
        """Yield what one connection brings, until it breaks; what was seen before is passed over, a gap ends it."""
        before = self._seen
        try:
            async with aclosing(self._told()) as told:
                async for item in told:
                    yield item
        except ServiceUnavailable as error:
            self._judge(error, came=self._seen > before)
        else:
            self._lost = None

    async def _told(self) -> AsyncGenerator[Record | Progress]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self._seen)}
        cut = Frames()
        async with self._http.open(Sent(method="GET", path=self._path, headers=headers)) as response:
            self._ended = response.status == 204
            while piece := await _piece(response.content):
                for item in self._all(cut.feed(piece)):
                    yield item

    def _all(self, frames: Sequence[Frame]) -> Iterator[Record | Progress]:
        for frame in frames:
            item = self._taken(frame)
            if item is not None:
                yield item

    def _judge(self, error: ServiceUnavailable, *, came: bool) -> None:
        """Raise where nothing has come for too long; else the next connection is made after a wait."""
        now = asyncio.get_running_loop().time()
        self._lost = now if self._lost is None or came else self._lost
        if now - self._lost > self._patience:
            raise error
        self._wait = max(self._wait, getattr(error, "retry_after", None) or 0.0)

    def _taken(self, frame: Frame) -> Record | Progress | None:
        """Return what an event says, `None` where it was seen before or says nothing to this version."""
        if frame.retry is not None:
            self._wait = frame.retry / 1000
        number = _number(frame)
        if number is not None and number <= self._seen:
            return None
        if number is not None and number > self._seen + 1:
            raise ServiceUnavailable("an event is missing: the next connection brings it")
        item = item_of(frame)
        self._seen = self._seen if number is None else number
        self._ended = self._ended or (isinstance(item, Record) and isinstance(item.event, RunFinished))
        return item


async def _piece(content: Any) -> bytes:  # noqa: ANN401 aiohttp's reader
    try:
        async with asyncio.timeout(SILENCE):
            piece: bytes = await content.readany()
            return piece
    except TimeoutError as error:
        raise ServiceUnavailable("the stream fell silent") from error


def _number(frame: Frame) -> int | None:
    told = frame.id
    return int(told) if told is not None and told.isascii() and told.isdecimal() and len(told) < 16 else None


def item_of(frame: Frame) -> Record | Progress | None:
    """Return what an event says, `None` for a kind that this version does not know.

    Raises `ServiceError` for a known kind in an unknown form.
    """
    if frame.event != "progress" and frame.event not in EVENTS:
        return None
    try:
        body = orjson.loads(frame.data)
        if frame.event == "progress":
            return Progress(**{name: str(body[name]) for name in ("run_id", "branch", "kind", "text")})
        return record_of(body)
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(f"the service tells of `{frame.event}` in no form that this version knows") from error


def record_of(body: Mapping[str, Any]) -> Record:
    """Return a journal's event from its line of JSON. Raises `ValueError`, `KeyError`, `TypeError`."""
    if not isinstance(body, dict):
        raise TypeError("an event is no JSON object")
    event = {name: value for name, value in body.items() if name not in {"seq", "at", "branch", "type"}}
    return Record(
        seq=int(body["seq"]),
        at=float(body["at"]),
        branch=str(body["branch"]),
        event=event_from(str(body["type"]), event),
    )
