"""Server-sent events from bytes, by the WHATWG rules for event streams.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation, with
two deliberate differences: an event that the end of the stream cuts before its blank line is
given out by `close` (several model servers leave the last blank line away), and `id` and `retry`
are not kept, since nothing here reconnects.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_EVENT: Final = 8 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """An event holds more bytes than allowed."""


class ServerEvent(NamedTuple):
    """One event: its `event` name, empty where none was sent, and its data lines joined by LF."""

    name: bytes
    data: bytes


class EventParser:
    """Takes bytes as they come, cut anywhere; gives out events as they become whole.

    Lines end in LF, CR or CRLF; comments and unknown fields are skipped. Raises `EventTooLarge`
    as soon as an unfinished event exceeds `max_event` bytes.
    """

    __slots__ = ("_after_cr", "_data", "_max_event", "_name", "_parts", "_size", "_started")

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._parts: list[bytes] = []  # of the line that has not ended yet
        self._data: list[bytes] = []
        self._name = b""
        self._size = 0
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Take the next bytes; return the events that they complete."""
        if not chunk:
            return []
        if b"\r" in chunk or self._after_cr:
            chunk = self._one_kind_of_line_end(chunk)
        self._size += len(chunk)
        head, line_end, rest = chunk.partition(b"\n")
        self._parts.append(head)
        if not line_end:
            return self._checked([])
        first = b"".join(self._parts)
        lines = rest.split(b"\n")
        self._parts = [lines.pop()]
        events: list[ServerEvent] = []
        self._line(first, events)
        for line in lines:
            self._line(line, events)
        if events:
            self._size = sum(map(len, self._data)) + len(self._parts[0])
        return self._checked(events)

    def close(self) -> list[ServerEvent]:
        """Return the event that the end of the stream left unfinished, if any."""
        events: list[ServerEvent] = []
        self._line(b"".join(self._parts), events)
        self._line(b"", events)
        self._parts = []
        return events

    def _one_kind_of_line_end(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _line(self, line: bytes, events: list[ServerEvent]) -> None:
        if not self._started:
            self._started = True
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                events.append(ServerEvent(self._name, b"\n".join(self._data)))
                self._data = []
            self._name = b""
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value

    def _checked(self, events: list[ServerEvent]) -> list[ServerEvent]:
        if self._size > self._max_event:
            raise EventTooLarge(f"an event of more than {self._max_event} bytes")
        return events
