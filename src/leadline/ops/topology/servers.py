"""The servers beside Leadline's own processes: how each is configured, started and ended."""

from __future__ import annotations

import signal
from pathlib import Path, PurePosixPath
from typing import Final

from leadline.ops.nginx import Balancer, nginx_conf
from leadline.ops.redis import FORGETS, KEEPS, limits_user
from leadline.ops.topology.home import user_of
from leadline.ops.topology.tls import Tls
from leadline.ops.topology.units import Http, RedisPing, Says, Unit

HOST: Final = "127.0.0.1"
BUCKET: Final = "leadline"
CONNECTIONS: Final = 200

_NOTHING: Final = '""'


def redis_conf(*, port: int, password: str, folder: Path, counts: str | None) -> str:
    """Return the configuration of a Redis: one that forgets what was used least, or with `counts` one that keeps.

    `counts` is the password of the user who counts limits there.
    """
    top = f"bind {HOST}\nport {port}\ndir {folder}\nrequirepass {password}\ndaemonize no\nprotected-mode yes\n"
    lines = [f"{name} {value or _NOTHING}" for name, value in (FORGETS if counts is None else KEEPS)]
    lines += [] if counts is None else [limits_user(counts)]
    return top + "".join(f"{line}\n" for line in lines)


def redis(name: str, *, program: Path, folder: Path, port: int, password: str) -> Unit:
    """Return a Redis whose configuration lies in its folder: there alone stands its password."""
    return Unit(
        name=name,
        argv=(str(program), str(folder / "redis.conf")),
        folder=folder,
        ready=RedisPing(port=port, password=password),
        user=user_of("redis"),
        address=f"{HOST}:{port}",
    )


def postgres(*, programs: Path, folder: Path, port: int) -> Unit:
    """Return a PostgreSQL that listens on loopback alone, and speaks TLS."""
    options = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": str(CONNECTIONS),
        "shared_buffers": "128MB",
        "ssl": "on",
        "ssl_cert_file": str(folder / "server.pem"),
        "ssl_key_file": str(folder / "server.key"),
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return Unit(
        name="postgres",
        argv=(str(programs / "postgres"), "-D", str(folder / "data"), *words),
        folder=folder,
        ready=Says(argv=(str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(port), "-t", "2")),
        user=user_of("postgres"),
        # Clients are told and cut; without it the server waits for them to go.
        stop=signal.SIGINT,
        stop_seconds=60.0,
        address=f"{HOST}:{port}",
    )


def s3(*, program: Path, folder: Path, port: int, name: str, secret: str) -> Unit:
    """Return rclone as a server of S3 whose buckets are folders; its key stands in its environment alone."""
    # Without a cache of bodies a part that overtakes another one stops the server.
    cache = ("--vfs-cache-mode", "full", "--vfs-write-back", "0", "--cache-dir", str(folder / "cache"))
    return Unit(
        name="s3",
        argv=(str(program), "serve", "s3", "--addr", f"{HOST}:{port}", *cache, str(folder / "buckets")),
        folder=folder,
        env={"RCLONE_CONFIG": "/dev/null", "RCLONE_AUTH_KEY": f'"{name},{secret}"'},
        ready=Http(port=port, path="/", anything=True),  # it hangs where it takes a connection and no more
        address=f"http://{HOST}:{port}",
    )


def nginx_text(*, folder: Path, tls: Tls, port: int, services: tuple[str, ...]) -> str:
    """Return nginx' configuration before `services` (`host:port`)."""
    return nginx_conf(
        Balancer(
            services=services,
            certificate=PurePosixPath(tls.certificate),
            key=PurePosixPath(tls.key),
            folder=PurePosixPath(folder),
            host=HOST,
            port=port,
            plain_port=None,
            workers="2",
        )
    )


def nginx(*, program: Path, folder: Path, port: int, ca: Path, after: tuple[str, ...]) -> Unit:
    """Return the balancer; requests under way may end before it does."""
    return Unit(
        name="nginx",
        argv=(str(program), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"),
        folder=folder,
        ready=Http(port=port, ca=ca),
        after=after,
        stop=signal.SIGQUIT,
        stop_seconds=10.0,
        address=f"https://localhost:{port}",
    )


def prometheus(*, program: Path, folder: Path, port: int, after: tuple[str, ...]) -> Unit:
    """Return a Prometheus that keeps two weeks."""
    return Unit(
        name="prometheus",
        argv=(
            str(program),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=15d",
            f"--web.listen-address={HOST}:{port}",
        ),
        folder=folder,
        ready=Http(port=port, path="/-/ready"),
        after=after,
        user=user_of("prometheus"),
        address=f"http://{HOST}:{port}",
    )


def alertmanager(*, program: Path, folder: Path, port: int) -> Unit:
    """Return an Alertmanager that is alone."""
    return Unit(
        name="alertmanager",
        argv=(
            str(program),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={HOST}:{port}",
            "--cluster.listen-address=",
        ),
        folder=folder,
        ready=Http(port=port, path="/-/ready"),
        user=user_of("prometheus"),
        address=f"http://{HOST}:{port}",
    )
