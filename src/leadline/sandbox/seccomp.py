"""A seccomp filter, assembled here: no libseccomp, two machines, the same refusals.

A deny list that answers with an error and never kills: an allow list that lacks a newer call breaks
honest programs. Only a foreign machine's calling convention ends the process, since its numbers
mean other calls. Numbers: Linux `asm/unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from leadline.errors import SettingsError


class Sockets(StrEnum):
    """Which sockets a program may make."""

    LOCAL = "local"  # internet and unix ones: its network is a namespace of its own, without a way out
    NONE = "none"  # no socket at all but stream pairs: its network is the host's


class _Call(NamedTuple):
    """A call's number on each machine; `None` where it does not exist."""

    x86_64: int | None
    aarch64: int | None


_DENIED: Final[Mapping[str, _Call]] = MappingProxyType(
    {
        # mounts, old and new
        "mount": _Call(165, 40),
        "umount2": _Call(166, 39),
        "pivot_root": _Call(155, 41),
        "open_tree": _Call(428, 428),
        "open_tree_attr": _Call(467, 467),
        "move_mount": _Call(429, 429),
        "fsopen": _Call(430, 430),
        "fsconfig": _Call(431, 431),
        "fsmount": _Call(432, 432),
        "fspick": _Call(433, 433),
        "mount_setattr": _Call(442, 442),
        "statmount": _Call(457, 457),
        "listmount": _Call(458, 458),
        # other processes
        "ptrace": _Call(101, 117),
        "process_vm_readv": _Call(310, 270),
        "process_vm_writev": _Call(311, 271),
        "process_madvise": _Call(440, 440),
        "process_mrelease": _Call(448, 448),
        "kcmp": _Call(312, 272),
        "pidfd_open": _Call(434, 434),
        "pidfd_getfd": _Call(438, 438),
        "pidfd_send_signal": _Call(424, 424),
        "migrate_pages": _Call(256, 238),
        "move_pages": _Call(279, 239),
        # large kernel surfaces
        "bpf": _Call(321, 280),
        "perf_event_open": _Call(298, 241),
        "io_uring_setup": _Call(425, 425),
        "io_uring_enter": _Call(426, 426),
        "io_uring_register": _Call(427, 427),
        "userfaultfd": _Call(323, 282),
        "add_key": _Call(248, 217),
        "request_key": _Call(249, 218),
        "keyctl": _Call(250, 219),
        "fanotify_init": _Call(300, 262),
        "fanotify_mark": _Call(301, 263),
        "memfd_secret": _Call(447, 447),
        "vmsplice": _Call(278, 75),
        "modify_ldt": _Call(154, None),
        "lookup_dcookie": _Call(212, 18),
        # the kernel itself
        "kexec_load": _Call(246, 104),
        "kexec_file_load": _Call(320, 294),
        "init_module": _Call(175, 105),
        "finit_module": _Call(313, 273),
        "delete_module": _Call(176, 106),
        "create_module": _Call(174, None),
        "query_module": _Call(178, None),
        "get_kernel_syms": _Call(177, None),
        "_sysctl": _Call(156, None),
        "sysfs": _Call(139, None),
        "ustat": _Call(136, None),
        "uselib": _Call(134, None),
        "nfsservctl": _Call(180, 42),
        "syslog": _Call(103, 116),
        "reboot": _Call(169, 142),
        "swapon": _Call(167, 224),
        "swapoff": _Call(168, 225),
        "acct": _Call(163, 89),
        "quotactl": _Call(179, 60),
        "quotactl_fd": _Call(443, 443),
        "iopl": _Call(172, None),
        "ioperm": _Call(173, None),
        "vhangup": _Call(153, 58),
        "personality": _Call(135, 92),
        # file handles: they open by number what no path reaches
        "name_to_handle_at": _Call(303, 264),
        "open_by_handle_at": _Call(304, 265),
        # namespaces
        "setns": _Call(308, 268),
        "unshare": _Call(272, 97),
        "chroot": _Call(161, 51),
        "sethostname": _Call(170, 161),
        "setdomainname": _Call(171, 162),
        # clocks
        "clock_settime": _Call(227, 112),
        "clock_adjtime": _Call(305, 266),
        "settimeofday": _Call(164, 170),
        "adjtimex": _Call(159, 171),
        # memory and messages that outlive a process
        "shmget": _Call(29, 194),
        "shmat": _Call(30, 196),
        "shmctl": _Call(31, 195),
        "shmdt": _Call(67, 197),
        "semget": _Call(64, 190),
        "semop": _Call(65, 193),
        "semctl": _Call(66, 191),
        "semtimedop": _Call(220, 192),
        "msgget": _Call(68, 186),
        "msgsnd": _Call(69, 189),
        "msgrcv": _Call(70, 188),
        "msgctl": _Call(71, 187),
        "mq_open": _Call(240, 180),
        "mq_unlink": _Call(241, 181),
        "mq_timedsend": _Call(242, 182),
        "mq_timedreceive": _Call(243, 183),
        "mq_notify": _Call(244, 184),
        "mq_getsetattr": _Call(245, 185),
    }
)
_UNKNOWN: Final[Mapping[str, _Call]] = MappingProxyType({"clone3": _Call(435, 435)})
_SOCKET_CALLS: Final[Mapping[str, _Call]] = MappingProxyType(
    {
        "socket": _Call(41, 198),
        "connect": _Call(42, 203),
        "bind": _Call(49, 200),
        "listen": _Call(50, 201),
        "accept": _Call(43, 202),
        "accept4": _Call(288, 242),
    }
)
# Where files and processes of the same user are in sight, their modes, owners and shares of the
# machine could be changed without opening them. Modes and times are left alone and reported as
# changed: honest programs set them on their own files and need not fail.
_SHARED: Final[Mapping[str, _Call]] = MappingProxyType(
    {
        "chown": _Call(92, None),
        "fchown": _Call(93, 55),
        "lchown": _Call(94, None),
        "fchownat": _Call(260, 54),
        "setxattr": _Call(188, 5),
        "lsetxattr": _Call(189, 6),
        "fsetxattr": _Call(190, 7),
        "removexattr": _Call(197, 14),
        "lremovexattr": _Call(198, 15),
        "fremovexattr": _Call(199, 16),
        "setxattrat": _Call(463, 463),
        "removexattrat": _Call(466, 466),
        "file_setattr": _Call(469, 469),
        "setpriority": _Call(141, 140),
        "sched_setparam": _Call(142, 118),
        "sched_setscheduler": _Call(144, 119),
        "sched_setaffinity": _Call(203, 122),
        "sched_setattr": _Call(314, 274),
        "ioprio_set": _Call(251, 30),
    }
)
_IGNORED: Final[Mapping[str, _Call]] = MappingProxyType(
    {
        "chmod": _Call(90, None),
        "fchmod": _Call(91, 52),
        "fchmodat": _Call(268, 53),
        "fchmodat2": _Call(452, 452),
        "utime": _Call(132, None),
        "utimes": _Call(235, None),
        "futimesat": _Call(261, None),
        "utimensat": _Call(280, 88),
    }
)
_CLONE: Final = _Call(56, 220)
_PRLIMIT: Final = _Call(302, 261)
_SOCKETPAIR: Final = _Call(53, 199)
_IOCTL: Final = _Call(16, 29)

