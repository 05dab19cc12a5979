"""The servers that are installed: where they are, and which Debian package has one that is missing."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from leadline.errors import MissingExtra

_DEBIAN: Final = Path("/usr/lib/postgresql")


@dataclass(frozen=True, kw_only=True, slots=True)
class Programs:
    """Paths of programs. `postgres` is the folder of its programs; what is `None` is not installed."""

    nginx: Path
    redis: Path
    postgres: Path
    prometheus: Path | None
    alertmanager: Path | None
    rclone: Path | None


def find_programs(*, database: Path) -> Programs:
    """Return what is installed. `database` may hold data of one version of PostgreSQL, which is taken then.

    Raises `MissingExtra` that names every package which is missing and needed.
    """
    nginx, redis = _program("nginx"), _program("redis-server")
    postgres = _postgres(database)
    packages = [
        package
        for package, found in (("nginx-light", nginx), ("redis-server", redis), ("postgresql", postgres))
        if found is None
    ]
    if nginx is None or redis is None or postgres is None:
        raise MissingExtra(f"servers are missing; install them with: apt-get install {' '.join(packages)}")
    missing = [name for name in ("fastapi", "asyncpg", "redis", "celery", "cryptography") if find_spec(name) is None]
    if missing:
        raise MissingExtra("packages are missing: pip install 'leadline[server,postgres,redis,celery]'")
    return Programs(
        nginx=nginx,
        redis=redis,
        postgres=postgres,
        prometheus=_program("prometheus"),
        alertmanager=_program("prometheus-alertmanager") or _program("alertmanager"),
        rclone=_rclone(),
    )


def _program(name: str) -> Path | None:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    return None if found is None else Path(found)


def _postgres(database: Path) -> Path | None:
    """Return the programs that can read the data that is there, else the newest."""
    version = database / "PG_VERSION"
    if version.exists():
        wanted = _DEBIAN / version.read_text(encoding="ascii").strip() / "bin"
        return wanted if (wanted / "postgres").exists() else None
    known = [path.parent for path in _DEBIAN.glob("*/bin/postgres")]
    if known:
        return max(known, key=lambda path: tuple(int(part) for part in path.parent.name.split(".") if part.isdigit()))
    found = _program("postgres")
    return None if found is None else found.resolve().parent


def _rclone() -> Path | None:
    """Return the rclone of the Python environment; Debian's own cannot serve S3."""
    own = Path(sys.executable).with_name("rclone")
    usable = find_spec("obstore") is not None and own.exists()
    return own if usable else None
