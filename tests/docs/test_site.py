"""The documentation as a site: it builds without a warning, one that is wrong does not; workflows are sound."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def built(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    words = [str(BIN / "mkdocs"), "build", "--strict", "--site-dir", str(out)]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_site_builds_with_every_page(tmp_path: Path) -> None:
    done = built(ROOT, tmp_path / "site")
    assert (done.returncode, done.stderr.count("WARNING")) == (0, 0), done.stderr
    front = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if path.name != "template.md"]
    missing = [page for page in pages if page.name != "index.md" and f'href="{page.with_suffix(".html")}"' not in front]
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("link", ["[gone](nowhere.md)", "[gone](backup.md#no-such-part)", "[gone](/absolute.md)"])
def test_a_link_that_leads_nowhere_fails_it(tmp_path: Path, link: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copy(ROOT / "scripts" / "docs_site.py", tmp_path / "scripts")
    (tmp_path / "docs" / "index.md").write_text("# Front\n\n[back](backup.md#one)\n")
    (tmp_path / "docs" / "backup.md").write_text("# Backup\n\n## One\n")
    assert built(tmp_path, tmp_path / "site").returncode == 0
    (tmp_path / "docs" / "index.md").write_text(f"# Front\n\n{link}\n")
    assert built(tmp_path, tmp_path / "site").returncode != 0


def test_workflows_pass_their_linter_and_call_what_there_is() -> None:
    folder = ROOT / ".github" / "workflows"
    words = [str(BIN / "zizmor"), "--offline", "--persona", "pedantic", "--no-progress", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    runs = [
        step["run"]
        for path in folder.glob("*.yml")
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    assert runs
    for run in runs:
        assert run.split()[0] == "make"
        assert f"\n{run.split()[1]}:" in makefile
