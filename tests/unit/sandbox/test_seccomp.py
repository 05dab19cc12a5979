"""The filter, run by an interpreter of its machine's instructions: every call gets the answer that is meant."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import SettingsError
from leadline.sandbox import seccomp
from leadline.sandbox.seccomp import MACHINES, Sockets, program

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SOCKET = {"x86_64": 41, "aarch64": 198}
PAIR = {"x86_64": 53, "aarch64": 199}
CLONE = {"x86_64": 56, "aarch64": 220}
IOCTL = {"x86_64": 16, "aarch64": 29}
PRLIMIT = {"x86_64": 302, "aarch64": 261}
WRITE = {"x86_64": 1, "aarch64": 64}


def answer(text: bytes, machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Run classic BPF (Linux `Documentation/networking/filter.rst`) over one call."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, ARCH[machine] if arch is None else arch, 0, *padded)
    lines = [struct.unpack_from("HBBI", text, at) for at in range(0, len(text), 8)]
    at = value = 0
    while True:
        code, yes, no, constant = lines[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, constant)
        elif code == 0x54:
            value &= constant
        elif code == 0x06:
            return int(constant)
        else:
            taken = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
            at += yes if taken else no


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("sockets", list(Sockets))
def test_every_denied_call_is_refused(machine: str, sockets: Sockets) -> None:
    text = program(machine, sockets)
    assert len(seccomp.denied(machine)) > 60
    for name, number in seccomp.denied(machine).items():
        assert answer(text, machine, number) == ERRNO | errno.EPERM, name


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("sockets", list(Sockets))
def test_the_rest_is_answered_as_meant(machine: str, sockets: Sockets) -> None:
    text = program(machine, sockets)
    assert answer(text, machine, WRITE[machine]) == ALLOW
    assert answer(text, machine, WRITE[machine], arch=0x40000003) == KILL
    assert answer(text, machine, 435) == ERRNO | errno.ENOSYS
    assert answer(text, machine, CLONE[machine], 0x1200011) == ALLOW
    for flag in (0x10000000, 0x20000, 0x2000000, 0x40000000):
        assert answer(text, machine, CLONE[machine], 17 | flag) == ERRNO | errno.EPERM
    assert answer(text, machine, IOCTL[machine], 0, 0x5401) == ALLOW
    for command in (0x5412, 0x541C, 0x5412 | 1 << 32):
        assert answer(text, machine, IOCTL[machine], 0, command) == ERRNO | errno.EPERM
    assert answer(text, machine, PAIR[machine], 1, 1 | 0o2000000) == ALLOW
    assert answer(text, machine, PAIR[machine], 1, 5) == ALLOW
    assert answer(text, machine, PAIR[machine], 1, 2) == ERRNO | errno.EACCES
    assert answer(text, machine, PAIR[machine], 30, 1) == ERRNO | errno.EAFNOSUPPORT


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets(machine: str) -> None:
    local, none = program(machine, Sockets.LOCAL), program(machine, Sockets.NONE)
    for domain in range(50):
        meant = ALLOW if domain in {1, 2, 10} else ERRNO | errno.EAFNOSUPPORT
        assert answer(local, machine, SOCKET[machine], domain) == meant
        assert answer(none, machine, SOCKET[machine], domain) == ERRNO | errno.EACCES
    assert answer(none, machine, PRLIMIT[machine], 0) == ALLOW
    assert answer(none, machine, PRLIMIT[machine], 77) == ERRNO | errno.EPERM


def test_modes_and_times_are_left_alone_in_silence_where_the_hosts_files_are_in_sight() -> None:
    assert answer(program("x86_64", Sockets.NONE), "x86_64", 90) == ERRNO
    assert answer(program("x86_64", Sockets.LOCAL), "x86_64", 90) == ALLOW


def test_x32_calls_do_not_exist() -> None:
    text = program("x86_64", Sockets.LOCAL)
    for number in (0x40000000, 0x40000027, 0xFFFFFFFF):
        assert answer(text, "x86_64", number) == ERRNO | errno.ENOSYS


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=6), st.sampled_from(MACHINES))
def test_every_call_gets_an_answer(number: int, arguments: list[int], machine: str) -> None:
    for sockets in Sockets:
        found = answer(program(machine, sockets), machine, number, *arguments)
        assert found in {ALLOW, KILL} or found & 0xFFFF0000 == ERRNO


def test_another_machine_is_refused() -> None:
    with pytest.raises(SettingsError, match="riscv64"):
        program("riscv64", Sockets.LOCAL)
