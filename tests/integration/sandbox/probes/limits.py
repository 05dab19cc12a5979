"""Probes of resources, and of the supervisor itself."""

from __future__ import annotations

import signal

from tests.integration.sandbox.probes.probe import Probe

from leadline.ports import Ran
from leadline.sandbox.artefacts import OCTETS

BWRAP = ("bwrap",)
LANDLOCK = ("landlock",)


def _bounded(ran: Ran) -> bool:
    """It was refused within, or ended for what it took."""
    return "REFUSED" in ran.stdout or ran.killed_by in {"memory", "disk", "crash"} or ran.exit >= 128


_FILL = """\
try:
    for n in range(40):
        with open($WHERE$ + f"/f{n}", "wb") as file:
            for _ in range(32):
                file.write(bytes(1 << 20))
    print("FILLED")
except OSError as error:
    print("REFUSED", error)
"""


RESOURCES = [
    Probe(
        area="resources",
        name="memory",
        claim="cannot take more memory than it may",
        code="try:\n    kept = [bytearray(64 << 20) for _ in range(64)]\n    print('FILLED')\nexcept MemoryError:\n    print('REFUSED')",
        check=_bounded,
    ),
    Probe(
        area="resources",
        name="memory-of-children",
        claim="cannot take more memory by many children",
        code="for _ in range(8):\n    if os.fork() == 0:\n        kept = bytearray(400 << 20)\n        for i in range(0, len(kept), 4096):\n            kept[i] = 1\n        time.sleep(30)\nfor _ in range(8):\n    os.wait()\nprint('FILLED')",
        check=lambda ran: ran.killed_by in {"memory", "crash", "time"} or "FILLED" in ran.stdout,
        seconds=6,
    ),
    Probe(
        area="resources",
        name="memory-files",
        claim="cannot take more memory by files in memory",
        code="try:\n    f = os.memfd_create('x')\n    for _ in range(3000):\n        os.write(f, bytes(1 << 20))\n    print('FILLED')\nexcept OSError as error:\n    print('REFUSED', error)",
        check=_bounded,
    ),
    Probe(
        area="resources",
        name="working-folder",
        claim="cannot fill more than its working folder",
        code=_FILL.replace("$WHERE$", "'.'"),
        check=_bounded,
    ),
    Probe(
        area="resources",
        name="temporary-folder",
        claim="cannot fill more than its temporary folder",
        code=_FILL.replace("$WHERE$", "os.environ['TMPDIR']"),
        check=_bounded,
    ),
    Probe(
        area="resources",
        name="shared-memory-folder",
        claim="cannot fill more than its shared memory",
        code=_FILL.replace("$WHERE$", "'/dev/shm'"),
        check=_bounded,
    ),
    Probe(
        area="resources",
        name="large-file",
        claim="cannot write a file larger than it may",
        code="f = open('large', 'wb')\ntry:\n    f.truncate(1 << 40)\n    print('FILLED')\nexcept OSError as error:\n    print('REFUSED', error)",
        check=_bounded,
    ),
    Probe(
        area="resources",
        name="empty-files",
        claim="gains nothing by empty files without end",
        code="try:\n    for n in range(25000):\n        open(f'e{n}', 'w').close()\nexcept OSError:\n    pass\nprint('done')",
        check=lambda ran: (
            ran.killed_by in {None, "time", "disk", "memory"} and not [f for f in ran.files if len(f.data)]
        ),
    ),
    Probe(
        area="resources",
        name="processor",
        claim="cannot compute longer than its time",
        code="while True: pass",
        check=lambda ran: ran.killed_by == "time",
        seconds=1,
    ),
    Probe(
        area="resources",
        name="one-long-call",
        claim="cannot hide from its time in one long call",
        code="x = 3 ** (3 ** 18)",
        check=lambda ran: ran.killed_by == "time" or ran.exit > 0,
        seconds=1,
    ),
    Probe(
        area="resources",
        name="sleep",
        claim="cannot sleep longer than its time",
        code="time.sleep(600)",
        check=lambda ran: ran.killed_by == "time",
        seconds=1,
    ),
    Probe(
        area="resources",
        name="flood",
        claim="cannot write output without end",
        code="b = b'x' * (1 << 20)\nwhile True: os.write(1, b)",
        check=lambda ran: ran.killed_by == "output" and len(ran.stdout) <= 256 << 10,
    ),
    Probe(
        area="resources",
        name="flood-of-errors",
        claim="cannot write errors without end",
        code="b = b'x' * (1 << 20)\nwhile True: os.write(2, b)",
        check=lambda ran: ran.killed_by == "output" and len(ran.stderr) <= 256 << 10,
    ),
    Probe(
        area="resources",
        name="long-output",
        claim="is cut where it writes too much, and goes on",
        code="sys.stdout.write('x' * (1 << 20))\nsys.stderr.write('end')",
        check=lambda ran: (
            len(ran.stdout) == 256 << 10 and ran.truncated == ("stdout",) and ran.stderr == "end" and ran.exit == 0
        ),
    ),
    Probe(
        area="resources",
        name="handles",
        claim="cannot open files without end",
        code="kept = []\nwhile len(kept) < 2000:\n    kept.append(open('/dev/null'))\nreturn len(kept)",
    ),
    Probe(
        area="resources",
        name="locked-memory",
        claim="cannot lock memory",
        code="b = ctypes.create_string_buffer(1 << 20)\nif libc.mlock(b, 1 << 20):\n    raise OSError(ctypes.get_errno(), 'refused')\nreturn 'locked'",
    ),
    Probe(
        area="resources",
        name="recursion",
        claim="ends by itself when it calls itself without end",
        code="def f(): return f()\nf()",
        check=lambda ran: ran.exit == 1 and "RecursionError" in ran.stderr and len(ran.stderr) < 20_000,
    ),
    Probe(
        area="resources",
        name="pipes",
        claim="cannot hold kernel memory in pipes without end",
        code="kept = []\nwhile len(kept) < 2000:\n    kept.append(os.pipe())\nreturn len(kept)",
    ),
]

