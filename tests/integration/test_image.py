"""The image: built in its two stages, and run as it is meant to be, without rights, network or a root to write to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.images import BASE, EXTRAS, ROOT, Store, base_archive, wheels

pytestmark = [
    pytest.mark.server("images"),
    pytest.mark.soak,
    pytest.mark.xdist_group("images"),
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.geteuid() != 0, reason="a base is built by debootstrap, which needs root"),
]

IMAGE = "localhost/leadline:tests"
LIT = "The lighthouse at Skerryvore was first lit in 1844."
SERVED = """
leadline serve --port 8000 &
exec python3 -c '
import time, urllib.request as r
for _ in range(600):
    try:
        print(r.urlopen("http://127.0.0.1:8000/readyz", timeout=2).status)
        break
    except OSError:
        time.sleep(0.1)
'
"""


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    folder = Path(tempfile.mkdtemp(prefix="leadline-images-"))
    made = Store(folder)
    context = folder / "context"
    context.mkdir()
    shutil.copy(base_archive(), context / "base.tar")
    (context / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n", "utf-8")
    try:
        made.buildah("build", "--isolation", "chroot", "--tag", BASE, str(context))
        shutil.rmtree(context)
        given = {
            "BASE": f"localhost/{BASE}",
            "EXTRAS": ",".join(EXTRAS),
            "PIP_FIND_LINKS": "/wheels",
            "PIP_NO_INDEX": "1",
        }
        words = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
        words += ["--volume", f"{wheels()}:/wheels:ro", "--file", str(ROOT / "deploy" / "docker" / "Dockerfile")]
        made.buildah("build", "--isolation", "chroot", *words, "--tag", IMAGE, str(ROOT))
        yield made
    finally:
        made.remove()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_runs_as_nobody_on_a_root_that_cannot_be_written(store: Store) -> None:
    told = store.run(IMAGE, "-c", "id -u; touch /x || echo closed; command -v pip", options=["--entrypoint", "sh"])
    assert told.stdout.split() == ["10001", "closed"], told.stderr
    version = store.run(IMAGE, "--version")
    assert (version.returncode, version.stdout.startswith("leadline ")) == (0, True), version.stderr


def test_it_answers_a_question_over_documents(store: Store) -> None:
    documents = Path(tempfile.mkdtemp(prefix="leadline-docs-"))
    try:
        documents.chmod(0o755)
        (documents / "lights.md").write_text(f"# Lights\n\n{LIT}\n", "utf-8")
        (documents / "lights.md").chmod(0o644)
        options = ["--volume", f"{documents}:/docs:ro"]
        question = "When was the lighthouse at Skerryvore first lit?"
        report = store.run(IMAGE, "ask", question, "--docs", "/docs", options=options)
        assert (report.returncode, LIT in report.stdout) == (0, True), report.stderr
    finally:
        shutil.rmtree(documents)


def test_it_serves_and_says_that_it_is_ready(store: Store) -> None:
    told = store.run(IMAGE, "-c", SERVED, options=["--entrypoint", "sh"])
    assert told.stdout.split()[-1] == "200", told.stdout + told.stderr
