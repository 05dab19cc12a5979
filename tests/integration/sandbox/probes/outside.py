"""Probes of the host's files and secrets."""

from __future__ import annotations

from tests.integration.sandbox.probes.probe import Probe

BWRAP = ("bwrap",)
LANDLOCK = ("landlock",)


FILES = [
    Probe(
        area="files",
        name="canary",
        claim="cannot read a file that all may read",
        code="return read('$CANARY$')",
        control=True,
    ),
    Probe(
        area="files",
        name="canary-folder",
        claim="cannot list the folder of that file",
        code="return os.listdir('$FOLDER$') or 'empty'",
        control=True,
    ),
    Probe(
        area="files",
        name="passwd",
        claim="cannot read the list of users",
        code="return read('/etc/passwd')",
        control=True,
    ),
    Probe(area="files", name="shadow", claim="cannot read the passwords", code="return read('/etc/shadow')"),
    Probe(
        area="files",
        name="host-name-file",
        claim="cannot read configuration",
        code="return read('/etc/hostname')",
        control=True,
    ),
    Probe(
        area="files",
        name="homes",
        claim="cannot list homes",
        code="return [n for h in ('/root', '/home') if os.path.isdir(h) for n in os.listdir(h) if n not in $SHOWN$]",
    ),
    Probe(
        area="files",
        name="variable-data",
        claim="cannot list variable data",
        code="return os.listdir('/var')",
        control=True,
    ),
    Probe(
        area="files",
        name="run-time-data",
        claim="cannot list run-time data",
        code="return os.listdir('/run') or 'empty'",
        control=True,
    ),
    Probe(
        area="files",
        name="temporary-files",
        claim="sees none of others' temporary files",
        code="return [n for n in os.listdir('/tmp') if n]",
        control=True,
    ),
    Probe(
        area="files",
        name="product-source",
        claim="cannot read Leadline's own files",
        code="return read('$SOURCE$')",
        control=True,
    ),
    Probe(
        area="files",
        name="climb",
        claim="cannot climb out of its folder",
        code="return read('../' * 40 + '$CANARY$'.lstrip('/'))",
        control=True,
    ),
    Probe(
        area="files",
        name="root-of-init",
        claim="cannot go through the first process's root",
        code="return read('/proc/1/root$CANARY$')",
    ),
    Probe(
        area="files",
        name="root-of-keeper",
        claim="cannot go through its keeper's root",
        code="return read(f'/proc/{os.getppid()}/root$CANARY$')",
        control=True,
    ),
    Probe(
        area="files",
        name="root-of-itself",
        claim="cannot go through its own root",
        code="return read('/proc/self/root$CANARY$')",
        control=True,
    ),
    Probe(
        area="files",
        name="symlink",
        claim="cannot follow a link out",
        code="os.symlink('$CANARY$', 'link')\nreturn read('link')",
        control=True,
    ),
    Probe(
        area="files",
        name="hard-link",
        claim="cannot link a file of the host into its folder",
        code="os.link('$CANARY$', 'hard')\nreturn read('hard')",
    ),
    Probe(
        area="files",
        name="rename",
        claim="cannot move a file of the host",
        code="os.rename('$CANARY$', 'moved')\nreturn 'moved'",
    ),
    Probe(
        area="files",
        name="unlink",
        claim="cannot delete a file of the host",
        code="os.unlink('$CANARY$')\nreturn 'gone'",
    ),
    Probe(
        area="files",
        name="truncate",
        claim="cannot cut a file of the host",
        code="os.truncate('$CANARY$', 0)\nreturn 'cut'",
    ),
    Probe(
        area="files",
        name="append",
        claim="cannot write a file of the host",
        code="open('$CANARY$', 'ab').write(b'x')\nreturn 'written'",
    ),
    Probe(
        area="files",
        name="modes",
        claim="cannot change the mode of a file of the host",
        code="try:\n    os.chmod('$CANARY$', 0o777)\nexcept OSError:\n    pass\nreturn None",
    ),
    Probe(
        area="files",
        name="times",
        claim="cannot change the times of a file of the host",
        code="try:\n    os.utime('$CANARY$', (1, 1))\nexcept OSError:\n    pass\nreturn None",
    ),
    Probe(
        area="files",
        name="owner",
        claim="cannot give a file of the host away",
        code="os.chown('$CANARY$', os.getuid(), os.getgid())\nreturn 'changed'",
    ),
    Probe(
        area="files",
        name="attributes",
        claim="cannot set attributes of a file of the host",
        code="os.setxattr('$CANARY$', 'user.leak', b'x')\nreturn 'set'",
    ),
    Probe(
        area="files",
        name="existence",
        claim="cannot tell which files of the host exist",
        code="return os.path.exists('$CANARY$')",
        designs=BWRAP,
        control=True,
    ),
    Probe(
        area="files",
        name="interpreter",
        claim="cannot change the interpreter's files",
        code="open(os.__file__, 'ab').close()\nreturn 'opened'",
    ),
    Probe(
        area="files",
        name="interpreter-folder",
        claim="cannot add to the interpreter's folder",
        code="open(os.path.dirname(os.__file__) + '/leak.py', 'w').close()\nreturn 'made'",
    ),
    Probe(
        area="files",
        name="libraries",
        claim="cannot add to the libraries",
        code="open('/usr/lib/leak.so', 'w').close()\nreturn 'made'",
    ),
    Probe(
        area="files",
        name="root-folder",
        claim="cannot write the root folder",
        code="open('/leak', 'w').close()\nreturn 'made'",
    ),
    Probe(
        area="files",
        name="devices-folder",
        claim="cannot write the devices' folder",
        code="open('/dev/leak', 'w').close()\nreturn 'made'",
    ),
    Probe(area="files", name="memory-device", claim="cannot open the machine's memory", code="return read('/dev/mem')"),
    Probe(
        area="files",
        name="disks",
        claim="cannot open a disk",
        code="return [read(f'/dev/{n}') for n in ('vda', 'sda', 'nvme0n1') if os.path.exists(f'/dev/{n}')]",
    ),
    Probe(area="files", name="kernel-log", claim="cannot read the kernel's log", code="return read('/dev/kmsg')"),
    Probe(
        area="files",
        name="device-node",
        claim="cannot make a device",
        code="os.mknod('node', 0o20600, os.makedev(1, 1))\nreturn 'made'",
    ),
    Probe(
        area="files",
        name="system-program",
        claim="cannot run the system's programs",
        code="return subprocess.run(['/bin/sh', '-c', 'echo leak'], capture_output=True).stdout",
        control=True,
    ),
    Probe(
        area="files",
        name="own-program",
        claim="cannot run a program that it wrote",
        code="open('p', 'w').write('#!' + sys.executable + chr(10))\nos.chmod('p', 0o700)\nos.posix_spawn('./p', ['./p'], {})\nreturn 'ran'",
        designs=LANDLOCK,
    ),
    Probe(
        area="files",
        name="descriptor-path",
        claim="cannot open again what another process holds",
        code="return [read(f'/proc/{os.getppid()}/fd/{n}') for n in range(3, 12) if os.path.exists(f'/proc/{os.getppid()}/fd/{n}') and not os.readlink(f'/proc/{os.getppid()}/fd/{n}').startswith('pipe')]",
    ),
]

