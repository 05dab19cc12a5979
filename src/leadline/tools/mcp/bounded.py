"""The way to a tool server over HTTP, on which no answer grows without bound.

The library `mcp` bounds the events of a stream, and reads every other answer whole, unpacked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx2

MOST_BYTES: Final = 4 << 20
"""Bytes of one answer, and of one event of a stream."""

_EVENTS: Final = "text/event-stream"


class Bounded(httpx2.AsyncBaseTransport):
    """A transport through `proxy`: packed answers are asked for by nobody and refused, others end at `MOST_BYTES`."""

    def __init__(self, proxy: str) -> None:
        self._way = httpx2.AsyncHTTPTransport(proxy=proxy, trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`. What is refused raises `httpx2.StreamError` once it is read."""
        request.headers["accept-encoding"] = "identity"
        answer = await self._way.handle_async_request(request)
        packed = answer.headers.pop("content-encoding", "identity").strip().lower() != "identity"
        events = answer.headers.get("content-type", "").lower().startswith(_EVENTS)
        most = 0 if packed else None if events else MOST_BYTES
        assert isinstance(answer.stream, httpx2.AsyncByteStream)  # noqa: S101 an asynchronous transport's
        return httpx2.Response(
            answer.status_code,
            headers=answer.headers,
            stream=answer.stream if most is None else _Counted(answer.stream, most),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._way.aclose()


class _Counted(httpx2.AsyncByteStream):
    """The bytes of an answer, as far as they may go."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._left -= len(piece)
            if self._left < 0:
                raise httpx2.StreamError("the answer is packed, or too large")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