_AUDIT: Final[Mapping[str, int]] = MappingProxyType({"x86_64": 0xC000003E, "aarch64": 0xC00000B7})
_X32: Final = 0x4000_0000
# Every CLONE_NEW flag that `clone` knows: mount, cgroup, uts, ipc, user, pid, net.
_CLONE_NEW: Final = 0x7E02_0000
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_SEQPACKET = 1, 5
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_ERRNO: Final = 0x0005_0000
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16

MACHINES: Final = ("x86_64", "aarch64")


def program(machine: str, sockets: Sockets) -> bytes:
    """Return the filter as an array of `struct sock_filter`. Raises `SettingsError` for another machine."""
    if machine not in MACHINES:
        raise SettingsError(f"the sandbox knows the system calls of {' and '.join(MACHINES)}, not of `{machine}`")
    return b"".join(_Filter(machine).build(sockets))


def denied(machine: str) -> Mapping[str, int]:
    """Return the calls that are refused whatever their arguments, by number."""
    numbers = {name: getattr(call, machine) for name, call in _DENIED.items()}
    return {name: number for name, number in numbers.items() if number is not None}


def _instruction(code: int, constant: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, constant)


def _return(value: int) -> bytes:
    return _instruction(_RETURN, value)


def _refuse(number: int) -> bytes:
    return _return(_ERRNO | number)


