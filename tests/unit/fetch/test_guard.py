"""The guard's decisions; those on connections are in tests/integration/fetch."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from leadline.errors import FetchUnavailable, Forbidden, NotFound, SettingsError, ToolFailed
from leadline.fetch.guard import Guard, is_loopback_name

TABLE = {
    "good.example": ["93.184.215.14"],
    "both.example": ["93.184.215.14", "10.0.0.1"],
    "inner.example": ["10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "zone.example": ["fe80::1%eth0"],
    "nothing.example": [],
}


async def resolve(host: str) -> Sequence[str]:
    if host == "away.example":
        raise socket.gaierror(socket.EAI_AGAIN, "try again")
    if host not in TABLE:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")
    return TABLE[host]


async def test_a_public_host_passes() -> None:
    target = await Guard(resolve=resolve).admit("https://good.example/x")
    assert (target.host, target.port) == ("good.example", 443)


@pytest.mark.parametrize("host", ["both.example", "inner.example", "metadata.example", "zone.example", "localhost"])
async def test_one_wrong_address_refuses_the_name(host: str) -> None:
    with pytest.raises(Forbidden):
        await Guard(resolve=resolve).admit(f"http://{host}/")


async def test_localhost_is_not_asked_for() -> None:
    async def never(host: str) -> Sequence[str]:
        raise AssertionError(host)

    for name in ("localhost", "a.LOCALHOST", "localhost."):
        with pytest.raises(Forbidden):
            await Guard(resolve=never).admit(f"http://{name}/")
    assert not is_loopback_name("localhost.example")


async def test_ports_are_those_of_the_web_or_inside_the_allowed_networks() -> None:
    guard, opened = Guard(resolve=resolve), Guard(resolve=resolve, allow_private=["10.1.0.0/16"])
    with pytest.raises(Forbidden, match="8080"):
        await guard.admit("http://good.example:8080/")
    with pytest.raises(Forbidden, match="8080"):
        await opened.admit("http://good.example:8080/")
    with pytest.raises(Forbidden, match="22"):
        await opened.admit("http://93.184.215.14:22/")
    assert (await opened.admit("http://inner.example:8080/")).port == 8080
    assert (await opened.admit("http://10.1.2.3:22/")).port == 22
    assert (await guard.admit("https://good.example:80/")).port == 80


async def test_no_list_opens_metadata() -> None:
    opened = Guard(resolve=resolve, allow_private=["0.0.0.0/0", "::/0"])
    with pytest.raises(Forbidden, match="metadata"):
        await opened.admit("http://metadata.example/")
    with pytest.raises(Forbidden, match="metadata"):
        await opened.admit("http://[::ffff:a9fe:a9fe]/")


def test_a_wrong_network_is_a_wrong_setting() -> None:
    for network in ("10.0.0.1/8", "localhost", ""):
        with pytest.raises(SettingsError, match="CIDR"):
            Guard(allow_private=[network])


async def test_names_without_an_answer() -> None:
    guard = Guard(resolve=resolve)
    with pytest.raises(NotFound):
        await guard.admit("http://unknown.example/")
    with pytest.raises(NotFound):
        await guard.admit("http://nothing.example/")
    with pytest.raises(FetchUnavailable):
        await guard.admit("http://away.example/")
    with pytest.raises(Forbidden):
        await guard.admit("http://both.example/")
    assert (await guard.admit("http://good.example/")).host == "good.example"


@pytest.mark.shared_data
def test_the_samples_are_all_decided_right(shared_data: Path) -> None:
    folder = shared_data / "ssrf"
    resolver = _sample_resolver(folder)
    with (folder / "ssrf.jsonl").open(encoding="utf-8") as lines:
        samples = [json.loads(line) for line in lines]
    wrong = [
        sample
        for sample in samples
        if sample["expect"] in {"block", "reject-malformed", "allow"}
        and asyncio.run(_admits(sample["url"], resolver(sample.get("dns")))) != (sample["expect"] == "allow")
    ]
    assert len(samples) > 400
    assert wrong == []


async def _admits(url: str, resolver: Callable[[str], Sequence[str]]) -> bool:
    async def at_once(host: str) -> Sequence[str]:
        return resolver(host)

    try:
        await Guard(resolve=at_once).admit(url)
    except ToolFailed:
        return False
    return True


def _sample_resolver(folder: Path) -> Callable[[Any], Callable[[str], Sequence[str]]]:
    """Return the samples' own resolver."""
    spec = importlib.util.spec_from_file_location("score_ssrf", folder / "score_ssrf.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[[Any], Callable[[str], Sequence[str]]] = module.resolver
    return made
