"""The built wheel in an empty environment, without extras and with each of them alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from leadline.version import __version__

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

# What an extra is for: it works with the extra, and without it names it.
USES = {
    "server": "import leadline.service.app, leadline.accounts.database, leadline.accounts.sealing",
    "redis": "import leadline.cache.redis, leadline.limits.redis, leadline.eventlog.redis_stream",
    "postgres": "import leadline.tasks.postgres, leadline.tasks.postgres.migrate, leadline.accounts.migrations",
    "celery": "import leadline.tasks.tickets.broker, leadline.cache.redis",
    "s3": "from leadline.blobs.s3_place import Bucket; Bucket(name='b', endpoint='http://127.0.0.1:1').open()",
    "kafka": "import leadline.eventlog.kafka; from confluent_kafka import Producer",
    "office": "import leadline.render.docx, leadline.render.pdf, uharfbuzz",
    "browser": "import leadline.fetch.browser; import playwright.async_api",
    "ddgs": "import leadline.search.web.ddgs; import ddgs",
    "mcp": "import leadline.service.mcp.server; import mcp",
    "vectors": "import leadline.search.corpus_vectors; import numpy",
    "otel": "import leadline.telemetry.otlp; import opentelemetry.sdk.trace",
    "all": "import leadline.service.app, leadline.tasks.postgres, leadline.render.pdf",
}
TYPED = """
import leadline

async def ask() -> str:
    async with leadline.Leadline() as engine:
        reveal_type(engine)
        return leadline.__version__
"""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900), pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run([sys.executable, *words], check=True)
    (found,) = folder.glob("*.whl")
    return found


class Environment:
    """A fresh environment with the wheel; nothing of this one is in it."""

    def __init__(self, folder: Path, wheel: Path, *, extra: str = "") -> None:
        self.folder = folder
        self._bin = folder / "venv" / "bin"
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        what = f"leadline[{extra}] @ {wheel.as_uri()}" if extra else f"leadline @ {wheel.as_uri()}"
        locks = ["--constraint", str(ROOT / "requirements" / "dev.lock")]
        self.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *locks, what)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, away from the tree."""
        known = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        return subprocess.run(
            [str(self._bin / words[0]), *words[1:]],
            cwd=self.folder,
            env={**known, "HOME": str(self.folder), "PATH": f"{self._bin}:/usr/bin:/bin", "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
        )


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("bare"), wheel)


def test_every_extra_is_tried() -> None:
    assert set(USES) == set(EXTRAS)


def test_without_extras_a_question_is_answered_and_verified(bare: Environment) -> None:
    assert bare.run("leadline", "--version").stdout.strip() == f"leadline {__version__}"
    asked = bare.run(
        *("leadline", "ask", "When was the Challenger expedition?", "--docs", str(ROOT / "examples" / "corpus"))
    )
    assert "187" in asked.stdout
    assert "[1]" in asked.stdout
    assert bare.run("leadline", "verify", "last").returncode == 0
    bare.run("leadline", "backup", str(bare.folder / "copies"))
    restored = bare.run("leadline", "restore", str(bare.folder / "copies"), "--data-dir", str(bare.folder / "again"))
    assert "all as they were" in restored.stdout


def test_nothing_but_what_is_asked_for_is_installed(bare: Environment) -> None:
    listed = bare.run("python", "-m", "pip", "list", "--format", "freeze").stdout
    installed = {
        re.sub(r"[._]", "-", name.lower()) for name in re.findall(r"^([A-Za-z0-9._-]+)(?:==| @)", listed, re.MULTILINE)
    }
    text = (ROOT / "requirements" / "base.lock").read_text(encoding="utf-8")
    locked = {re.sub(r"[._]", "-", name.lower()) for name in re.findall(r"^(\S+)==", text, re.MULTILINE)}
    assert installed - {"pip", "setuptools", "leadline"} <= locked


def test_a_missing_extra_names_its_command(bare: Environment) -> None:
    done = bare.run("leadline", "serve", check=False)
    assert done.returncode == 3
    assert "pip install 'leadline[server]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_types_reach_who_imports_it(bare: Environment) -> None:
    (bare.folder / "typed.py").write_text(TYPED)
    words = ["-m", "mypy", "--strict", "--python-executable", str(bare.folder / "venv" / "bin" / "python")]
    done = subprocess.run(
        [sys.executable, *words, "--cache-dir", str(bare.folder / "cache"), "typed.py"],
        cwd=bare.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert 'Revealed type is "leadline.api.engine.Leadline"' in done.stdout


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_an_extra_works_alone(wheel: Path, tmp_path: Path, extra: str) -> None:
    environment = Environment(tmp_path, wheel, extra=extra)
    environment.run("python", "-c", USES[extra])
    assert environment.run("leadline", "--version").stdout.strip() == f"leadline {__version__}"
    assert environment.run("python", "-m", "pip", "check").returncode == 0
