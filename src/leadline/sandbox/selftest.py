"""The proof, at every start, that a sandbox is one: a program that tries to get out, and what it must find.

The targets are real ones of this process - a file that all may read, a listening socket, an
environment - so that a failure is a hole and not a missing target.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from leadline.errors import LeadlineError
from leadline.ports import Program, Ran, Sandbox
from leadline.sandbox.types import Check, Limits, Verdict

_SECONDS: Final = 10.0
_FORKS: Final = 400


class _Targets(NamedTuple):
    """What must not be reached: a file, its folder, a port for streams and datagrams, an abstract socket."""

    canary: Path
    secret: str
    port: int
    abstract: str
    datagrams: socket.socket


_PROGRAM: Final = """\
import json, os, signal, socket, sys
canary, port, abstract, outer, forks = {canary!r}, {port}, {abstract!r}, {outer}, {forks}
found = {{}}
def attempt(name, work):
    try:
        found[name] = repr(work())[:200]
    except BaseException as error:
        found[name] = None
def read(path):
    with open(path, "rb") as file:
        return file.read(4096)
def tcp():
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return "connected"
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"leak", ("127.0.0.1", port))
        return "sent"
def named():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(chr(0) + abstract)
        return "connected"
attempt("canary", lambda: read(canary))
attempt("listing", lambda: os.listdir(os.path.dirname(canary)))
attempt("environment", lambda: read(f"/proc/{{outer}}/environ"))
attempt("tcp", tcp)
attempt("udp", udp)
attempt("abstract", named)
attempt("write", lambda: open("/leadline-canary", "w").close() or "written")
attempt("root", lambda: os.setuid(0) or "root" if os.getuid() else None)
children = 0
for _ in range(forks):
    try:
        pid = os.fork()
    except OSError:
        break
    if pid == 0:
        signal.pause()
        os._exit(0)
    children += 1
found["children"] = children
print(json.dumps(found))
sys.stdout.flush()
"""
# What the program must not have found, by its name there, in words.
_MUST_FAIL: Final = (
    ("canary", "a file that all may read cannot be read"),
    ("listing", "a folder of the host cannot be listed"),
    ("tcp", "a port on loopback cannot be reached"),
    ("abstract", "an abstract socket cannot be reached"),
    ("write", "the root folder cannot be written"),
    ("root", "the program cannot become root"),
)


async def prove(sandbox: Sandbox, *, design: str, limits: Limits) -> Verdict:
    """Run the test; its verdict holds only where everything did. Takes about a quarter of a second."""
    stack = contextlib.ExitStack()
    try:
        targets = await asyncio.to_thread(stack.enter_context, _targets())
        return await _proved(sandbox, targets, design=design, limits=limits)
    finally:
        await asyncio.to_thread(stack.close)


async def _proved(sandbox: Sandbox, targets: _Targets, *, design: str, limits: Limits) -> Verdict:
    code = _PROGRAM.format(
        canary=str(targets.canary),
        port=targets.port,
        abstract=targets.abstract,
        outer=os.getpid(),
        forks=_FORKS,
    )
    try:
        async with asyncio.timeout(2 * _SECONDS):
            ran = await sandbox.run(Program(code=code, timeout=_SECONDS))
    except (LeadlineError, TimeoutError) as error:
        return Verdict(design=design, checks=(Check(name="it starts", held=False, found=str(error) or "too late"),))
    return Verdict(design=design, checks=await asyncio.to_thread(_judged, ran, targets, limits))


def _judged(ran: Ran, targets: _Targets, limits: Limits) -> tuple[Check, ...]:
    return tuple(_checks(ran, targets, limits))


def _checks(ran: Ran, targets: _Targets, limits: Limits) -> Iterator[Check]:
    try:
        found = orjson.loads(ran.stdout)
        children = int(found["children"])
    except (ValueError, KeyError, TypeError):
        yield Check(name="it runs programs", held=False, found=(ran.stderr or f"exit status {ran.exit}")[-300:])
        return
    yield Check(name="it runs programs", held=True)
    for name, words in _MUST_FAIL:
        yield Check(name=words, held=found.get(name, "no answer") is None, found=str(found.get(name)))
    yield Check(
        name="the environment outside cannot be read", held=not _is_own(found.get("environment")), found="it can"
    )
    yield Check(name="no datagram gets out", held=not _received(targets.datagrams), found="one did")
    yield Check(
        name="nothing of the canary comes out", held=targets.secret not in ran.stdout + ran.stderr, found="it did"
    )
    bounded = children <= limits.processes
    yield Check(name=f"at most {limits.processes} processes", held=bounded, found=f"{children} and more")


def _is_own(environment: object) -> bool:
    """Whether this is our environment: in a namespace of its own our number may be another process's."""
    try:
        own = Path("/proc/self/environ").read_bytes()[:4096]
    except OSError:  # a process that changed its user may not read its own
        return environment is not None
    return bool(own) and environment == repr(own)[:200]


@contextmanager
def _targets() -> Iterator[_Targets]:
    secret = secrets.token_hex(16)
    name = f"leadline-canary-{secret[:8]}"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadline-canary-")))
        folder.chmod(0o755)
        canary = folder / "canary.txt"
        canary.write_text(secret, encoding="ascii")
        canary.chmod(0o644)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        local.bind(f"\0{name}")
        local.listen()
        port = listener.getsockname()[1]
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", port))
        datagrams.setblocking(False)
        yield _Targets(canary, secret, port, name, datagrams)


def _received(datagrams: socket.socket) -> bool:
    """Whether one lies there; datagrams on loopback have come before their sender goes on."""
    try:
        return bool(datagrams.recv(64))
    except BlockingIOError:
        return False
