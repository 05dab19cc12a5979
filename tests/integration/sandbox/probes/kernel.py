"""Probes of kernel surfaces: calls that no honest program of ours needs."""

from __future__ import annotations

import platform
import signal

from tests.integration.sandbox.probes.probe import Probe

# name: (arguments, what it would be good for)
_CALLS = {
    "mount": ("b'none', b'/tmp', b'tmpfs', 0, None", "mount a file system"),
    "umount2": ("b'/proc', 2", "unmount one"),
    "pivot_root": ("b'.', b'.'", "change the root"),
    "open_tree": ("-100, b'.', 1", "copy a mount"),
    "move_mount": ("3, b'', -100, b'.', 4", "move a mount"),
    "fsopen": ("b'tmpfs', 0", "open a file system"),
    "fspick": ("-100, b'.', 0", "pick a file system"),
    "mount_setattr": ("-100, b'.', 0, None, 0", "change a mount"),
    "chroot": ("b'.'", "change the root"),
    "unshare": ("0x10000000", "make a user namespace"),
    "setns": ("0, 0", "enter a namespace"),
    "ptrace": ("0, 0, 0, 0", "trace"),
    "kcmp": ("os.getpid(), os.getpid(), 0, 0, 0", "compare processes"),
    "bpf": ("0, ctypes.create_string_buffer(128), 128", "load a program into the kernel"),
    "perf_event_open": ("ctypes.create_string_buffer(128), 0, -1, -1, 0", "count the machine's events"),
    "io_uring_setup": ("4, ctypes.create_string_buffer(256)", "make calls that no filter sees"),
    "userfaultfd": ("1", "hold the kernel at a page"),
    "add_key": ("b'user', b'leak', b'x', 1, -4", "store a key"),
    "request_key": ("b'user', b'leak', None, -4", "ask for a key"),
    "keyctl": ("0, -4, 0", "use keys"),
    "fanotify_init": ("0, 0", "watch files"),
    "memfd_secret": ("0", "hide memory"),
    "name_to_handle_at": (
        "-100, b'.', ctypes.create_string_buffer(160), ctypes.create_string_buffer(8), 0",
        "name a file by number",
    ),
    "open_by_handle_at": ("-100, ctypes.create_string_buffer(160), 0", "open a file by number"),
    "init_module": ("b'', 0, b''", "load a module"),
    "finit_module": ("0, b'', 0", "load a module"),
    "delete_module": ("b'none', 0", "unload a module"),
    "kexec_load": ("0, 0, None, 0", "start another kernel"),
    "reboot": ("0, 0, 0, None", "stop the machine"),
    "syslog": ("10, None, 0", "read the kernel's log"),
    "swapon": ("b'.', 0", "use a swap file"),
    "acct": ("b'log'", "log processes"),
    "quotactl": ("0, None, 0, None", "change quotas"),
    "personality": ("0x0040000", "switch off address randomisation"),
    "clock_settime": ("0, ctypes.create_string_buffer(16)", "set the clock"),
    "settimeofday": ("ctypes.create_string_buffer(16), None", "set the clock"),
    "adjtimex": ("ctypes.create_string_buffer(208)", "tune the clock"),
    "sethostname": ("b'leak', 4", "name the machine"),
    "shmget": ("0, 4096, 0o1666", "leave shared memory behind"),
    "semget": ("0, 1, 0o1666", "leave a semaphore behind"),
    "msgget": ("0, 0o1666", "leave a message queue behind"),
    "mq_open": ("b'leak', 0o102, 0o666, None", "leave a message queue behind"),
    "process_vm_writev": ("os.getpid(), None, 0, None, 0, 0", "write another process's memory"),
    "pidfd_getfd": ("0, 0, 0", "take another process's handle"),
    "vmsplice": ("0, None, 0, 0", "give pages away"),
    "move_pages": ("0, 0, None, None, None, 0", "move another process's pages"),
}

KERNEL = [
    Probe(
        area="kernel",
        name=name.replace("_", "-"),
        claim=f"cannot call `{name}` ({use})",
        code=f"return call($NR:{name}$, {arguments})",
    )
    for name, (arguments, use) in _CALLS.items()
]
_X86 = platform.machine() == "x86_64"
KERNEL += [
    Probe(
        area="kernel",
        name="clone-namespaces",
        claim="cannot make a namespace with `clone`",
        code=f"return [f for f in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x4000000, 0x8000000, 0x2000000) if (lambda p: (p == 0 and os._exit(0)) or p > 0)(libc.syscall(ctypes.c_long({56 if _X86 else 220}), ctypes.c_long(f | 17), None, None, None, None))]",
    ),
    Probe(
        area="kernel",
        name="clone3",
        claim="finds no `clone3`, whose flags no filter can read",
        code="libc.syscall(ctypes.c_long(435), ctypes.create_string_buffer(88), ctypes.c_long(88))\nreturn ctypes.get_errno() != errno.ENOSYS",
    ),
    Probe(
        area="kernel",
        name="type-for-terminal",
        claim="cannot type for a terminal's owner",
        code="import fcntl, pty\nmain, side = os.openpty()\nreturn [c for c in (0x5412,) if fcntl.ioctl(side, c, b'x') is not None]",
    ),
    Probe(
        area="kernel",
        name="user-namespace-file",
        claim="cannot open the way to further namespaces",
        code="open('/proc/sys/user/max_user_namespaces', 'w').write('99')\nreturn 'written'",
    ),
    Probe(
        area="kernel",
        name="kernel-settings",
        claim="cannot write the kernel's settings",
        code="open('/proc/sys/kernel/hostname', 'w').write('leak')\nreturn 'written'",
    ),
    Probe(
        area="kernel",
        name="magic-requests",
        claim="cannot send the kernel magic requests",
        code="open('/proc/sysrq-trigger', 'w').write('h')\nreturn 'written'",
    ),
    Probe(
        area="kernel",
        name="system-tree",
        claim="cannot see the kernel's system tree",
        code="return os.listdir('/sys')",
        control=True,
    ),
    Probe(
        area="kernel",
        name="control-groups",
        claim="cannot reach its own control group",
        code="return [open(p + '/memory.limit_in_bytes', 'w') for p in ('/sys/fs/cgroup', '/sys/fs/cgroup/memory')]",
    ),
]
# Machine code: mov eax, 20 (getpid, in 32 bits); int 0x80; ret. And mov eax, 0x40000027 (getpid, x32); syscall; ret.
_MACHINE_CODE = "import mmap\nroom = mmap.mmap(-1, 4096, prot=7)\nroom.write(bytes.fromhex('{text}'))\nwork = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(room)))\n"
if _X86:
    KERNEL += [
        Probe(
            area="kernel",
            name="foreign-calls",
            claim="ends at once when it makes calls in another machine's numbers",
            code=_MACHINE_CODE.format(text="b814000000cd80c3") + "print(work())",
            check=lambda ran: ran.exit in {128 + signal.SIGSYS, 128 + signal.SIGSEGV} and not ran.stdout,
        ),
        Probe(
            area="kernel",
            name="x32-calls",
            claim="finds no x32 calls",
            code=_MACHINE_CODE.format(text="b8270000400f05c3") + "print(work())",
            check=lambda ran: ran.stdout.strip() == "-38",
        ),
    ]
