"""Moves a process into a network of its own and hands its doors out, from its text alone: standard library only.

In order: call at the supervisor's socket; enter a network namespace in which nothing is but a
loopback interface; listen there, and send the listening sockets to the supervisor; become the
program. A socket stays in the network in which it was made: the supervisor answers at those doors
from its own network, and there is no other way out. `plan` is JSON in the first argument.

Namespaces: user_namespaces(7), network_namespaces(7); interface flags: netdevice(7).
"""

# ruff: noqa: PTH123 # pathlib would cost every start some milliseconds

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_BACKLOG = 64
_REFUSED = 78


def _unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(ctypes.c_int(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no namespaces of its own: {os.strerror(number)}")


def _enter() -> None:
    """Enter the new network; who is not root needs a user namespace for it, and stays who he is."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _unshare(_CLONE_NEWNET)
        return
    _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))


def _doors(ports: Sequence[int]) -> list[socket.socket]:
    doors = []
    for port in ports:
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.bind(("127.0.0.1", port))
        door.listen(_BACKLOG)
        doors.append(door)
    return doors


def main(plan: Mapping[str, Any]) -> None:
    """Do it; returns only where it failed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as supervisor:
        supervisor.connect(plan["socket"])
        _enter()
        _raise_loopback()
        doors = _doors(plan["ports"])
        socket.send_fds(supervisor, [b"."], [door.fileno() for door in doors])
    for door in doors:
        door.close()
    os.execv(plan["exec"][0], plan["exec"])  # noqa: S606 the program and its arguments are the supervisor's own


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        os._exit(_REFUSED)