SUPERVISOR = [
    Probe(
        area="supervisor",
        name="no-control",
        claim="cannot speak for its keeper",
        code="found = []\nfor n in range(3, 64):\n    try:\n        found.append(os.write(n, struct.pack('>Q', 2) + b'{}'))\n    except OSError:\n        pass\nreturn found",
    ),
    Probe(
        area="supervisor",
        name="keepers-handles",
        claim="gains nothing by writing to its keeper's handles",
        code="for n in range(3, 30):\n    try:\n        f = os.open(f'/proc/{os.getppid()}/fd/{n}', os.O_WRONLY | os.O_NONBLOCK)\n        os.write(f, struct.pack('>Q', 1 << 40) + b'rubbish')\n    except OSError:\n        pass\nprint('tried')",
        check=lambda ran: "tried" in ran.stdout or ran.killed_by == "crash",
    ),
    Probe(
        area="supervisor",
        name="close-streams",
        claim="may close its streams",
        code="os.close(1)\nos.close(2)",
        check=lambda ran: not ran.stdout and ran.killed_by is None,
    ),
    Probe(
        area="supervisor",
        name="exit-status",
        claim="ends with the status that it names",
        code="sys.exit(7)",
        check=lambda ran: ran.exit == 7 and ran.killed_by is None,
    ),
    Probe(
        area="supervisor",
        name="sudden-exit",
        claim="may leave without a word",
        code="os._exit(9)",
        check=lambda ran: ran.exit == 9,
    ),
    Probe(
        area="supervisor",
        name="crash",
        claim="is told from an honest end when it crashes",
        code="ctypes.string_at(0)",
        check=lambda ran: ran.exit == 128 + signal.SIGSEGV and ran.killed_by is None,
    ),
    Probe(
        area="supervisor",
        name="hanging-exit",
        claim="cannot hang at its end",
        code="import atexit\natexit.register(time.sleep, 600)",
        check=lambda ran: ran.killed_by == "time",
        seconds=1,
    ),
    Probe(
        area="supervisor",
        name="hanging-thread",
        claim="cannot hang in a thread",
        code="threading.Thread(target=time.sleep, args=(600,)).start()",
        check=lambda ran: ran.killed_by == "time",
        seconds=1,
    ),
    Probe(
        area="supervisor",
        name="hanging-flush",
        claim="cannot hang in its own streams",
        code="class S:\n    def write(self, t): pass\n    def flush(self): time.sleep(600)\nsys.stdout = S()",
        check=lambda ran: ran.killed_by == "time",
        seconds=1,
    ),
    Probe(
        area="supervisor",
        name="not-utf8",
        claim="may write any bytes",
        code="os.write(1, bytes(range(256)))",
        check=lambda ran: "\ufffd" in ran.stdout and ran.exit == 0,
    ),
    Probe(
        area="supervisor",
        name="link-out",
        claim="gets no file of the host by leaving a link to it",
        code="os.symlink('$CANARY$', 'a.txt')\nos.symlink('/proc/self/environ', 'b.txt')",
        check=lambda ran: not ran.files and ran.exit == 0,
    ),
    Probe(
        area="supervisor",
        name="pipe-out",
        claim="cannot make us wait by leaving a pipe",
        code="try:\n    os.mkfifo('p.txt')\nexcept OSError:\n    pass\nopen('q.txt', 'w').write('q')",
        check=lambda ran: [f.name for f in ran.files] == ["q.txt"],
        seconds=4,
    ),
    Probe(
        area="supervisor",
        name="folder-out",
        claim="cannot pass a folder off as a file",
        code="os.mkdir('a.png')",
        check=lambda ran: not ran.files and ran.exit == 0,
    ),
    Probe(
        area="supervisor",
        name="bad-names",
        claim="brings no file out under a name that is not plain",
        code="for n in ('.hidden', '-rf', 'a\\nb', 'a\\x1b[2J', '\\u202egnp.exe', 'x' * 150, ' '):\n    open(n, 'w').write('x')\nopen('good.txt', 'w').write('x')",
        check=lambda ran: [f.name for f in ran.files] == ["good.txt"] and "files" in ran.truncated,
    ),
    Probe(
        area="supervisor",
        name="many-files",
        claim="brings out no more files than it may",
        code="for n in range(1000):\n    open(f'f{n}.txt', 'w').write('x')",
        check=lambda ran: len(ran.files) == 20 and "files" in ran.truncated,
    ),
    Probe(
        area="supervisor",
        name="large-out",
        claim="brings out no file larger than it may",
        code="open('big.bin', 'wb').truncate(100 << 20)\nopen('small.bin', 'wb').write(b'x')",
        check=lambda ran: [f.name for f in ran.files] == ["small.bin"] and "files" in ran.truncated,
    ),
    Probe(
        area="supervisor",
        name="hidden-in-image",
        claim="cannot hide bytes in an image",
        code="import zlib, binascii\ndef chunk(kind, body): return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', binascii.crc32(kind + body))\nopen('i.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 0, 0, 0, 0)) + chunk(b'tEXt', b'Comment\\0smuggled') + chunk(b'IDAT', zlib.compress(b'\\0\\7')) + chunk(b'IEND', b'') + b'<script>smuggled</script>')",
        check=lambda ran: [f.media_type for f in ran.files] == ["image/png"] and b"smuggled" not in ran.files[0].data,
    ),
    Probe(
        area="supervisor",
        name="false-image",
        claim="cannot pass other bytes off as an image",
        code="open('i.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n<svg onload=alert(1)>')\nopen('j.svg', 'w').write('<svg/>')",
        check=lambda ran: {f.media_type for f in ran.files} == {OCTETS} and len(ran.files) == 2,
    ),
    Probe(
        area="supervisor",
        name="deep-folders",
        claim="cannot hinder the removal of its folder",
        code="for n in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\nopen('f', 'w').close()",
        check=lambda ran: ran.killed_by in {None, "disk"},
    ),
    Probe(
        area="supervisor",
        name="closed-folders",
        claim="cannot hinder the removal by modes",
        code="os.mkdir('d')\nopen('d/f', 'w').close()\nos.chmod('d', 0)\nos.chmod('.', 0)",
        check=lambda ran: ran.killed_by in {None, "disk"},
    ),
    Probe(
        area="supervisor",
        name="swap-library",
        claim="cannot change what its keeper runs",
        code="open('json.py', 'w').write('raise SystemExit(3)')\nopen('base64.py', 'w').write('raise SystemExit(3)')\njson.dumps = None\nprint('ok')",
        check=lambda ran: ran.stdout == "ok\n" and ran.exit == 0,
    ),
    Probe(
        area="supervisor",
        name="not-a-program",
        claim="fails by itself when it is no program",
        code="def (",
        check=lambda ran: ran.exit == 1 and "SyntaxError" in ran.stderr,
    ),
]
LIMITS = [*RESOURCES, *SUPERVISOR]
