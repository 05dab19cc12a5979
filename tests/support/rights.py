"""Without the rights of root: a file that may not be read is then closed to root as to everybody."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import pytest

# Of capabilities(7), capset(2) and prctl(2).
_DAC_OVERRIDE: Final = 1
_DAC_READ_SEARCH: Final = 2
_VERSION_3: Final = 0x20080522
_CAPBSET_DROP: Final = 24

_Kept = TypeVar("_Kept")


def as_anybody(work: Callable[[], _Kept]) -> _Kept:
    """Return what `work` does where modes of files bind, for it and for the programs that it starts.

    Rights are a thread's own: it runs in one that gives root's up and ends. Skips the test where root
    may not give them up.
    """
    if os.geteuid() != 0:
        return work()
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(_give_up).result()
        except PermissionError as error:
            pytest.skip(f"needs root that may give its rights up: {error}")
        return thread.submit(work).result()


def _give_up() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for right in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        if libc.prctl(_CAPBSET_DROP, right, 0, 0, 0):  # else a program that is started has them again
            raise OSError(ctypes.get_errno(), "the rights of root cannot be given up")
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same of the next 32
    if libc.capget(header, rights):
        raise OSError(ctypes.get_errno(), "capget")
    for held in (0, 1):  # access(2) goes by what is permitted
        rights[held] &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    if libc.capset(header, rights):
        raise OSError(ctypes.get_errno(), "capset")
