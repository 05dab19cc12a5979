"""Prepares a process for the sandbox, from its text alone: it must import nothing but the standard library.

In order: join the cgroups; as root, make the interpreter's folders reachable in a mount namespace
of its own and become a plain user; then either start bubblewrap, or confine itself with Landlock
and seccomp and become the keeper (`inside`). `plan` is JSON in the second argument; the keeper's
text is the third.

Landlock: https://docs.kernel.org/userspace-api/landlock.html; ABI 4 adds TCP, 5 device ioctl, 6
scopes for abstract sockets and signals.
"""

# ruff: noqa: PTH103, PTH112, PTH116, PTH120, PTH123 # pathlib would cost every start some milliseconds

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_CLONE_NEWNS = 0x20000
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 22, 24, 36, 38
_CAPABILITIES = 64
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_RULE_PATH_BENEATH = 1
_ASK_VERSION = 1
_LEAST_ABI, _SCOPE_ABI, _DEVICE_ABI = 4, 6, 5

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_ALL_OF_4 = (1 << 15) - 1
_IOCTL_DEVICE = 1 << 15
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE, _MAKE_LINK = 16, 32, 128, 256, 4096
_REFER, _TRUNCATE = 8192, 16384
_READ_ONLY = _EXECUTE | _READ | _LIST
_READ_WRITE = (
    _WRITE | _READ | _LIST | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _MAKE_LINK | _REFER | _TRUNCATE
)
_FILE_RIGHTS = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL_DEVICE

_UNREACHABLE = 78


class _Refused(Exception):
    """The process could not be confined; it must not go on."""


class _Kernel:
    """System calls that Python does not offer."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def call(self, number: int, *arguments: object) -> int:
        return self._checked(self._libc.syscall(ctypes.c_long(number), *arguments), f"system call {number}")

    def prctl(self, option: int, *values: object) -> None:
        padded = [*values, *[ctypes.c_ulong(0)] * (4 - len(values))]
        self._checked(self._libc.prctl(option, *padded), f"prctl {option}")

    def unshare(self, flags: int) -> None:
        self._checked(self._libc.unshare(flags), "unshare")

    def mount(self, source: str, target: str, *, kind: str | None = None, flags: int = 0, options: str = "") -> None:
        done = self._libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode() if options else None,
        )
        self._checked(done, f"mount on {target}")

    @staticmethod
    def _checked(result: int, what: str) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise _Refused(f"{what}: {os.strerror(number)}")
        return result


# --- becoming a plain user -------------------------------------------------------------------


def _join(groups: Sequence[str]) -> None:
    for group in groups:
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as members:
            members.write("0")


def _closed_above(path: str) -> str | None:
    """Return the highest folder above `path` that strangers may not pass, `None` where all may."""
    parts = path.strip("/").split("/")
    for depth in range(len(parts)):
        folder = "/" + "/".join(parts[:depth])
        if not os.stat(folder).st_mode & 0o001:
            return folder
    return None


def _make_reachable(kernel: _Kernel, paths: Sequence[str], sizes: Mapping[str, str]) -> None:
    """Show `paths`, and nothing beside them, where closed folders lie above; mount the sized folders.

    All of it in a mount namespace of its own. Raises `_Refused` where a path is needed and the
    namespace cannot be had.
    """
    os.umask(0o022)
    closed = {path: folder for path in paths if (folder := _closed_above(path)) is not None}
    try:
        kernel.unshare(_CLONE_NEWNS)
        kernel.mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
    except _Refused as error:
        if closed:
            raise _Refused(f"{next(iter(closed))} cannot be reached by a plain user ({error})") from error
        return
    handles = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in closed}
    folders = {path: os.path.isdir(path) for path in closed}
    for folder in dict.fromkeys(closed.values()):
        kernel.mount("tmpfs", folder, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV, options="mode=0755,size=1m")
    for path, handle in handles.items():
        _place(path, folder=folders[path])
        kernel.mount(f"/proc/self/fd/{handle}", path, flags=_MS_BIND)
        kernel.mount("none", path, flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
        os.close(handle)
    for folder in dict.fromkeys(closed.values()):
        kernel.mount("none", folder, flags=_MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    for path, options in sizes.items():
        kernel.mount("tmpfs", path, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV, options=options)


def _place(path: str, *, folder: bool) -> None:
    if folder:
        os.makedirs(path, mode=0o755, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _become(kernel: _Kernel, user: int) -> None:
    for capability in range(_CAPABILITIES):
        try:
            kernel.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability))
        except _Refused:
            break  # the first number that the kernel does not know
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    if os.getuid() == 0 or os.geteuid() == 0:
        raise _Refused("it is still root")


# --- Landlock --------------------------------------------------------------------------------


def _abi(kernel: _Kernel, most: int) -> int:
    """Return the kernel's Landlock version. Raises `_Refused` below 4."""
    try:
        version = kernel.call(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    except _Refused as error:
        raise _Refused(f"the kernel has no Landlock ({error})") from error
    if version < _LEAST_ABI:
        raise _Refused(f"Landlock {version} is too old; {_LEAST_ABI} is needed")
    return min(version, most)


def _restrict(kernel: _Kernel, abi: int, rules: Sequence[tuple[str, int]]) -> None:
    """Allow only what `rules` grant beneath their paths; no TCP; no signal or abstract socket to the outside."""
    handled = _ALL_OF_4 | (_IOCTL_DEVICE if abi >= _DEVICE_ABI else 0)
    fields = struct.pack("QQQ", handled, 3, 3) if abi >= _SCOPE_ABI else struct.pack("QQ", handled, 3)
    size = ctypes.c_size_t(len(fields))
    ruleset = kernel.call(_LANDLOCK_CREATE, ctypes.c_char_p(fields), size, ctypes.c_uint32(0))
    for path, rights in rules:
        _allow(kernel, ruleset, (path, rights & handled))
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))
    kernel.call(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def _allow(kernel: _Kernel, ruleset: int, rule: tuple[str, int]) -> None:
    path, rights = rule
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        packed = ctypes.c_char_p(struct.pack("=Qi", rights, handle))
        kernel.call(_LANDLOCK_ADD, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), packed, ctypes.c_uint32(0))
    finally:
        os.close(handle)


