"""The guarded proxy, used by a client that knows nothing of guards."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from tests.support.certificates import Certificates

from leadline.fetch.guard import Guard
from leadline.fetch.proxy import GuardedProxy, ProxyLimits
from leadline.testing import HostileWeb, WebPage


@asynccontextmanager
async def proxied(guard: Guard, *, limits: ProxyLimits | None = None) -> AsyncIterator[GuardedProxy]:
    async with GuardedProxy(guard, limits=limits) as proxy:
        yield proxy


async def raw(proxy: GuardedProxy, request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(request)
        async with asyncio.timeout(30):
            return await reader.read(-1)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def head(proxy: GuardedProxy, line: str, *more: str) -> bytes:
    token = base64.b64encode(f"leadline:{proxy.token}".encode()).decode()
    return "\r\n".join([line, f"Proxy-Authorization: Basic {token}", *more, "", ""]).encode()


async def test_plain_requests_are_forwarded(web: HostileWeb, guard: Guard) -> None:
    web.pages["/x"] = WebPage(body=b"<p>hello</p>")
    async with proxied(guard) as proxy, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(web.url("/x?q=1"), proxy=proxy.url, headers={"X-Mine": "1"}) as response:
                assert (response.status, await response.read()) == (200, b"<p>hello</p>")
        async with session.post(web.url("/x"), proxy=proxy.url, data=b"body") as response:
            assert response.status == 200
    sent = web.requests[0]
    assert (sent.target, sent.headers["host"]) == ("/x?q=1", f"site.example:{web.port}")
    assert sent.headers["x-mine"] == "1"
    assert not {"proxy-authorization", "proxy-connection"} & sent.headers.keys()


async def test_tunnels_lead_to_the_checked_address(certificates: Certificates) -> None:
    async with HostileWeb({"/": WebPage(body=b"<p>x</p>")}, tls=certificates.server("site.example")) as web:
        guard = Guard(allow_private=web.networks, resolve=web.resolve)
        async with proxied(guard) as proxy, aiohttp.ClientSession() as session:
            tls = certificates.client()
            async with session.get(web.url("/"), proxy=proxy.url, ssl=tls) as response:
                assert await response.read() == b"<p>x</p>"
    assert web.resolved == ["site.example"]


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT 10.0.0.1:443 HTTP/1.1",
        "CONNECT 169.254.169.254:80 HTTP/1.1",
        "CONNECT [::1]:443 HTTP/1.1",
        "CONNECT [::ffff:10.0.0.1]:443 HTTP/1.1",
        "CONNECT inner.example:443 HTTP/1.1",
        "CONNECT both.example:443 HTTP/1.1",
        "CONNECT public.example:22 HTTP/1.1",
        "GET http://10.0.0.1/ HTTP/1.1",
        "GET http://0x7f.2/ HTTP/1.1",
        "GET http://inner.example/ HTTP/1.1",
        "GET http://user@site.example/ HTTP/1.1",
    ],
)
async def test_the_guard_decides(web: HostileWeb, guard: Guard, line: str) -> None:
    web.names |= {
        "inner.example": ["10.0.0.1"],
        "both.example": ["127.0.0.1", "10.0.0.1"],
        "public.example": ["93.184.215.14"],
    }
    async with proxied(guard) as proxy:
        reply = await raw(proxy, head(proxy, line, "Host: site.example"))
    assert reply.startswith(b"HTTP/1.1 403 ")
    assert web.requests == []


@pytest.mark.parametrize(
    "authorization", ["", "Proxy-Authorization: Basic bGVhZGxpbmU6d3Jvbmc=\r\n", "Proxy-Authorization: Bearer x\r\n"]
)
async def test_strangers_are_turned_away(web: HostileWeb, guard: Guard, authorization: str) -> None:
    async with proxied(guard) as proxy:
        for line in (f"GET {web.url('/')} HTTP/1.1", f"CONNECT site.example:{web.port} HTTP/1.1"):
            reply = await raw(proxy, f"{line}\r\nHost: x\r\n{authorization}\r\n".encode())
            assert reply.startswith(b"HTTP/1.1 407 ")
            assert b"Proxy-Authenticate: Basic" in reply
        assert proxy.token not in proxy.server
    assert web.requests == []


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET https://site.example/ HTTP/1.1\r\n\r\n",
        b"TRACE http://site.example/ HTTP/1.1\r\n\r\n",
        b"CONNECT site.example HTTP/1.1\r\n\r\n",
        b"CONNECT user@site.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT site.example/x:443 HTTP/1.1\r\n\r\n",
        b"GET http://site.example/ HTTP/2\r\n\r\n",
        b"GET http://site.example/ HTTP/1.1\r\n folded\r\n\r\n",
        b"GET http://site.example/ HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET http://site.example/ HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        b"POST http://site.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST http://site.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST http://site.example/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET http://site.example/ HTTP/1.1\r\nA: " + b"b" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_unusual_requests_are_refused(web: HostileWeb, guard: Guard, request_head: bytes) -> None:
    async with proxied(guard) as proxy:
        reply = await raw(proxy, request_head)
    assert reply == b"" or reply.startswith(b"HTTP/1.1 400 ")
    assert web.requests == []


async def test_a_second_request_on_a_connection_goes_nowhere(web: HostileWeb, guard: Guard) -> None:
    """What follows the first request is not its body: another host's request must not reach this one."""
    web.pages["/"] = WebPage(body=b"<p>one</p>")
    async with proxied(guard) as proxy:
        first = head(proxy, f"GET {web.url('/')} HTTP/1.1")
        reply = await raw(proxy, first + head(proxy, f"GET {web.url('/second', host='other.example')} HTTP/1.1"))
    assert reply.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in reply
    assert [request.path for request in web.requests] == ["/"]


