"""Probes of the network and of other processes."""

from __future__ import annotations

from tests.integration.sandbox.probes.probe import Probe

from leadline.ports import Ran

BWRAP = ("bwrap",)
LANDLOCK = ("landlock",)

NETWORK = [
    Probe(
        area="network",
        name="tcp-loopback",
        claim="cannot reach a port on loopback",
        code="return socket.create_connection(('127.0.0.1', $PORT$), timeout=1)",
        control=True,
    ),
    Probe(
        area="network",
        name="tcp-loopback-6",
        claim="cannot reach a port on IPv6 loopback",
        code="return socket.create_connection(('::1', $PORT6$), timeout=1)",
    ),
    Probe(
        area="network",
        name="udp-loopback",
        claim="gets no datagram to loopback",
        code="try:\n    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'leak', ('127.0.0.1', $UDP$))\nexcept OSError:\n    pass\nreturn None",
    ),
    Probe(
        area="network",
        name="abstract-socket",
        claim="cannot reach an abstract unix socket",
        code="s = socket.socket(socket.AF_UNIX)\ns.connect(chr(0) + '$ABSTRACT$')\nreturn 'connected'",
        control=True,
    ),
    Probe(
        area="network",
        name="path-socket",
        claim="cannot reach a unix socket by its path",
        code="s = socket.socket(socket.AF_UNIX)\ns.connect('$SOCKET$')\nreturn 'connected'",
        control=True,
    ),
    Probe(
        area="network",
        name="path-datagram",
        claim="cannot send to a unix socket through a pair's end",
        code="a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\na.sendto(b'leak', '$DATAGRAMS$')\nreturn 'sent'",
        control=True,
    ),
    Probe(
        area="network",
        name="metadata",
        claim="cannot reach a cloud's metadata address",
        code="return socket.create_connection(('169.254.169.254', 80), timeout=1)",
    ),
    Probe(
        area="network",
        name="internet",
        claim="cannot reach an address of the internet",
        code="return socket.create_connection(('192.0.2.1', 443), timeout=1)",
    ),
    Probe(
        area="network",
        name="names",
        claim="cannot resolve a name",
        code="return socket.getaddrinfo('example.com', 443)",
    ),
    Probe(
        area="network",
        name="raw-socket",
        claim="cannot make a raw socket",
        code="return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    ),
    Probe(
        area="network",
        name="packet-socket",
        claim="cannot make a packet socket",
        code="return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    ),
    Probe(
        area="network",
        name="netlink",
        claim="cannot talk to the kernel's network configuration",
        code="return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        control=True,
    ),
    Probe(
        area="network",
        name="vsock",
        claim="cannot talk to the machine's host",
        code="return socket.socket(40, socket.SOCK_STREAM)",
    ),
    Probe(
        area="network",
        name="kernel-crypto",
        claim="cannot use the kernel's cipher sockets",
        code="return socket.socket(38, socket.SOCK_SEQPACKET)",
    ),
    Probe(
        area="network",
        name="bluetooth",
        claim="cannot make a socket of another family",
        code="return [f for f in range(3, 46) if f != 10 and (lambda r: r >= 0)(libc.socket(f, 1, 0))]",
    ),
    Probe(
        area="network",
        name="listen",
        claim="cannot offer a port to the host",
        code="s = socket.socket()\ns.bind(('0.0.0.0', 0))\ns.listen()\nreturn 'listening'",
        designs=LANDLOCK,
        control=True,
    ),
    Probe(
        area="network",
        name="interfaces",
        claim="has no interface but its own loopback",
        code="return [l for l in open('/proc/net/dev').readlines()[2:] if l.split(':')[0].strip() != 'lo']",
    ),
    Probe(
        area="network",
        name="io-uring-socket",
        claim="cannot make sockets through io_uring",
        code="return call($NR:io_uring_setup$, 4, ctypes.create_string_buffer(200))",
    ),
]


def _dead(ran: Ran) -> bool:
    """The sandbox is gone and said so, or its end was told in time."""
    return ran.killed_by in {"crash", "time"} or ran.exit != 0


PROCESSES = [
    Probe(
        area="processes",
        name="fork-bomb",
        claim="cannot have more than 64 processes",
        code="n = 0\nwhile n < 300:\n    try:\n        if os.fork() == 0:\n            signal.pause()\n    except OSError:\n        break\n    n += 1\nprint(n)",
        check=lambda ran: ran.exit == 0 and 0 <= int(ran.stdout) < 70,
    ),
    Probe(
        area="processes",
        name="fork-bomb-deep",
        claim="cannot outrun its limit by forking in every child",
        code="end = time.monotonic() + 0.5\nwhile time.monotonic() < end:\n    try:\n        os.fork()\n    except OSError:\n        time.sleep(0.01)\n",
        check=lambda ran: ran.killed_by is None or ran.killed_by == "time",
        seconds=4,
    ),
    Probe(
        area="processes",
        name="thread-bomb",
        claim="cannot have threads without end",
        code="n = 0\nwhile n < 300:\n    try:\n        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()\n    except RuntimeError:\n        break\n    n += 1\nprint(n)\nsys.stdout.flush()\nos._exit(0)",
        check=lambda ran: 0 <= int(ran.stdout) < 70,
    ),
    Probe(
        area="processes",
        name="signal-outside",
        claim="cannot signal us",
        code="os.kill($OUTER$, 0)\nreturn 'reached'",
        control=True,
    ),
    Probe(
        area="processes",
        name="signal-bystander",
        claim="cannot end another process of its user",
        code="try:\n    os.kill($BYSTANDER$, 9)\nexcept OSError:\n    pass\nreturn None",
    ),
    Probe(
        area="processes",
        name="signal-everybody",
        claim="cannot end what it can name",
        code="try:\n    os.kill(-1, signal.SIGTERM)\nexcept OSError:\n    pass",
        check=lambda ran: ran.killed_by in {None, "crash"},
    ),
    Probe(
        area="processes",
        name="trace-keeper",
        claim="cannot trace its keeper",
        code="return call($NR:ptrace$, 16, os.getppid(), 0, 0)",
    ),
    Probe(
        area="processes",
        name="read-keeper",
        claim="cannot read its keeper's memory",
        code="class V(ctypes.Structure):\n    _fields_ = [('p', ctypes.c_void_p), ('n', ctypes.c_size_t)]\nb = ctypes.create_string_buffer(8)\nv = V(ctypes.addressof(b), 8)\nreturn call($NR:process_vm_readv$, os.getppid(), ctypes.byref(v), 1, ctypes.byref(v), 1, 0)",
    ),
    Probe(
        area="processes",
        name="handle-on-us",
        claim="cannot take a handle on a process",
        code="return os.pidfd_open(os.getppid())",
        control=True,
    ),
    Probe(
        area="processes",
        name="our-limits",
        claim="cannot change our limits",
        code="return resource.prlimit($OUTER$, resource.RLIMIT_NOFILE)",
        control=True,
    ),
    Probe(
        area="processes",
        name="our-priority",
        claim="cannot change our priority",
        code="os.setpriority(os.PRIO_PROCESS, $BYSTANDER$, 19)\nreturn 'changed'",
    ),
    Probe(
        area="processes",
        name="our-processors",
        claim="cannot move us to other processors",
        code="os.sched_setaffinity($BYSTANDER$, {0})\nreturn 'changed'",
    ),
    Probe(
        area="processes",
        name="raise-limits",
        claim="cannot raise its own limits",
        code="resource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))\nreturn 'raised'",
    ),
    Probe(area="processes", name="become-root", claim="cannot become root", code="os.setuid(0)\nreturn 'root'"),
    Probe(
        area="processes",
        name="capabilities",
        claim="has no capability",
        code="return [l for l in open('/proc/self/status') if l.startswith(('CapPrm', 'CapEff', 'CapBnd' if os.getcwd() == '/work' else 'CapEff', 'CapAmb')) and int(l.split()[1], 16)]",
    ),
    Probe(
        area="processes",
        name="no-new-privileges",
        claim="can gain no privilege from a program",
        code="status = open('/proc/self/status').read()\nreturn 'NoNewPrivs:\\t1' not in status or 'Seccomp:\\t2' not in status",
    ),
    Probe(
        area="processes",
        name="daemon",
        claim="leaves no process behind",
        code="if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n        ctypes.CDLL(None).prctl(15, b'$MARK$', 0, 0, 0)\n        time.sleep(600)\n    os._exit(0)\ntime.sleep(0.2)\nprint('left')",
        check=lambda ran: ran.stdout == "left\n" and ran.exit == 0,
    ),
    Probe(
        area="processes",
        name="daemon-holds-output",
        claim="cannot keep us waiting by a process that holds its output",
        code="if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\nprint('done')",
        check=lambda ran: ran.stdout == "done\n" and ran.killed_by is None,
        seconds=5,
    ),
    Probe(
        area="processes",
        name="kill-keeper",
        claim="gains nothing by ending its keeper",
        code="try:\n    os.kill(os.getppid(), 9)\nexcept OSError:\n    sys.exit(9)\ntime.sleep(30)",
        check=_dead,
        seconds=2,
    ),
    Probe(
        area="processes",
        name="stop-keeper",
        claim="is ended in time even when it stops its keeper",
        code="try:\n    os.kill(os.getppid(), signal.SIGSTOP)\nexcept OSError:\n    sys.exit(9)\ntime.sleep(30)",
        check=_dead,
        seconds=1,
    ),
    Probe(
        area="processes",
        name="stop-itself",
        claim="is ended in time when it stops itself",
        code="os.kill(os.getpid(), signal.SIGSTOP)",
        check=lambda ran: ran.killed_by == "time",
        seconds=1,
    ),
    Probe(
        area="processes",
        name="ignore-signals",
        claim="is ended in time whatever signals it ignores",
        code="[signal.signal(n, signal.SIG_IGN) for n in range(1, 64) if n not in (9, 19, 32, 33)]\nwhile True: time.sleep(1)",
        check=lambda ran: ran.killed_by == "time",
        seconds=1,
    ),
]
REACH = [*NETWORK, *PROCESSES]
