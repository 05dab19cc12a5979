"""A service, and the program that asks it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.remote_cli import Program, Told
from tests.support.service import Running, small_service

from leadline.cli.main import main
from leadline.ports.access import Role


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with small_service(tmp_path / "service", {}) as running:
        yield running


@pytest.fixture
async def here(running: Running, tmp_path: Path) -> dict[str, str]:
    """Return the settings by which the program asks the service, as an administrator of a tenant."""
    return {
        "LEADLINE_DATA_DIR": str(tmp_path / "here"),
        "LEADLINE_SERVER__KEY": await running.key("acme", Role.ADMIN),
        "LEADLINE_SERVER__URL": running.url,
    }


@pytest.fixture
def program(here: dict[str, str], tmp_path: Path) -> Program:
    """Return a caller of the program as a process of its own: it takes signals, so it needs a main thread."""

    async def run(*arguments: str) -> Told:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "leadline",
            *arguments,
            cwd=tmp_path,
            env={**os.environ, **here},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(50):
            out, err = await process.communicate()
        return Told(process.returncode or 0, out.decode(), err.decode())

    return run


@pytest.fixture
def leadline(
    here: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Program:
    """Return a caller of the program in a thread of this process."""
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    async def run(*arguments: str) -> Told:
        capsys.readouterr()
        code = await asyncio.to_thread(main, arguments)
        out, err = capsys.readouterr()
        return Told(code, out, err)

    return run