async def test_a_rebinding_name_is_looked_up_once(web: HostileWeb, guard: Guard) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    web.names["rebind.example"] = lambda: next(answers)
    web.pages["/"] = WebPage(body=b"x")
    async with proxied(guard) as proxy:
        line = f"GET {web.url('/', host='rebind.example')} HTTP/1.1"
        assert (await raw(proxy, head(proxy, line))).startswith(b"HTTP/1.1 200 ")
        assert (await raw(proxy, head(proxy, line))).startswith(b"HTTP/1.1 403 ")


async def test_bytes_and_time_are_bounded(web: HostileWeb, guard: Guard) -> None:
    async with proxied(guard, limits=ProxyLimits(bytes=200_000)) as proxy:
        assert len(await raw(proxy, head(proxy, f"GET {web.url('/endless')} HTTP/1.1"))) < 210_000
    async with proxied(guard, limits=ProxyLimits(seconds=0.3)) as proxy:
        assert len(await raw(proxy, head(proxy, f"GET {web.url('/drip')} HTTP/1.1"))) < 1_000
    async with proxied(guard, limits=ProxyLimits(head=0.1)) as proxy:
        assert (await raw(proxy, b"GET http://slow")).startswith(b"HTTP/1.1 502 ")
    async with proxied(guard, limits=ProxyLimits(idle=0.1)) as proxy:
        for trap in ("/silence", "/no-http", "/huge-header"):
            reply = await raw(proxy, head(proxy, f"GET {web.url(trap)} HTTP/1.1"))
            assert reply.startswith(b"HTTP/1.1 502 ")


async def test_a_dead_host_is_a_bad_gateway(web: HostileWeb, guard: Guard) -> None:
    port = web.port
    await web.__aexit__(None, None, None)
    async with proxied(guard) as proxy:
        reply = await raw(proxy, head(proxy, f"CONNECT site.example:{port} HTTP/1.1"))
    assert reply.startswith(b"HTTP/1.1 502 ")


async def test_leaving_ends_what_is_under_way(web: HostileWeb, guard: Guard) -> None:
    async with proxied(guard) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(head(proxy, f"GET {web.url('/drip')} HTTP/1.1"))
        await reader.read(1)
    async with asyncio.timeout(30):
        await reader.read(-1)
    writer.transport.abort()
    with pytest.raises(RuntimeError):
        _ = proxy.port


async def test_it_serves_at_a_door_that_stays_open_for_the_next(web: HostileWeb, guard: Guard) -> None:
    web.pages["/x"] = WebPage(body=b"hello")
    tokens = set()
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setblocking(False)
        for _ in range(2):
            async with GuardedProxy(guard, door=door) as proxy:
                assert proxy.port == door.getsockname()[1]
                tokens.add(proxy.token)
                assert (await raw(proxy, head(proxy, f"GET {web.url('/x')} HTTP/1.1"))).endswith(b"hello")
    assert len(tokens) == 2


async def test_all_connections_together_are_bounded(web: HostileWeb, guard: Guard) -> None:
    web.pages["/x"] = WebPage(body=b"a" * 600)
    async with proxied(guard, limits=ProxyLimits(total=1_000)) as proxy:
        answers = [await raw(proxy, head(proxy, f"GET {web.url('/x')} HTTP/1.1")) for _ in range(3)]
        assert proxy.exhausted
    assert [answer.count(b"a" * 100) for answer in answers] == [6, 4, 0]
