"""Four model servers that cost next to nothing, so that what is before them can be measured.

    python benchmarks/_pool_backend.py [down|503|hangs]

The word is what the first of them does instead. Prints its four ports on one line. A body with
`"stream":true` gets 40 events, the first after 50 ms and the others 25 ms apart; any other a
completion of 0.6 KB, at once, or with `"delay":true` after 20 ms. `GET /seen` on any port tells which
session came to which port, in order.
"""

from __future__ import annotations

import asyncio
import json
import sys

EVENT = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
END = (
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
WHOLE = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 80}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 250, "completion_tokens": 80, "total_tokens": 330},
    }
).encode()
FIRST, GAP, EVENTS = 0.05, 0.025, 40


class Backends:
    """Serves each connection; remembers sessions by port."""

    def __init__(self, fault: str) -> None:
        self.seen: dict[str, list[int]] = {}
        self.fault = fault
        self.faulty = 0  # the port of the server that has the fault

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        port = writer.get_extra_info("sockname")[1]
        try:
            while await self._one(reader, writer, port):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
        if head.startswith(b"GET"):
            _whole(writer, json.dumps(self.seen).encode())
            return True
        session = fields.get(b"x-session-id", b"").decode()
        if session:
            self.seen.setdefault(session, []).append(port)
        if self.fault and port == self.faulty:
            return await self._fails(writer)
        if b'"stream":true' in body:
            await _stream(writer)
        else:
            if b'"delay":true' in body:
                await asyncio.sleep(0.02)
            _whole(writer, WHOLE)
        await writer.drain()
        return True

    async def _fails(self, writer: asyncio.StreamWriter) -> bool:
        if self.fault == "503":
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return True
        if self.fault == "hangs":
            await asyncio.sleep(3600)
        return False


def _whole(writer: asyncio.StreamWriter, data: bytes) -> None:
    length = str(len(data)).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + length + b"\r\n\r\n" + data)


async def _stream(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(EVENTS):
        await asyncio.sleep(GAP if at else FIRST)
        data = EVENT if at < EVENTS - 1 else EVENT + END
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    writer.write(b"0\r\n\r\n")


async def main() -> None:
    """Serve until killed."""
    backends = Backends(sys.argv[1] if len(sys.argv) > 1 else "")
    servers = [await asyncio.start_server(backends.serve, "127.0.0.1", 0, backlog=1024) for _ in range(4)]
    backends.faulty = servers[0].sockets[0].getsockname()[1]
    sys.stdout.write(" ".join(str(server.sockets[0].getsockname()[1]) for server in servers) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
