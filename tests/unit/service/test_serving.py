"""Sockets of services."""

from __future__ import annotations

import socket
import sys

import pytest

from leadline.errors import InputError
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


def test_a_port_that_is_taken_is_refused_with_a_way_on() -> None:
    with bound("127.0.0.1", 0) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port}: .*`--port`"), bound("127.0.0.1", port):
            pass
