"""Runs inside the sandbox, from its text alone: it must import nothing but the standard library.

Two processes. The *keeper* reads programs from standard input, starts the *player*, waits for it,
kills what it left running, and sends its files up the control pipe. The player lowers its limits,
confines itself once more where that is the design, and runs the program. Nothing that the keeper
says is believed outside: it only saves the outside from looking into the sandbox.

Frames, both ways: eight bytes of length, JSON; up the control pipe the files' bytes follow.
"""

# ruff: noqa: PTH123, PTH208 # pathlib would cost every start some milliseconds

from __future__ import annotations

import atexit
import base64
import contextlib
import gc
import io
import json
import linecache
import os
import resource
import select
import signal
import stat
import struct
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

_NAME = "program.py"
_LENGTH = struct.Struct(">Q")
_MOST_FRAME = 1 << 27
_TRIES = 200
_MOST_ENTRIES = 10_000


class _End(NamedTuple):
    """How a program ended; `lost` when its interpreter is gone with it."""

    exit: int
    timed_out: bool
    lost: bool


class _Player(NamedTuple):
    """The process that runs programs, and the pipes of a session: texts to it, statuses from it."""

    pid: int
    programs: int
    statuses: int


def _read_exactly(handle: int, length: int) -> bytes | None:
    pieces = []
    while length:
        piece = os.read(handle, min(length, 1 << 20))
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _read_frame(handle: int) -> Any:  # noqa: ANN401 JSON of a shape that the sender fixes
    head = _read_exactly(handle, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    body = _read_exactly(handle, length) if length <= _MOST_FRAME else None
    return None if body is None else json.loads(body)


def _write_frame(handle: int, value: Mapping[str, Any]) -> None:
    body = json.dumps(value).encode()
    _write(handle, _LENGTH.pack(len(body)) + body)


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


# --- the player ------------------------------------------------------------------------------


def _lower_limits(limits: Mapping[str, int], seconds: float) -> None:
    """Lower every limit for good; processor time is counted from the start of the player."""
    limits = {**limits, "CPU": int(seconds) + 2}
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            hard = value + 1 if name == "CPU" else value
            resource.setrlimit(kind, (value, hard))


def _run_text(code: str, names: dict[str, Any]) -> int:
    """Run a program and return its status; its traceback shows its own lines only."""
    linecache.cache[_NAME] = (len(code), None, code.splitlines(keepends=True), _NAME)
    try:
        exec(compile(code, _NAME, "exec"), names)  # noqa: S102 running programs is what this is for
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return (ended.code or 0) & 0xFF
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException as error:  # noqa: BLE001 the outermost frame of a foreign program
        _tell(error)
        return 1
    return 0


def _tell(error: BaseException) -> None:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != _NAME:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace, limit=-20)


def _save_figures() -> int:
    """Save the figures that a program drew and did not save, for many only call `show`; return its new status."""
    plots: Any = sys.modules.get("matplotlib.pyplot")
    if plots is None or any(name.endswith(".png") for name in os.listdir(".")):
        return 0
    try:
        for number in plots.get_fignums():
            plots.figure(number).savefig(f"figure-{number}.png")
    except Exception as error:  # noqa: BLE001 drawing runs the program's own objects
        _tell(error)
        return 1
    return 0


def _play(code: str, names: dict[str, Any]) -> int:
    status = _run_text(code, names) or _save_figures()
    _flush()
    return status


def _be_player(settings: Mapping[str, Any], first: Mapping[str, Any], pipes: tuple[int, int]) -> NoReturn:
    """Run the first program, and those after it where they share a session; never returns."""
    confine: Callable[[], None] | None = globals().get("CONFINE_AGAIN")
    programs, statuses = pipes
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    keep = {programs, statuses} if first["session"] else set()
    for handle in range(3, 256):
        if handle not in keep:
            with contextlib.suppress(OSError):
                os.close(handle)
    if confine is not None:
        confine()
    _lower_limits(settings["limits"], settings["session_cpu"] if first["session"] else first["timeout"])
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = [_NAME]
    names = vars(main)
    names["__builtins__"] = __builtins__
    code = first["code"]
    while True:
        status = _play(code, names)
        if not first["session"]:
            _end_player(status)
        _write(statuses, bytes((status,)))
        following = _read_frame(programs)
        if following is None:
            _end_player(0)
        code = following["code"]


def _end_player(status: int) -> NoReturn:
    """End as an interpreter does, without taking its modules apart: that takes pandas longer than most programs run."""
    threads: Any = sys.modules.get("threading")
    if threads is not None:
        threads._shutdown()  # noqa: SLF001 what an interpreter calls at its end
    atexit._run_exitfuncs()  # noqa: SLF001 as above
    _flush()
    os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A program may have closed or replaced its streams.
        with contextlib.suppress(Exception):
            stream.flush()


# --- the keeper ------------------------------------------------------------------------------


def _start_player(settings: Mapping[str, Any], program: Mapping[str, Any]) -> _Player | None:
    """Fork; returns in the keeper only, `None` where no process could be made."""
    programs_in, programs_out = os.pipe()
    statuses_in, statuses_out = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        pid = -1
    if pid == 0:
        _be_player(settings, program, (programs_in, statuses_out))
    os.close(programs_in)
    os.close(statuses_out)
    return _Player(pid, programs_out, statuses_in) if pid > 0 else None


