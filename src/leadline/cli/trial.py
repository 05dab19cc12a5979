"""Trying a model's servers before their addresses are written down."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import aiohttp
import orjson

from leadline.errors import ModelBroken, ModelDenied, ModelError, ModelTimeout, ModelUnavailable
from leadline.settings import Secret
from leadline.wire.reasons import why

Kind: TypeAlias = Literal["openai", "anthropic"]

_ANTHROPIC_VERSION: Final = "2023-06-01"
_LIST_SECONDS: Final = 15.0
_LARGEST: Final = 4 << 20


_LOCAL_SECONDS: Final = 1.0
_LOCAL_PORTS: Final = (8000, 11434, 1234, 8080, 30000)
"""Where vLLM, Ollama, LM Studio, llama.cpp and SGLang listen unless told otherwise."""


class Offer(NamedTuple):
    """A server's address as it answers, and the models that it says it has."""

    url: str
    models: tuple[str, ...]


async def local_servers(ports: Sequence[int] = _LOCAL_PORTS) -> tuple[Offer, ...]:
    """Return the model servers that answer on this machine; they are asked for their models alone."""
    found = []
    for port in ports:
        with suppress(ModelError):
            found.append(await offered(f"http://127.0.0.1:{port}/v1", None, seconds=_LOCAL_SECONDS))
    return tuple(found)


async def offered(url: str, key: Secret | None, *, kind: Kind = "openai", seconds: float = _LIST_SECONDS) -> Offer:
    """Return what a server offers; an address that lacks `/v1` is mended.

    Raises `ModelError`.
    """
    async with _session(key, kind, seconds) as session:
        for address in (url, f"{url}/v1"):
            status, body = await _exchange(session, "GET", f"{address}/models")
            if status == 200 and isinstance(body.get("data"), list):
                names = (row.get("id") for row in body["data"] if isinstance(row, dict))
                return Offer(address, tuple(name for name in names if isinstance(name, str)))
            if status != 404:
                _raise_for(status, body, f"{address}/models")
    raise ModelBroken(
        f"no server of kind `{kind}` answers at {url}: neither {url}/models nor {url}/v1/models lists models"
    )


async def answers(url: str, name: str, *, key: Secret | None, seconds: float, kind: Kind = "openai") -> float:
    """Return how many seconds a model took to answer one short message. Raises `ModelError`."""
    body = {
        "model": name,
        "messages": [{"role": "user", "content": "Reply with the word: ready"}],
        "max_tokens": 16,
    }
    began = time.monotonic()
    path, part = ("messages", "content") if kind == "anthropic" else ("chat/completions", "choices")
    async with _session(key, kind, seconds) as session:
        target = f"{url}/{path}"
        status, reply = await _exchange(session, "POST", target, body=body)
        _raise_for(status, reply, target)
    if not isinstance(reply.get(part), list) or not reply[part]:
        raise ModelBroken(f"the server at {url} answered without a choice for model: {name}")
    return time.monotonic() - began


def _session(key: Secret | None, kind: Kind, seconds: float) -> aiohttp.ClientSession:
    headers = {"anthropic-version": _ANTHROPIC_VERSION} if kind == "anthropic" else {}
    if key is not None and kind == "anthropic":
        headers["x-api-key"] = key.reveal()
    elif key is not None:
        headers["Authorization"] = f"Bearer {key.reveal()}"
    return aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=seconds))


async def _exchange(
    session: aiohttp.ClientSession,
    method: str,
    target: str,
    *,
    body: Mapping[str, Any] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Return status and JSON object of a reply, `{}` where it is none. Raises `ModelError`."""
    try:
        async with session.request(method, target, json=body, allow_redirects=False) as reply:
            data = await reply.content.read(_LARGEST)
            status = reply.status
    except TimeoutError as error:
        raise ModelTimeout(f"no answer in time from {target}") from error
    except aiohttp.ClientConnectorError as error:
        raise ModelUnavailable(f"cannot reach {target}: {why(error)}") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise ModelUnavailable(f"cannot reach {target}: {error}") from error
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        return status, {}
    return status, parsed if isinstance(parsed, dict) else {}


def _raise_for(status: int, body: Mapping[str, Any], target: str) -> None:
    """Raise what a status means, with the server's own words where it has some."""
    if status == 200:
        return
    told = body.get("error")
    words = told.get("message") if isinstance(told, dict) else told
    reason = f"{target} answered {status}" + (f": {words}" if isinstance(words, str) else "")
    if status in {401, 403}:
        raise ModelDenied(f"the key is missing or wrong: {reason}")
    if status in {400, 404, 422}:
        raise ModelDenied(f"the server does not take the request: {reason}")
    if status == 429 or status >= 500:
        raise ModelUnavailable(reason)
    raise ModelBroken(reason)
