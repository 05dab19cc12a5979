"""An executor elsewhere: `POST {address}/python {code, files?, timeout?, session?}`.

It answers `{stdout, stderr, exit, files, truncated?, killed_by?}`; files travel both ways as an
object of names to base64 text. How it confines programs is its operator's affair; what it sends is
bounded and read as what it is: the words of a stranger.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, Self, get_args
from urllib.parse import urlsplit

import aiohttp
import orjson

from leadline.errors import InvalidArguments, SettingsError, ToolFailed
from leadline.ports import KilledBy, Part, Program, Ran
from leadline.sandbox import artefacts
from leadline.sandbox.types import Limits

_CONNECT_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 5.0
_PIECE: Final = 1 << 16
_MOST_REASON: Final = 200
_PARTS: Final = get_args(Part)
_KILLED: Final = get_args(KilledBy)


class RemoteSandbox:
    """A `Sandbox` behind an address; an asynchronous context.

    `key` is sent as a bearer token. Raises `SettingsError` for what is no address.
    """

    name = "remote"

    def __init__(self, address: str, *, limits: Limits, key: str = "") -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise SettingsError(f"not the address of a Python executor: {address}; use http://host:port")
        self._url = f"{address.rstrip('/')}/python"
        self._limits = limits
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None
        # Base64 takes four thirds; escaped text at most six times its bytes; the rest is names.
        self._most = limits.files_out * 4 // 3 + 12 * limits.output + (1 << 16)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the executor takes that for a cancel."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def run(self, program: Program) -> Ran:
        """See `Sandbox`. Raises `ToolFailed` also for what is no answer of such an executor."""
        artefacts.check(program, self._limits)
        if self._session is None:
            raise ToolFailed("the Python executor is closed")
        try:
            async with asyncio.timeout(program.timeout + _GRACE_SECONDS):
                body = await self._ask(self._session, program)
        except TimeoutError as error:
            raise ToolFailed(f"the Python executor did not answer within {program.timeout:g} s") from error
        except aiohttp.ClientError as error:
            raise ToolFailed(f"the Python executor cannot be reached: {type(error).__name__}") from error
        return await asyncio.to_thread(self._read, body)

    async def _ask(self, session: aiohttp.ClientSession, program: Program) -> bytes:
        request: dict[str, Any] = {"code": program.code, "timeout": program.timeout}
        if program.files:
            request["files"] = {name: base64.b64encode(data).decode() for name, data in program.files.items()}
        if program.session is not None:
            request["session"] = program.session
        headers = {"Content-Type": "application/json", **self._headers}
        data = await asyncio.to_thread(orjson.dumps, request)
        async with session.post(self._url, data=data, headers=headers, allow_redirects=False) as response:
            body = await self._bounded(response)
            if response.status in {400, 413, 422}:
                raise InvalidArguments(f"the Python executor refuses the program: {_reason(body)}")
            if response.status != 200:
                raise ToolFailed(f"the Python executor answered {response.status}")
            return body

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            body += piece
            if len(body) > self._most:
                raise ToolFailed(f"the Python executor sent more than {self._most} bytes")
        return bytes(body)

    def _read(self, body: bytes) -> Ran:
        try:
            answer = orjson.loads(body)
            stdout, out_cut = _cut(answer["stdout"], self._limits.output)
            stderr, err_cut = _cut(answer["stderr"], self._limits.output)
            found = [(name, base64.b64decode(text, validate=True)) for name, text in _files(answer)]
            files, files_cut = artefacts.typed(found, self._limits)
            told = answer.get("truncated") or ()
            cuts = {"stdout": out_cut, "stderr": err_cut, "files": files_cut}
            killed = answer.get("killed_by")
            return Ran(
                stdout=stdout,
                stderr=stderr,
                exit=int(answer["exit"]) & 0xFF,
                files=files,
                truncated=tuple(part for part in _PARTS if cuts[part] or part in told),
                killed_by=killed if killed in _KILLED else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ToolFailed("the Python executor's answer has a wrong shape") from error


def _cut(text: object, most: int) -> tuple[str, bool]:
    if not isinstance(text, str):
        raise TypeError("not a text")
    data = text.encode("utf-8", "replace")
    return data[:most].decode("utf-8", "ignore"), len(data) > most


def _files(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    files = answer.get("files") or {}
    return [(str(name), text) for name, text in files.items() if isinstance(text, str)]


def _reason(body: bytes) -> str:
    """Return what a problem document says, in one short line."""
    try:
        problem = orjson.loads(body)
        return " ".join(str(problem.get("detail") or problem.get("title") or "no reason given").split())[:_MOST_REASON]
    except (ValueError, AttributeError):
        return "no reason given"