class _Filter:
    """Puts the filter for one machine together. Each block leaves the call's number loaded."""

    def __init__(self, machine: str) -> None:
        self._machine = machine

    def build(self, sockets: Sockets) -> list[bytes]:
        refused = [(call, errno.EPERM) for call in _DENIED.values()]
        refused += [(call, errno.ENOSYS) for call in _UNKNOWN.values()]
        if sockets is Sockets.NONE:
            refused += [(call, errno.EACCES) for call in _SOCKET_CALLS.values()]
            refused += [(call, errno.EPERM) for call in _SHARED.values()]
            refused += [(call, 0) for call in _IGNORED.values()]
        blocks = [*self._right_machine(), *(part for call, error in refused for part in self._deny(call, error))]
        blocks += self._clone() + self._ioctl() + self._socketpair()
        blocks += self._socket() if sockets is Sockets.LOCAL else self._prlimit()
        return [*blocks, _return(_ALLOW)]

    def _right_machine(self) -> list[bytes]:
        blocks = [
            _instruction(_LOAD, _ARCH),
            _instruction(_JUMP_EQUAL, _AUDIT[self._machine], yes=1),
            _return(_KILL),
            _instruction(_LOAD, _NUMBER),
        ]
        if self._machine == "x86_64":
            blocks += [_instruction(_JUMP_GREATER_EQUAL, _X32, no=1), _refuse(errno.ENOSYS)]
        return blocks

    def _number(self, call: _Call) -> int | None:
        number: int | None = getattr(call, self._machine)
        return number

    def _deny(self, call: _Call, error: int) -> list[bytes]:
        number = self._number(call)
        return [] if number is None else [_instruction(_JUMP_EQUAL, number, no=1), _refuse(error)]

    def _when(self, call: _Call, body: list[bytes]) -> list[bytes]:
        """Run `body` for this call alone; it falls through where the call may go on."""
        number = self._number(call)
        if number is None:
            return []
        return [_instruction(_JUMP_EQUAL, number, no=len(body) + 1), *body, _instruction(_LOAD, _NUMBER)]

    def _clone(self) -> list[bytes]:
        return self._when(_CLONE, [_argument(0), _instruction(_JUMP_SET, _CLONE_NEW, no=1), _refuse(errno.EPERM)])

    def _ioctl(self) -> list[bytes]:
        """Refuse to type for a terminal's owner."""
        body = [_argument(1)]
        for command in (_TIOCSTI, _TIOCLINUX):
            body += [_instruction(_JUMP_EQUAL, command, no=1), _refuse(errno.EPERM)]
        return self._when(_IOCTL, body)

    def _socket(self) -> list[bytes]:
        """Leave unix and internet sockets; netlink, vsock, packet and all others go."""
        domains = (_AF_UNIX, _AF_INET, _AF_INET6)
        body = [_argument(0)]
        for left, domain in zip(range(len(domains) - 1, -1, -1), domains, strict=True):
            body.append(_instruction(_JUMP_EQUAL, domain, yes=left + 1))
        return self._when(_SOCKET_CALLS["socket"], [*body, _refuse(errno.EAFNOSUPPORT)])

    def _prlimit(self) -> list[bytes]:
        """Leave a process its own limits only."""
        return self._when(_PRLIMIT, [_argument(0), _instruction(_JUMP_EQUAL, 0, yes=1), _refuse(errno.EPERM)])

    def _socketpair(self) -> list[bytes]:
        """Leave connected unix pairs only: one of a datagram pair can send to any socket with a path."""
        body = [
            _argument(0),
            _instruction(_JUMP_EQUAL, _AF_UNIX, yes=1),
            _refuse(errno.EAFNOSUPPORT),
            _argument(1),
            _instruction(_AND, 0xF),
            _instruction(_JUMP_EQUAL, _SOCK_STREAM, yes=2),
            _instruction(_JUMP_EQUAL, _SOCK_SEQPACKET, yes=1),
            _refuse(errno.EACCES),
        ]
        return self._when(_SOCKETPAIR, body)


def _argument(index: int) -> bytes:
    """Load the low half of an argument: both machines are little-endian, and these are 32-bit values."""
    return _instruction(_LOAD, _ARGUMENTS + 8 * index)
