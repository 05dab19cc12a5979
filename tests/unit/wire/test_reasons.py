from __future__ import annotations

import errno

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from leadline.wire.reasons import why

KEY = ConnectionKey("h.example", 80, False, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")), "Name or service not known"),
        (
            aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 80)")),
            "Connection refused",
        ),
        (aiohttp.ServerDisconnectedError(), "the connection was closed"),
        (aiohttp.ClientPayloadError("not enough data"), "the answer broke off"),
        (aiohttp.ClientConnectorCertificateError(KEY, ValueError("self-signed")), "its certificate is not trusted"),
        (aiohttp.ClientConnectionError(), "the connection broke off"),
        (OSError(), "no connection"),
    ],
)
def test_no_failure_is_told_by_a_librarys_name(error: Exception, told: str) -> None:
    assert why(error) == told