def _rules(plan: Mapping[str, Any], own: Sequence[str]) -> list[tuple[str, int]]:
    rules = [(path, _READ_ONLY) for path in plan["read"]]
    rules += [(path, _READ_WRITE) for path in plan["write"]]
    rules += [("/dev/null", _READ | _WRITE), ("/dev/zero", _READ), ("/dev/urandom", _READ)]
    return [*rules, *((path, _READ | _LIST) for path in own)]


def _own_entries() -> list[str]:
    """Return what a program may read of itself: its mounts and network would be the host's."""
    return [f"/proc/{os.getpid()}/{name}" for name in ("maps", "stat", "statm", "status", "fd")]


def _filter(kernel: _Kernel, instructions: bytes) -> None:
    """Install a seccomp filter: an array of `struct sock_filter`."""
    text = ctypes.create_string_buffer(instructions, len(instructions))
    described = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(text))
    kernel.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.c_char_p(described))


def _own_signals_only(numbers: Sequence[int]) -> bytes:
    """Return a filter that lets `kill` and its kin reach this process alone, for kernels without scopes."""
    kill, tgkill, tkill = numbers
    body = [(0x20, 0, 0, 0), (0x15, 4, 0, tkill), (0x15, 1, 0, kill), (0x15, 0, 3, tgkill)]
    body += [(0x20, 0, 0, 16), (0x15, 1, 0, os.getpid()), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
    return b"".join(struct.pack("HBBI", *line) for line in body)


def _confine(kernel: _Kernel, plan: Mapping[str, Any]) -> dict[str, object]:
    """Confine this process; return what the keeper must know: how far its signals reach, how to confine again."""
    abi = _abi(kernel, plan["abi"])
    instructions = bytes.fromhex(plan["seccomp"])
    kernel.prctl(_PR_SET_SUBREAPER, ctypes.c_ulong(1))
    _restrict(kernel, abi, _rules(plan, ["/proc"]))
    _filter(kernel, instructions)
    scoped = abi >= _SCOPE_ABI and not _reaches_parent()

    def again() -> None:
        _restrict(kernel, abi, _rules(plan, _own_entries()))
        if not scoped:
            _filter(kernel, _own_signals_only(plan["signals"]))

    return {"REACH": "domain" if scoped else "children", "CONFINE_AGAIN": again}


def _reaches_parent() -> bool:
    """Whether a signal gets out: then killing all others would be killing strangers."""
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True


def launch(plan: Mapping[str, Any], keeper: str) -> None:
    """Do it; returns only where it failed."""
    kernel = _Kernel()
    _join(plan["cgroups"])
    if plan["user"] is not None:
        _make_reachable(kernel, plan["reach"], plan["sizes"])
        _become(kernel, plan["user"])
    os.umask(0o077)
    if plan["exec"]:
        os.execv(plan["exec"][0], plan["exec"])  # noqa: S606 the program and its arguments are the supervisor's own
    for folder in plan["write"]:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    known = _confine(kernel, plan)
    names = {"__name__": "keeper", "__builtins__": __builtins__, **known}
    exec(compile(keeper, "<keeper>", "exec"), names)  # noqa: S102 our own text, handed over by the supervisor
    keep: Any = names["keep"]
    os._exit(keep(plan["keeper"]))


if __name__ == "__main__":
    try:
        launch(json.loads(sys.argv[1]), sys.argv[2])
    except (_Refused, OSError) as error:
        sys.stderr.write(f"{error}\n")
        os._exit(_UNREACHABLE)
