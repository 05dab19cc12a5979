"""Images without a registry: a base from Debian's packages, wheels from the package index, buildah and podman over them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".servers" / "image"
"""What takes minutes to fetch and is the same each time."""

BASE = "leadline-base:tests"
EXTRAS = ("server", "postgres", "redis", "celery", "s3")
PACKAGES = "python3,python3-venv,ca-certificates"
DEBIAN = "bookworm"


@dataclass(frozen=True)
class Store:
    """Where images and containers of a test lie."""

    folder: Path

    def buildah(self, *words: str) -> str:
        return _run("buildah", *self._where(), *words)

    def run(self, image: str, *words: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a container as it is meant to be: read-only, without rights, without a network."""
        bounds = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--memory", "1g")
        hardened = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
        place = (
            "--rm",
            "--pull=never",
            "--runtime",
            "/usr/sbin/runc",
            "--tmpfs",
            "/tmp",
        )  # crun fails on mixed cgroups
        return subprocess.run(
            ["podman", *self._where(), "run", *place, *bounds, *hardened, *options, image, *words],
            capture_output=True,
            text=True,
            check=False,
        )

    def remove(self) -> None:
        """Take all of it away, what is mounted included."""
        self.buildah("rm", "--all")
        self.buildah("rmi", "--all", "--force")

    def _where(self) -> tuple[str, ...]:
        return (
            "--root",
            str(self.folder / "store"),
            "--runroot",
            str(self.folder / "run"),
            "--storage-driver",
            "overlay",
        )


def base_archive() -> Path:
    """Return a Debian with Python, as an archive; fetched once."""
    archive = KEPT / "base.tar"
    if not archive.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        system = KEPT / "system"
        _run("rm", "-rf", str(system))
        _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(system), _mirror())
        new = KEPT / "base.new"
        bare = ("--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*")
        _run("tar", "-C", str(system), *bare, "-cf", str(new), ".")
        _run("rm", "-rf", str(system))
        new.replace(archive)
    return archive


def wheels() -> Path:
    """Return a folder with every wheel that the image needs; what is there already is not fetched again."""
    folder = KEPT / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted = [need for extra in EXTRAS for need in project[extra] if not need.startswith("leadline[")]
    # Debian's Python is 3.11.2, for which redis needs one package more than for later ones.
    wanted += ["async-timeout"]
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", str(folder))
    locks = ("-r", "requirements/base.lock", "-r", "requirements/build.lock")
    _run(*pip, *locks, cwd=ROOT)
    _run(*pip, "--constraint", "requirements/dev.lock", *wanted, cwd=ROOT)
    return folder


def _mirror() -> str:
    """Return the mirror that this machine's own packages come from."""
    texts = [path.read_text("utf-8") for path in Path("/etc/apt").rglob("*") if path.suffix in {".list", ".sources"}]
    found = re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(\S+)", "\n".join(texts), re.MULTILINE)
    assert found is not None, "no mirror in the sources of apt"
    return found[1]


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, f"{words[0]} failed: {(done.stdout + done.stderr)[-3000:]}"
    return done.stdout
