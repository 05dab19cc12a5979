"""Why a connection failed, in words: never a library's name for it, and no address that it adds."""

from __future__ import annotations

import os

import aiohttp


def why(error: BaseException) -> str:
    """Return in a few words why nothing could be sent, or no answer came."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientSSLError():
            return "no TLS connection came about"
        case aiohttp.ClientConnectorError():
            return why(error.os_error)
        case aiohttp.ServerDisconnectedError() | ConnectionResetError() | BrokenPipeError():
            return "the connection was closed"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case OSError():
            # asyncio writes addresses into the system's words; a name's look-up has codes of its own.
            code = error.errno or 0
            return (os.strerror(code) if code > 0 else error.strerror) or "no connection"
        case _:
            return "the connection broke off"
