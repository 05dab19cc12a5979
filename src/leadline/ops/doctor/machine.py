"""This machine: processors, memory, disk, GPUs, open files, clock."""

from __future__ import annotations

import asyncio
import csv
import resource
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from leadline.domain import Json
from leadline.errors import LeadlineError
from leadline.ops.doctor.finding import Finding, Status, failed, warned
from leadline.ops.doctor.look import Look
from leadline.settings import LOCAL, Settings
from leadline.wiring.probe_clocks import database_ahead, redis_ahead, served_ahead
from leadline.wiring.probe_models import model_servers

Ask: TypeAlias = Callable[[], Awaitable[float | None]]

MOST_DISK: Final = 90.0
FULL_DISK: Final = 97.0
MOST_MEMORY: Final = 92.0
MOST_GPU: Final = 98.0
LEAST_FILES: Final = 1_024
MOST_SKEW: Final = 2.0
_MEMORY: Final = "docs/runbooks/memory.md"
_PAGE: Final = "docs/diagnosis.md"
_QUERY: Final = "index,name,utilization.gpu,memory.used,memory.total,driver_version"
_GPU_SECONDS: Final = 5.0


class Gpu(NamedTuple):
    """A GPU as its driver tells it; memory in MiB, `percent` is of its processors."""

    place: str
    name: str
    percent: float | None
    used: float
    total: float
    driver: str


async def resources(look: Look) -> Finding:
    """Tell how full processors, memory, disk and GPUs are."""
    folder = await look.folder()
    facts, gpus = await asyncio.to_thread(_measured, folder)
    disk, memory = facts["disk_percent"], facts["memory_percent"]
    told = f"cpu {facts['cpu_percent']} %, memory {memory} %, disk {disk} % of {folder}" + "".join(
        f", gpu {gpu.place} {gpu.used / gpu.total:.0%}" for gpu in gpus if gpu.total
    )
    if isinstance(disk, float) and disk >= MOST_DISK:
        cause = f"the disk of {folder} is {disk:g} % full"
        status = Status.UNHEALTHY if disk >= FULL_DISK else Status.DEGRADED
        page = f"{_PAGE}#disk"
        return failed(cause, command="leadline gc --older-than 30", runbook=page, status=status, facts=facts)
    if isinstance(memory, float) and memory >= MOST_MEMORY:
        return warned(f"memory is {memory:g} % used", command="free -h", runbook=_MEMORY, facts=facts)
    full = [gpu for gpu in gpus if gpu.total and 100 * gpu.used / gpu.total >= MOST_GPU]
    if full:
        cause = f"the memory of GPU {full[0].place} ({full[0].name}) is {full[0].used / full[0].total:.0%} used"
        return warned(cause, command="nvidia-smi", runbook=_MEMORY, facts=facts)
    return Finding(told=told, facts=facts)


def _measured(folder: Path) -> tuple[dict[str, Json], tuple[Gpu, ...]]:
    import psutil  # noqa: PLC0415 40 ms that no other command pays

    space = shutil.disk_usage(folder)
    gpus = gpus_here()
    facts: dict[str, Json] = {
        "cpu_percent": psutil.cpu_percent(interval=0.2),
        "memory_percent": psutil.virtual_memory().percent,
        "disk_percent": round(100 * space.used / (space.used + space.free or 1), 1),
        "gpu_memory": [
            {"index": gpu.place, "name": gpu.name, "used_mib": gpu.used, "total_mib": gpu.total, "percent": gpu.percent}
            for gpu in gpus
        ]
        or None,
        "disk_free_bytes": space.free,
    }
    return facts, gpus


def gpus_here() -> tuple[Gpu, ...]:
    """Return the GPUs that `nvidia-smi` tells of; none where it is not there or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    command = [program, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GPU_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return read_gpus(done.stdout) if done.returncode == 0 else ()


def read_gpus(text: str) -> tuple[Gpu, ...]:
    """Return what a table of `nvidia-smi --format=csv,noheader,nounits` says; lines of another shape are skipped."""
    found = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) != len(_QUERY.split(",")):
            continue
        place, name, percent, used, total, driver = (cell.strip() for cell in row)
        memory = [_number(used), _number(total)]
        if None not in memory:
            found.append(Gpu(place, name, _number(percent), memory[0] or 0.0, memory[1] or 0.0, driver))
    return tuple(found)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # `[N/A]`, as cards without a counter have it
        return None


async def file_handles(look: Look) -> Finding:
    """Tell how many files this process may open, and has open."""
    del look
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = await asyncio.to_thread(_open_files)
    facts: dict[str, Json] = {"used": used, "soft": soft, "hard": hard}
    page = f"{_PAGE}#file-handles"
    most = f"{soft}" if soft != resource.RLIM_INFINITY else "any number"
    if soft != resource.RLIM_INFINITY and soft < LEAST_FILES:
        cause = f"a process may open {soft} files; a service with many streams needs more"
        return warned(cause, command="ulimit -n 65536", runbook=page, facts=facts)
    if soft != resource.RLIM_INFINITY and used > 0.8 * soft:
        cause = f"{used} of {soft} files are open"
        return warned(cause, command="ulimit -n 65536", runbook=page, facts=facts)
    return Finding(told=f"{used} open of {most}", facts=facts)


def _open_files() -> int:
    for place in ("/proc/self/fd", "/dev/fd"):
        if Path(place).is_dir():
            return len(list(Path(place).iterdir()))
    return 0


async def clock(look: Look) -> Finding:
    """Compare this machine's clock with those of the servers that are set."""
    urls = await asyncio.to_thread(_urls, look.settings)
    clocks = _clocks(look, urls)
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_ahead(ask), name=f"clock {name}") for name, ask in clocks.items()}
    ahead = {name: round(found, 3) for name, task in tasks.items() if (found := task.result()) is not None}
    if not ahead:
        return Finding(status=Status.OFF, told="no other clock is at hand to compare with")
    name = max(ahead, key=lambda one: abs(ahead[one]))
    facts: dict[str, Json] = {"ahead_seconds": dict(ahead)}
    if abs(ahead[name]) > MOST_SKEW:
        cause = f"the clock of {name} is {ahead[name]:+.1f} s from this machine's"
        return warned(cause, command="timedatectl", runbook=f"{_PAGE}#clock", facts=facts)
    return Finding(told=f"within {abs(ahead[name]):.1f} s of {', '.join(ahead)}", facts=facts)


def _clocks(look: Look, urls: Sequence[str]) -> dict[str, Ask]:
    """Return the clocks that can be asked for nothing."""
    settings, now = look.settings, look.clock.now
    found: dict[str, Ask] = {"the database": partial(database_ahead, settings, now=now)}
    for name, place in {"cache": settings.cache, "limits": settings.limits}.items():
        if place.scheme.startswith("redis"):
            found[f"the Redis of `{name}`"] = partial(redis_ahead, place.url, now=now)
    return found | {url: partial(served_ahead, settings, url, seconds=3.0, now=now) for url in urls}


async def _ahead(ask: Ask) -> float | None:
    """Return how far a clock is ahead, `None` where it does not answer: that is another check's finding."""
    try:
        return await ask()
    except (LeadlineError, ImportError):
        return None


def _urls(settings: Settings) -> list[str]:
    places = [server.url for server in model_servers(settings)]
    places += [settings.tools.search, settings.tools.visit, settings.tools.scholar, settings.tools.python]
    places += [settings.server.url or LOCAL]
    return [place for place in dict.fromkeys(places) if place != LOCAL]
