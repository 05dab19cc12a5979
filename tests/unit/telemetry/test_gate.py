"""Who may read metrics."""

from __future__ import annotations

import aiohttp
import pytest

from leadline.telemetry.gate import REFUSED, REFUSED_WITHOUT_KEY, Gate
from leadline.telemetry.serving import serving

HERE = {"host": "127.0.0.1:9101"}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", "host": "metrics.example.org"}


def test_with_keys_each_of_them_opens_from_anywhere() -> None:
    gate = Gate(["one", "two"])
    assert gate.lets_in("192.0.2.1", bearer("one"))
    assert gate.lets_in("192.0.2.1", bearer("two"))
    assert gate.refusal == REFUSED


@pytest.mark.parametrize(
    "headers",
    [HERE, bearer("three"), bearer(""), {"authorization": "one"}, {"authorization": "Basic one"}],
    ids=["none", "wrong", "empty", "no scheme", "another scheme"],
)
def test_with_keys_nothing_else_opens_even_here(headers: dict[str, str]) -> None:
    assert not Gate(["one"]).lets_in("127.0.0.1", headers)


def test_a_key_of_bytes_that_are_no_text_is_a_wrong_one() -> None:
    assert not Gate(["one"]).lets_in("192.0.2.1", {"authorization": "Bearer \udcff"})


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_without_a_key_this_machine_reads(peer: str) -> None:
    assert Gate([]).lets_in(peer, HERE)
    assert Gate([""]).lets_in(peer, {"host": "[::1]:9101"})


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.1", HERE),
        ("", HERE),
        ("127.0.0.1", {"host": "attacker.example"}),
        ("127.0.0.1", {**HERE, "x-forwarded-for": "192.0.2.1"}),
        ("127.0.0.1", {**HERE, "via": "1.1 cache"}),
        ("127.0.0.1", {}),
    ],
    ids=["elsewhere", "unknown", "a name that resolves here", "through a balancer", "through a proxy", "no host"],
)
def test_without_a_key_nobody_else_reads(peer: str, headers: dict[str, str]) -> None:
    gate = Gate([])
    assert not gate.lets_in(peer, headers)
    assert gate.refusal == REFUSED_WITHOUT_KEY


async def text() -> bytes:
    return b"up 1\n"


async def test_a_port_of_its_own_asks_the_gate() -> None:
    async with serving(text, gate=Gate(["one"]), host="127.0.0.1", port=0) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}"
        async with session.get(f"{url}/metrics") as reply:
            assert reply.status == 401
            assert reply.headers["WWW-Authenticate"] == "Bearer"
            assert "up 1" not in await reply.text()
        async with session.get(f"{url}/metrics", headers={"Authorization": "Bearer one"}) as reply:
            assert (reply.status, await reply.text()) == (200, "up 1\n")
        async with session.get(f"{url}/healthz") as reply:
            assert reply.status == 200


async def test_without_a_key_a_balancer_does_not_pass() -> None:
    async with serving(text, gate=Gate([]), host="127.0.0.1", port=0) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/metrics"
        async with session.get(url) as reply:
            assert reply.status == 200
        async with session.get(url, headers={"X-Forwarded-For": "192.0.2.1"}) as reply:
            assert (reply.status, (await reply.json())["detail"]) == (401, REFUSED_WITHOUT_KEY)
