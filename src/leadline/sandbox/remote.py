"""An executor elsewhere: `POST {address}/python {code, files?, timeout?, session?}`, as `leadline serve-tool python`.

It answers `{stdout, stderr, exit, files, truncated?, killed_by?, fresh?}`; files travel both ways as an
object of names to base64 text. How it confines programs is its operator's affair; what it sends is
bounded and read as what it is: the words of a stranger.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Self, get_args
from urllib.parse import urlsplit

from leadline.errors import ProviderBroken, SettingsError, ToolFailed
from leadline.ports import KilledBy, Part, Program, Ran
from leadline.sandbox import artefacts
from leadline.sandbox.types import Limits
from leadline.wire.http import AiohttpHttp
from leadline.wire.tool_client import ToolClient
from leadline.wire.tool_shapes import decoded

_GRACE_SECONDS: Final = 5.0
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
        self._address = address
        self._key = key
        self._limits = limits
        self._stack = AsyncExitStack()
        self._client: ToolClient | None = None
        # Base64 takes four thirds; escaped text at most six times its bytes; the rest is names.
        self._most = limits.files_out * 4 // 3 + 12 * limits.output + (1 << 16)

    async def __aenter__(self) -> Self:
        http = await self._stack.enter_async_context(AiohttpHttp.open(most_bytes=self._most))
        self._client = ToolClient(http, self._address, tool="python", key=self._key)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the executor takes that for a cancel."""
        self._client = None
        await self._stack.aclose()

    async def run(self, program: Program) -> Ran:
        """See `Sandbox`. Raises `ToolFailed` also for what is no answer of such an executor."""
        artefacts.check(program, self._limits)
        if self._client is None:
            raise ToolFailed("the Python executor is closed")
        request: dict[str, Any] = {"code": program.code, "timeout": program.timeout}
        if program.files:
            request["files"] = {name: base64.b64encode(data).decode() for name, data in program.files.items()}
        if program.session is not None:
            request["session"] = program.session
        large = bool(program.files)
        deadline = program.timeout + _GRACE_SECONDS
        answer = await self._client.ask(request, deadline=deadline, tenant=program.tenant, large=large)
        return await asyncio.to_thread(self._read, answer)

    def _read(self, answer: Mapping[str, Any]) -> Ran:
        try:
            stdout, out_cut = _cut(answer["stdout"], self._limits.output)
            stderr, err_cut = _cut(answer["stderr"], self._limits.output)
            found = [(name, decoded(text)) for name, text in _files(answer)]
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
                fresh=answer.get("fresh") is not False,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderBroken("the Python executor's answer has a wrong shape") from error


def _cut(text: object, most: int) -> tuple[str, bool]:
    if not isinstance(text, str):
        raise TypeError("not a text")
    data = text.encode("utf-8", "replace")
    return data[:most].decode("utf-8", "ignore"), len(data) > most


def _files(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    files = answer.get("files") or {}
    return [(str(name), text) for name, text in files.items() if isinstance(text, str)]