_ALLOWED = (
    "{'PATH', 'HOME', 'TMPDIR', 'LANG', 'PYTHONDONTWRITEBYTECODE', 'MPLBACKEND', 'MPLCONFIGDIR', 'OPENBLAS_NUM_THREADS', "
    "'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMEXPR_NUM_THREADS', 'MALLOC_ARENA_MAX', 'LD_LIBRARY_PATH', 'PWD', 'LC_CTYPE'}"
)
SECRETS = [
    Probe(
        area="secrets",
        name="environment",
        claim="finds in its environment what we put there and nothing else",
        code=f"return set(os.environ) - {_ALLOWED}",
    ),
    Probe(
        area="secrets",
        name="environment-outside",
        claim="cannot read our environment",
        code="return b'$KEY$' in open('/proc/$OUTER$/environ', 'rb').read()",
        control=True,
    ),
    Probe(
        area="secrets",
        name="environments",
        claim="finds no secret in any process's environment",
        code="found = []\nfor name in os.listdir('/proc'):\n    try:\n        found.append(b'$KEY$' in open(f'/proc/{name}/environ', 'rb').read())\n    except OSError:\n        pass\nreturn any(found)",
        control=True,
    ),
    Probe(
        area="secrets",
        name="command-lines",
        claim="cannot read other programs' command lines",
        code="found = []\nfor name in os.listdir('/proc'):\n    if name.isdigit():\n        try:\n            found.append(open(f'/proc/{name}/cmdline').read())\n        except OSError:\n            pass\nreturn any('pytest' in line for line in found)",
    ),
    Probe(
        area="secrets",
        name="memory-outside",
        claim="cannot open our memory",
        code="return bool(open('/proc/$OUTER$/mem', 'rb'))",
        control=True,
    ),
    Probe(
        area="secrets",
        name="handles",
        claim="inherits no handle but its three streams",
        code="def is_open(n):\n    try:\n        return os.fstat(n) and True\n    except OSError:\n        return False\nreturn [n for n in range(3, 250) if is_open(n)]",
    ),
    Probe(
        area="secrets", name="standard-input", claim="finds nothing on standard input", code="return sys.stdin.read()"
    ),
    Probe(
        area="secrets",
        name="key-list",
        claim="cannot read the kernel's list of keys",
        code="return b'keyring' in read('/proc/keys')",
    ),
    Probe(
        area="secrets",
        name="kernel-addresses",
        claim="cannot read the kernel's addresses",
        code="return any(int(line.split()[0], 16) for line in open('/proc/kallsyms').readlines()[:50])",
    ),
    Probe(
        area="secrets",
        name="core-dumps",
        claim="leaves no core",
        code="return resource.getrlimit(resource.RLIMIT_CORE) != (0, 0)",
    ),
    Probe(
        area="secrets",
        name="host-name",
        claim="does not learn the host's name",
        code="return socket.gethostname() != 'sandbox'",
        designs=BWRAP,
        control=True,
    ),
    Probe(area="secrets", name="product", claim="cannot import Leadline", code="import leadline\nreturn 'imported'"),
    Probe(
        area="secrets",
        name="other-users",
        claim="is alone as its user, and is not root",
        code="return os.getuid() == 0 or os.geteuid() == 0 or os.getgroups() not in ([], [65534], [1000])",
        designs=BWRAP,
    ),
    Probe(
        area="secrets",
        name="mounts",
        claim="sees no mount of the host",
        code="return [line for line in open('/proc/self/mounts') if line.split()[1] in ('/home', '/var', '/run', '/sys', '/boot')]",
    ),
    Probe(
        area="secrets",
        name="earlier-programs",
        claim="finds nothing that an earlier program left",
        code="left = [os.path.join(p, 'left') for p in ('.', os.environ['TMPDIR'], '/dev/shm', '/tmp')]\nfound = [p for p in left if os.path.exists(p)]\nfor p in left:\n    try:\n        open(p, 'w').write('x')\n    except OSError:\n        pass\nreturn found",
    ),
]
OUTSIDE = [*FILES, *SECRETS]