def _wait(player: _Player, seconds: float, wake: int) -> _End:
    """Wait until the program or its process has ended, its time is over, or the outside is gone."""
    end = time.monotonic() + seconds
    watched = [0, wake, player.statuses]
    while True:
        left = end - time.monotonic()
        ready, _, _ = select.select(watched, [], [], max(0.0, left))
        if wake in ready:
            os.read(wake, 4096)
        status = _reap(player.pid)
        if status is not None:
            return _End(status, timed_out=False, lost=True)
        if player.statuses in ready:
            mark = os.read(player.statuses, 1)
            if mark:
                return _End(mark[0], timed_out=False, lost=False)
            watched.remove(player.statuses)
        if 0 in ready:
            _kill_all()
            os._exit(0)
        if left <= 0:
            _kill_all()
            return _End(137, timed_out=True, lost=True)


def _reap(pid: int) -> int | None:
    """Take every child that has ended; return the status of `pid` if it is among them."""
    found = None
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if child == 0:
            return found
        if child == pid:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else 128 - code


def _kill_all() -> None:
    """Kill whatever the program started and wait until it is gone; bounded, the outside has the last word."""
    for _ in range(_TRIES):
        for target in _targets():
            with contextlib.suppress(OSError):
                os.kill(target, signal.SIGKILL)
        _reap(0)
        if not _others():
            return
        time.sleep(0.002)


def _targets() -> list[int]:
    """Return whom to signal: all others (-1) only where "all" ends at a namespace or a Landlock domain."""
    return [-1] if globals().get("REACH") in {"namespace", "domain"} else _children()


def _others() -> bool:
    if globals().get("REACH") != "namespace":
        return bool(_children())
    try:
        os.kill(-1, 0)
    except OSError:
        return False
    return True


def _children() -> list[int]:
    """Return own children; orphans of the program become children of the keeper, their subreaper."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listing:
        return [int(pid) for pid in listing.read().split()]
    return []


def _put_files(files: Mapping[str, str]) -> dict[str, bytes]:
    put = {}
    for name, text in files.items():
        data = base64.b64decode(text)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with io.FileIO(os.open(name, flags, 0o600), "w") as file:
            _write(file.fileno(), data)
        put[name] = data
    return put


def _files(caps: Mapping[str, int]) -> Iterator[tuple[str, bytes | None]]:
    """Yield regular files of the working folder by name, `None` for what is over the caps."""
    room, count = caps["files_out"], 0
    with os.scandir(".") as entries:
        for looked_at, entry in enumerate(entries):
            if looked_at >= _MOST_ENTRIES:
                yield "", None
                return
            most = min(caps["file_out"], room) if count < caps["files_count"] else -1
            for data in _read_file(entry.name, most):
                room -= len(data or b"")
                count += 1
                yield entry.name, data


def _read_file(name: str, most: int) -> list[bytes | None]:
    """Return a regular file's bytes, `None` where they are more than `most`; nothing for all else."""
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with io.FileIO(handle) as file:
            found = os.fstat(handle)
            if stat.S_ISREG(found.st_mode):
                return [file.read(found.st_size) or b"" if found.st_size <= most else None]
    return []


def _report(settings: Mapping[str, Any], end: _End, known: dict[str, bytes]) -> None:
    """Send the end and the files that are new or changed; remember them for the next of the session."""
    found: dict[str, bytes] = {}
    left_out = 0
    with contextlib.suppress(OSError):
        for name, data in _files(settings["caps"]):
            if data is None or not name.isprintable():
                left_out += 1
            elif known.get(name) != data:
                found[name] = data
    known.update(found)
    head = {
        "exit": end.exit,
        "timed_out": end.timed_out,
        "lost": end.lost,
        "left_out": left_out,
        "files": [[name, len(data)] for name, data in found.items()],
    }
    _write_frame(settings["control"], head)
    for data in found.values():
        _write(settings["control"], data)


def _load(names: list[str]) -> None:
    """Import ahead of the program what is installed."""
    for name in names:
        with contextlib.suppress(ImportError):
            __import__(name)
    # Pages that the collector does not touch stay shared with the player.
    gc.freeze()


def _leave(*_signal: object) -> NoReturn:
    """End everything: what the outside asks for where it cannot end a whole namespace."""
    _kill_all()
    os._exit(143)


def keep(settings: Mapping[str, Any]) -> int:
    """Be the keeper: serve programs until standard input ends, the first only where none shares a session."""
    if settings["site"]:
        sys.path.append(settings["site"])
    sys.path.append("")
    os.chdir(settings["work"])
    wake, wake_in = os.pipe()
    os.set_blocking(wake_in, False)
    signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, _leave)
    _load(settings["preload"])
    _write_frame(settings["control"], {"ready": True})
    player: _Player | None = None
    known: dict[str, bytes] = {}
    while True:
        program = _read_frame(0)
        if program is None:
            _kill_all()
            return 0
        known.update(_put_files(program["files"]))
        if player is None:
            player = _start_player(settings, program)
        else:
            with contextlib.suppress(OSError):
                _write_frame(player.programs, program)
        end = _wait(player, program["timeout"], wake) if player else _End(71, timed_out=False, lost=True)
        if end.lost:
            _kill_all()
        _report(settings, end, known)
        if end.lost:
            return 0


if __name__ == "__main__":
    os._exit(keep(json.loads(sys.argv[1])))
