"""The program `leadline` with its imports made once: a command is a fork that runs `main`, in a process of its own.

`leadline -m MODULE ...` runs a module as `python -m MODULE ...` does.

What a warm program does is what the installed one does from its first line on. That the installed one imports what it
needs is held by tests/integration/cli and tests/integration/test_wheel.py, which start it cold.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from runpy import run_module
from typing import NoReturn

PACKAGES = [
    f"leadline.{name}"
    for name in ("accounts", "api", "cache", "cli", "fetch", "ops.doctor", "sandbox", "search", "tasks", "wiring")
]
"""Where the modules lie that commands import, at their start or as they go."""

PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(line, [len(asked).to_bytes(4, "big")], [0, 1, 2])
    line.sendall(asked)
    code = int(line.recv(9))
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextmanager
def warm_program(folder: Path) -> Iterator[Path]:
    """Yield the warm program, which lies beside its socket: `folder` has a short name, for sockets take no long one."""
    address, program = folder / "warm.sock", folder / "leadline"
    program.write_text(PROGRAM.format(python=sys.executable, address=str(address)), encoding="utf-8")
    program.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen(16)
        server = subprocess.Popen(
            [sys.executable, "-P", __file__, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=True)  # when this ends it is warm
        yield program
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # and a command that nobody waited for
        server.wait(10)


def serve(listening: socket.socket) -> NoReturn:
    """Import all that a command may need; then fork for each that is asked for, until a signal."""
    for package in map(import_module, PACKAGES):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations." not in module.name:  # they are for Alembic to run
                import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    while True:
        line, _ = listening.accept()
        with line:
            if os.fork() == 0:
                listening.close()
                _keep(line)


def _keep(line: socket.socket) -> NoReturn:
    """Have what was asked for done by a process of its own, and tell how that ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    arguments = _take(line)
    doing = os.fork()
    if doing == 0:
        line.close()
        code = 1
        try:
            code = _run(arguments)
        except BaseException:  # noqa: BLE001 the border of the process
            traceback.print_exc()
        finally:
            _end(code)
    _, status = os.waitpid(doing, 0)
    with suppress(OSError):  # whoever asked may have gone
        line.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(arguments: list[str]) -> int:
    from leadline.cli.main import main  # noqa: PLC0415 the server's affair alone

    sys.argv[1:] = arguments
    if arguments[:1] != ["-m"]:
        return main(arguments)
    sys.path.insert(0, str(Path.cwd()))
    sys.argv[1:] = arguments[2:]
    run_module(arguments[1], run_name="__main__", alter_sys=True)
    return 0


def _end(code: int) -> NoReturn:
    """End as an interpreter does, but for freeing what was imported, which takes longer than most commands."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # its reader may have gone
            stream.flush()
    os._exit(code)


def _take(line: socket.socket) -> list[str]:
    """Become the process that was asked for: its streams, folder and environment; return its arguments."""
    head, streams, _, _ = socket.recv_fds(line, 4, 3)
    with line.makefile("rb") as asked:
        arguments, folder, environment = json.loads(asked.read(int.from_bytes(head, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    names = zip(("stdin", "stdout", "stderr"), "rww", strict=True)
    for number, (name, mode) in enumerate(names):
        setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    return [str(argument) for argument in arguments]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
