"""Sockets of services."""

from __future__ import annotations

import socket
import sys

import pytest

from leadline.service.serving import bound


@pytest.mark.skipif(sys.platform != "linux", reason="the option is Linux's own")
def test_connections_of_clients_that_acknowledge_nothing_end() -> None:
    with bound("127.0.0.1", 0) as listener, socket.socket() as client:
        listener.listen()
        listener.setblocking(True)
        client.connect(listener.getsockname())
        taken, _ = listener.accept()
        with taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
