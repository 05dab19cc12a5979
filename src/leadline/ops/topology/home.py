"""Where the topology lies on this machine, what was chosen for it, and its secrets."""

from __future__ import annotations

import base64
import os
import pwd
import secrets
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import orjson

from leadline.errors import InputError, SettingsError
from leadline.settings import Settings

T = TypeVar("T")

FOLDER: Final = "up"
ROOTS_BASE: Final = Path("/var/lib/leadline")
"""Where it lies for root: other users' servers may not enter root's own folder."""

SECRETS: Final = (
    "redis_queue",
    "redis_cache",
    "redis_limits",
    "postgres",
    "s3",
    "s3_name",
    "tools",
    "metrics",
    "models",
)
PORT: Final = 8443
SERVICES: Final = 2
WORKERS: Final = 2
WATCH_EVERY: Final = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The folder of the topology: all files of all parts."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings) -> Home:
        """Return the folder that the settings mean; it need not exist. Its own settings mean itself."""
        around = cls.around(settings)
        if around is not None:
            return around
        chosen = "data_dir" in settings.sources
        base = settings.data_dir if chosen or os.geteuid() != 0 else ROOTS_BASE
        return cls(folder=base.absolute() / FOLDER)

    @classmethod
    def around(cls, settings: Settings) -> Home | None:
        """Return the folder of the topology whose settings these are, `None` where they are of none."""
        home = cls(folder=settings.data_dir.absolute().parent)
        return home if home.data == settings.data_dir.absolute() and home.state.exists() else None

    @property
    def state(self) -> Path:
        """The file in which the supervisor says how the parts do."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        """The file that the supervisor holds."""
        return self.folder / "lock"

    @property
    def held(self) -> Path:
        """The folder with an empty file for each part that is to be kept down."""
        return self.folder / "held"

    @property
    def plan(self) -> Path:
        """The file of what was chosen."""
        return self.folder / "plan.json"

    @property
    def logs(self) -> Path:
        """The folder of the parts' logs."""
        return self.folder / "logs"

    @property
    def data(self) -> Path:
        """The data folder of Leadline's own processes."""
        return self.folder / "data"

    @property
    def tls(self) -> Path:
        """The folder of certificates."""
        return self.folder / "tls"

    @property
    def gateway(self) -> Path:
        """The file of who may use the gateway: the parts themselves."""
        return self.folder / "gateway.toml"

    @property
    def environment(self) -> Path:
        """The file of the variables under which commands work on this topology."""
        return self.folder / "leadline.env"

    @property
    def first_key(self) -> Path:
        """The file in which the first key lies until it was shown."""
        return self.folder / "first-key"

    @property
    def shown(self) -> Path:
        """A file that is there once the first key was shown."""
        return self.folder / "first-key.shown"

    def make(self) -> None:
        """Make the folders; others may pass through, where servers run as users of their own, and not look around."""
        mode = 0o711 if os.geteuid() == 0 else 0o700
        for path in (self.folder, self.logs, self.data, self.tls):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode if path == self.folder else 0o700)
        self.tls.chmod(mode)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the caller asks for; `None` leaves it as it was, at first as is usual."""

    port: int | None = None
    inner_ports: int | None = None
    services: int | None = None
    workers: int | None = None
    alerts_to: str | None = None
    runbooks: str | None = None
    gateway: bool | None = None
    watch_every: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What was chosen, kept from one start to the next.

    `inner` is the first of the fixed ports, where they are fixed. `watch_every` is how many seconds
    Prometheus waits between two looks. `runbooks` is where alerts' runbooks answer, if not at the
    balancer. `left_out` tells of each part that is not there why it is not.
    """

    port: int = PORT
    inner: int | None = None
    services: int = SERVICES
    workers: int = WORKERS
    alerts_to: str | None = None
    runbooks: str | None = None
    gateway: bool = False
    watch_every: float = WATCH_EVERY
    ports: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Return what was chosen before. Raises `SettingsError` where the file is damaged."""
        if not path.exists():
            return cls()
        try:
            return cls(**orjson.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(f"{path} is damaged: remove it, and ports are chosen anew") from error

    def write(self, path: Path) -> None:
        """Keep it."""
        write_private(path, orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))

    def wished(self, wish: Wish) -> Plan:
        """Return the plan with what was asked for."""
        return replace(
            self,
            port=_else(wish.port, self.port),
            inner=_else(wish.inner_ports, self.inner),
            services=_else(wish.services, self.services),
            workers=_else(wish.workers, self.workers),
            alerts_to=_else(wish.alerts_to, self.alerts_to),
            runbooks=_else(wish.runbooks, self.runbooks),
            gateway=_else(wish.gateway, self.gateway),
            watch_every=_else(wish.watch_every, self.watch_every),
            ports=self.ports if wish.inner_ports in {None, self.inner} else {},
        )

    def with_ports(self, names: Sequence[str]) -> Plan:
        """Return the plan with a port for each of `names`, the same as before where nobody else took it.

        Raises `InputError` where a port that was asked for is taken.
        """
        if not is_free(self.port):
            raise InputError(f"port {self.port} is taken by another program: choose one with --port")
        if self.inner is not None:
            ports = {name: self.inner + number for number, name in enumerate(names)}
            taken = [port for port in ports.values() if not is_free(port)]
            if taken or max(ports.values()) > 65_535:
                raise InputError(
                    f"port {taken[0] if taken else 65_536} cannot be had: choose others with --inner-ports"
                )
            return replace(self, ports=ports)
        kept = {name: self.ports[name] for name in names if name in self.ports and is_free(self.ports[name])}
        new = [name for name in names if name not in kept]
        found = dict(zip(new, free_ports(len(new), but={self.port, *kept.values()}), strict=True))
        return replace(self, ports={**kept, **found})


def _else(wished: T | None, known: T) -> T:
    return known if wished is None else wished


def secrets_of(folder: Path) -> Mapping[str, str]:
    """Return the secrets of the parts, each in a file of its own that only its owner may read; made at first."""
    folder.mkdir(mode=0o700, exist_ok=True)
    made: dict[str, str] = {}
    for name in (*SECRETS, "sealing"):
        path = folder / name
        if not path.exists():
            # What encrypts other secrets at rest has a form of its own: 32 bytes.
            text = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() if name == "sealing" else new_secret()
            write_private(path, text.encode())
        made[name] = path.read_text(encoding="ascii")
    return MappingProxyType(made)


def new_secret() -> str:
    """Return letters and digits that nobody guesses, and that need no quoting anywhere."""
    return secrets.token_hex(24)


def write_private(path: Path, data: bytes) -> None:
    """Write a file in one step that only its owner may read."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def user_of(name: str) -> str | None:
    """Return a user for a server where this process is root and there is such a user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        return None


def check_way(folder: Path, user: str) -> None:
    """Refuse a folder that another user's server cannot reach. Raises `SettingsError`."""
    for parent in folder.absolute().parents:
        if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH:
            raise SettingsError(
                f"the user {user}, as whom a server runs, may not enter {parent}: name another folder with --data-dir, "
                f"for example {ROOTS_BASE}"
            )


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count: int, *, but: set[int]) -> list[int]:
    """Return ports of loopback that nobody has now."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            if port not in but:
                found.append(port)
    return found
