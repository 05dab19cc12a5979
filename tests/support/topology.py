"""What `leadline up` starts, driven by its own commands: from a folder that other users' servers may pass through."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

PROGRAM = str(Path(sys.executable).with_name("leadline"))
DOCUMENT = b"# Skerryvore\n\nThe lighthouse at Skerryvore was first lit in 1844. It stands on a reef.\n"
DEADLINE = 240


@dataclass
class Result:
    code: int
    out: str
    err: str


@dataclass
class Machine:
    """A folder for all of it, and the variables that commands see."""

    folder: Path
    environment: dict[str, str]

    async def leadline(self, *words: str, **more: str) -> Result:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**self.environment, **more}
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())

    async def status(self) -> dict[str, Any]:
        found = await self.leadline("status", "--json")
        status: dict[str, Any] = json.loads(found.out)
        return status

    async def parts(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in (await self.status())["parts"]}

    def processes(self) -> list[psutil.Process]:
        """Return what runs from this folder or for it, wherever it was started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                named = " ".join(process.cmdline())
                around = process.environ()
                # Servers that are not ours have no setting of ours; a home they all have.
                lies = (around.get(name, "") for name in ("LEADLINE_DATA_DIR", "HOME"))
                here = str(self.folder) in named or any(one.startswith(str(self.folder)) for one in lies)
                if here and process.pid != os.getpid():
                    found.append(process)
        return found


@contextmanager
def passable() -> Iterator[Path]:
    """Yield a folder that the users of servers may pass through, which pytest's own are not."""
    name = Path(tempfile.mkdtemp(prefix="leadline-up-"))
    name.chmod(0o755)
    try:
        yield name
    finally:
        shutil.rmtree(name, ignore_errors=True)


@asynccontextmanager
async def machine(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Machine]:
    """Yield a machine on which nothing runs; what was started is ended, or killed."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "LEADLINE_DATA_DIR": str(folder / "data")}
    here = Machine(folder, {**own, **environment})
    try:
        yield here
    finally:
        await here.leadline("down")
        for process in await asyncio.to_thread(here.processes):
            process.kill()


def row(out: str, name: str) -> str:
    """Return what `leadline up` printed behind a name."""
    return next(line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith(f"{name} "))


async def uploaded(url: str, key: str, ca: str) -> str:
    """Put a document into a corpus by way of the balancer, and return the corpus once it can be searched."""
    context = ssl.create_default_context(cafile=ca)
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        async with session.post("/v1/corpora", json={"name": "papers"}) as reply:
            assert reply.status == 201, await reply.text()
            corpus: str = (await reply.json())["id"]
        async with session.put(f"/v1/corpora/{corpus}/documents/lights.md", data=DOCUMENT) as reply:
            assert reply.status in {200, 201, 202}, await reply.text()
        left = 1
        while left:
            async with session.get(f"/v1/corpora/{corpus}") as reply:
                found = await reply.json()
            left = found["queued"] + found["reading"]
            await asyncio.sleep(0.2)
        return corpus


async def restarted(here: Machine, names: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Wait until parts answer in processes other than those."""
    async with asyncio.timeout(DEADLINE):
        while True:
            parts = await here.parts()
            if all(parts[name]["state"] == "ready" and parts[name]["pid"] != pid for name, pid in names.items()):
                return parts
            await asyncio.sleep(0.2)
