"""What is installed, and what is set."""

from __future__ import annotations

import asyncio
import platform
import sqlite3
import stat
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from leadline.domain import Json
from leadline.events import ENGINE
from leadline.ops.doctor.finding import Finding, warned
from leadline.ops.doctor.look import Look
from leadline.settings import describe
from leadline.version import __version__

_PACKAGES: Final = (
    "aiohttp",
    "alembic",
    "asyncpg",
    "celery",
    "confluent-kafka",
    "cryptography",
    "ddgs",
    "fastapi",
    "mcp",
    "obstore",
    "opentelemetry-sdk",
    "orjson",
    "playwright",
    "prometheus-client",
    "pypdfium2",
    "redis",
    "sqlalchemy",
    "uvicorn",
)
_LEAST_SQLITE: Final = (3, 38, 0)
_PAGE: Final = "docs/diagnosis.md"


async def versions(look: Look) -> Finding:
    """Tell which versions of what are here."""
    del look
    facts = await asyncio.to_thread(_versions)
    if sqlite3.sqlite_version_info < _LEAST_SQLITE:
        cause = f"SQLite {sqlite3.sqlite_version} is older than {'.'.join(map(str, _LEAST_SQLITE))}"
        return warned(cause, command=f"{sys.executable} -V", runbook=f"{_PAGE}#versions", facts=facts)
    told = f"leadline {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return Finding(told=told, facts=facts)


def _versions() -> dict[str, Json]:
    return {
        "leadline": __version__,
        "engine": ENGINE,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "packages": dict(_packages()),
    }


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


async def settings(look: Look) -> Finding:
    """Tell where settings are from, and what is doubtful about them."""
    rows = await asyncio.to_thread(describe, look.settings)
    changed = [row for row in rows if row.source != "default"]
    file = look.settings.config_file
    facts: dict[str, Json] = {
        "file": None if file is None else str(file),
        "set": [f"{row.name}: {row.source}" for row in changed],
    }
    doubts = [*look.settings.warnings]
    folder = await look.folder()
    mode = (await asyncio.to_thread(folder.stat)).st_mode
    if mode & (stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH):
        doubts.append(f"others may look into the data folder; protect it with: chmod 700 {folder}")
    if doubts:
        facts["warnings"] = [*doubts]
        command = doubts[0].rpartition(": ")[2] if "chmod" in doubts[0] else "leadline settings"
        return warned("; ".join(doubts), command=command, runbook=f"{_PAGE}#settings", facts=facts)
    return Finding(told=f"{len(changed)} set, data folder {folder}", facts=facts)
