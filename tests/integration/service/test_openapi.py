"""The OpenAPI document against the service, by schemathesis: what it says is what is done."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from tests.support.service import small_service

from leadline.ports.access import Role

PROGRAM = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 3
"""Requests that are made up for each operation and way, beside those at the edges of what is described."""

CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501", "503"]
"""
"""A service without sandbox and without the world says 501 and 503, as its document has it."""


@pytest.mark.parametrize(
    "phase", [pytest.param("fuzzing", marks=pytest.mark.slow), pytest.param("coverage", marks=pytest.mark.soak)]
)
@pytest.mark.timeout(600)
async def test_the_document_is_true(phase: str, tmp_path: Path) -> None:
    flags = {"budget__seconds": "5", "admission__key_runs": "5"}
    async with small_service(tmp_path / "data", flags) as service:
        key = await service.key("acme", Role.ADMIN)
        document = tmp_path / "openapi.json"
        await asyncio.to_thread(document.write_text, json.dumps(service.api.openapi()), encoding="utf-8")
        await asyncio.to_thread((tmp_path / "schemathesis.toml").write_text, CONFIG, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(
                PROGRAM,
                "--config-file",
                tmp_path / "schemathesis.toml",
                "run",
                document,
                "--url",
                service.url,
                "--header",
                f"Authorization: Bearer {key}",
            ),
            *("--phases", phase, "--max-examples", str(EXAMPLES)),
            *("--seed", "1", "--generation-deterministic", "--no-color", "--suppress-health-check", "all"),
            *("--exclude-checks", "positive_data_acceptance"),  # what fits the form may still make no sense: 400
            *("--request-timeout", "20", "--max-failures", "20"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_PROXY": "*"},
            cwd=tmp_path,
        )
        told, _ = await process.communicate()
        assert process.returncode == 0, told.decode()
