"""What a probe is: an attempt at something that a sandbox must not allow, and how to see that it did not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from leadline.ports import Ran

BOTH = ("bwrap", "landlock")
HELD = "HELD"
BREACH = "BREACH"

# What probes have at hand. `attack` holds when it raises one of the named errors or returns nothing.
PRELUDE = '''
import ctypes, errno, gc, json, os, resource, select, signal, socket, struct, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    """Make a system call; a refusal is an error, whatever else it answers is a breach."""
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result == -1 and ctypes.get_errno() in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ESRCH):
        raise OSError(ctypes.get_errno(), "refused")
    return (result, ctypes.get_errno()) if result else ("zero",)

def read(path):
    with open(path, "rb") as file:
        return file.read(200) or "empty"

def judge(attack):
    try:
        found = attack()
    except (OSError, MemoryError, ImportError, RuntimeError, ValueError) as error:
        print("HELD", type(error).__name__, error)
    else:
        print("BREACH" if found else "HELD", repr(found)[:300])
'''


@dataclass(frozen=True, kw_only=True)
class World:
    """What lies outside, so that a breach would be seen there: the probes' targets."""

    values: Mapping[str, str]
    intact: Callable[[], str]
    """Returns what was touched outside, empty where nothing was."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """`code` is the body of `attack()`, or a whole program where `check` judges its end.

    `claim` completes the sentence "a program ...". `control` says that the attack succeeds without a
    sandbox, and harmlessly, so that a test can see it succeed there.
    """

    area: str
    name: str
    claim: str
    code: str
    designs: tuple[str, ...] = BOTH
    check: Callable[[Ran], bool] | None = None
    control: bool = False
    seconds: float = 8.0

    def program(self, world: Mapping[str, str]) -> str:
        code = self.code
        for name, value in world.items():
            code = code.replace(f"${name}$", value)
        if self.check is not None:
            return PRELUDE + code
        body = "\n".join(f"    {line}" for line in code.strip().splitlines())
        return f"{PRELUDE}\ndef attack():\n{body}\njudge(attack)\n"

    def held(self, ran: Ran) -> bool:
        if self.check is not None:
            return self.check(ran)
        return ran.exit == 0 and ran.killed_by is None and ran.stdout.startswith(HELD)
