"""Snippets of the pages, typed in an empty home beside a real service: they work, and print what the page shows.

Each block of `sh`, `console` and `python` is run here, or is named with the reason why not.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fpdf import FPDF
from tests.support.postgres import Postgres
from tests.support.service import PAGES as WEB
from tests.support.service import Running, small_service

from leadline.ports.access import Role
from leadline.testing import Reply, Rule, ScriptedServer, SmallWeb

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("leadline")
SECONDS = 60.0
SERVICE = "https://research.example.org"
BLOCK = re.compile(r"^( *)```(sh|console|python)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
SERVES = re.compile(r"leadline (serve(?! *&)|serve-tool|worker|serve-models)\b(?!.*--new-key)")
NOTE = "The lighthouse was first lit in 1844. The sill is 40 metres deep. The cache was added in 2021."
FREE = {"serve": "--port 0", "serve-tool": "--port 0", "serve-models": "--port 0", "worker": ""}

ELSEWHERE = {
    "alerts": "tests/docs/test_alerts.py",
    "backup": "tests/docs/test_console.py",
    "guide/library": "tests/docs/test_guides.py",
    "operations": "tests/e2e/test_up.py, on a topology that is up",
}
"""Pages whose blocks other tests run."""

LEFT = {
    "README": {
        "make ask     #": "builds an environment from the package index",
        "make ask Q=": "builds an environment from the package index",
        'leadline ask "When did the Trieste': "tests/docs/test_readme.py compares it whole",
        "import leadline": "tests/docs/test_readme.py",
    },
    "deployment": {
        "leadline serve": "the service is started by the block of service.md, the rest by tests/e2e/test_up.py",
        "cd deploy/compose": "needs containers; tests/docs/test_deploy_manifests.py judges the files",
        "docker build": "needs containers; tests/integration/test_image.py builds where there are",
        "docker compose": "needs containers; tests/docs/test_deploy_manifests.py judges the file",
        "systemd-run --pipe": "needs systemd; tests/docs/test_deploy_starts.py judges the units",
        "kubectl create": "needs a cluster; tests/docs/test_deploy_manifests.py judges the manifests",
    },
    "models": {"leadline pool list": "tests/e2e/test_runbooks.py types them at a gateway that is up"},
    "platform": {"pip install 'leadline[celery]'": "its sentinels are three servers: tests/integration have them"},
}
"""Blocks that are not run here, by how they begin, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Block:
    page: str
    kind: str
    text: str

    @property
    def begins(self) -> str:
        return self.text.removeprefix("$ ").partition("\n")[0]

    def __str__(self) -> str:
        return f"{self.page}: {self.begins[:40]}"

    def steps(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each command with the lines that are shown as its output."""
        joined = re.sub(r"\\\n *", "", self.text)
        step: tuple[str, list[str]] | None = None
        for line in filter(str.strip, joined.splitlines()):
            if self.kind == "sh" or line.startswith("$ "):
                if step is not None:
                    yield step
                step = (line.removeprefix("$ "), [])
            elif step is not None:
                step[1].append(line)
        if step is not None:
            yield step


def blocks() -> Iterator[Block]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        page = str(path.relative_to(ROOT if path.parent == ROOT else ROOT / "docs").with_suffix(""))
        for indent, kind, text in BLOCK.findall(path.read_text("utf-8")):
            yield Block(page=page, kind=kind, text=re.sub(f"^{indent}", "", text, flags=re.MULTILINE))


def is_left(block: Block) -> bool:
    return any(block.begins.startswith(begins) for begins in LEFT.get(block.page, ()))


RUN = [block for block in blocks() if block.page not in ELSEWHERE and not is_left(block)]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a block needs: `swaps` are words of it and what they are here, `may` the exit codes, `first` what it follows.

    `{model}` and `{store}` stand for the addresses of servers, `served` is where the page has what a block serves.
    """

    swaps: Mapping[str, str] = field(default_factory=dict)
    may: frozenset[int] = frozenset({0})
    model: bool = False
    first: str = ""
    served: str = ""
    setting: Mapping[str, str] = field(default_factory=dict)


FAULTS = frozenset({0, 13})
"""What examines a machine finds faults in this one."""

CASES: Mapping[str, Case] = {
    "diagnosis: leadline doctor": Case(may=FAULTS),
    "diagnosis: leadline preflight": Case(
        may=FAULTS, swaps={" --try-alert": "", "leadline preflight --ask": "leadline preflight"}
    ),
    "evaluation: leadline eval": Case(
        model=True,
        setting={"MODEL__FREE": "true"},
        swaps={"eval examples/questions.jsonl": "eval questions.jsonl"},  # tests/quality ask all of them
    ),
    "README: export": Case(swaps={"http://127.0.0.1:8000/v1": "{model}"}),
    "eventlog: leadline ship": Case(
        first='leadline ask "When was the cache added?" --docs docs', setting={"EVENT_LOG": "jsonl://"}
    ),
    "models: leadline serve-models": Case(model=True, swaps={"/etc/leadline/tenants.toml": "tenants.toml"}),
    "platform: pip install": Case(
        swaps={
            "postgresql://leadline:PASSWORD@db.example:5432/leadline?sslmode=verify-full&sslrootcert=/etc/leadline/ca.pem": (
                "{store}"
            )
        }
    ),
    "tenancy: export": Case(first="leadline tenants create acme"),
    "tools: export LEADLINE_SEARCH": Case(
        setting={"SEARCH__SERPER__API_KEYS": "one", "SEARCH__BRAVE__API_KEYS": "two"}
    ),
    "tools: export LEADLINE_TOOLS__KEY": Case(served="http://reader.internal:8002"),
    "upgrade": Case(first="leadline migrate up", setting={"STORE": "{store}"}),
}


def case_of(block: Block) -> Case:
    return next((case for name, case in CASES.items() if str(block).startswith(name)), Case())


@dataclass
class Shell:
    """A shell in a home of a block's own: what it exports stays, what it serves is ended with it."""

    home: Path
    environment: dict[str, str]
    swaps: dict[str, str]
    warm: Path
    before: str = ""
    said: list[str] = field(default_factory=list)
    serving: list[asyncio.subprocess.Process] = field(default_factory=list)

    def here(self, line: str) -> str:
        """Return a line with names of the page as they are here."""
        for name, value in self.swaps.items():
            line = line.replace(name, value)
        return line

    async def _begin(self, line: str, *, program: Path, stderr: int = subprocess.PIPE) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *("bash", "-c", f"{self.before}{line}"),
            cwd=self.home,
            env={"PATH": f"{program.parent}:/usr/bin:/bin", **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )

    async def run(self, words: str) -> tuple[int, str, str]:
        """Run a command to its end; a line that only sets a variable holds for what follows."""
        line = self.here(words)
        if re.fullmatch(r"(export )?[A-Z_]+=('[^']*'|\$\([^)]*\)|\S*)( +#.*)?", line):
            self.before += f"export {line.removeprefix('export ')}\n"
            return 0, "", ""
        process = await self._begin(line, program=self.warm)
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def serve(self, words: str) -> str:
        """Start what serves, and return the first line that it says: its address, where it has one."""
        command = self.here(words).partition("  #")[0]
        kind = SERVES.search(command)
        assert kind is not None
        name = kind[1].split()[0]
        free = f"{re.sub(r' --port [0-9]+', '', command)} {FREE[name]}"
        process = await self._begin(free, program=PROGRAM, stderr=subprocess.STDOUT)
        self.serving.append(process)
        assert process.stdout is not None
        line, said = "-", ""
        async with asyncio.timeout(SECONDS):
            while line and not re.search(r"^http|\bat http|^takes", line):
                line = (await process.stdout.readline()).decode()
                said += line
        assert line, (words, said)
        return line.strip()

    def learn(self, shown: list[str], out: str) -> None:
        """Take the id that a page shows for the one that was given here."""
        made = re.match(r'{"id":"(r\w+)"', out)
        if made is not None:
            self.swaps["r..."] = made[1]
        elif len(shown) == 1 and " " not in shown[0]:
            self.swaps[shown[0]] = out.strip()

    async def end(self) -> None:
        """End what serves; it ends well."""
        for process in self.serving:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGTERM)
            out, _ = await asyncio.wait_for(process.communicate(), SECONDS)
            assert process.returncode in {0, -signal.SIGTERM, 143}, out.decode()


@dataclass
class World:
    """A service with an admin's key, a small web, a model, and the servers that there are."""

    service: Running
    web: SmallWeb
    model: str
    postgres: Postgres
    folder: Path
    warm: Path

    async def shell(self, block: Block) -> Shell:
        """Return a shell in an empty home with the files that pages speak of, and a tenant of its own at the service."""
        case, number = case_of(block), RUN.index(block)
        home, key = self.folder / f"{number:02}", await self.service.key(f"tenant{number}", Role.ADMIN)
        wants = "{store}" in f"{case.swaps}{case.setting}"
        store = await asyncio.to_thread(lambda: self.postgres.url(self.postgres.database())) if wants else ""

        def filled(value: str) -> str:
            return value.replace("{model}", self.model).replace("{store}", store)

        _furnish(home)
        environment = {
            "HOME": str(home),
            "PYTHONUTF8": "1",
            "LEADLINE_SANDBOX": "off",
            "LEADLINE_SERVER__KEY": key,
            **self.web.environment,
            **({"LEADLINE_MODEL__URLS": self.model, "LEADLINE_MODEL__NAME": "scripted"} if case.model else {}),
            **{f"LEADLINE_{name}": filled(value) for name, value in case.setting.items()},
        }
        swaps = {
            **{name: filled(value) for name, value in case.swaps.items()},
            SERVICE: self.service.url,
            "https://leadline.example/": f"{self.service.url}/",
            "ll_...": key,
            "https://example.org/changes.html": f"http://127.0.0.1:{self.web.port}/skerryvore",
            "en.wikipedia.org": "127.0.0.1",
            "/backup/leadline": str(home / "copies"),
        }
        return Shell(home=home, environment=environment, swaps=swaps, warm=self.warm)


def _furnish(home: Path) -> None:
    for name in ("docs", "papers", "pdfs"):
        (home / name).mkdir(parents=True)
    for name in ("docs/notes.md", "papers/notes.md", "notes.md"):
        (home / name).write_text(NOTE, encoding="utf-8")
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica")
    pdf.cell(text=NOTE[:70])
    pdf.output(str(home / "pdfs" / "sill.pdf"))
    (home / "key.txt").write_text("a-providers-own-key\n", encoding="utf-8")
    (home / "queries.txt").write_text("lighthouse\n", encoding="utf-8")
    (home / "examples").symlink_to(ROOT / "examples")
    asked = (ROOT / "examples" / "questions.jsonl").read_text("utf-8")
    (home / "questions.jsonl").write_text(asked.partition("\n")[0] + "\n", encoding="utf-8")
    (home / "tenants.toml").write_text(f'[apps]\nkeys = ["{"0" * 64}"]\n', encoding="utf-8")


@pytest.fixture
async def world(tmp_path: Path, postgres: Postgres, warm: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(small_service(tmp_path / "service", {}))
        web = await stack.enter_async_context(SmallWeb(WEB))
        model = await stack.enter_async_context(ScriptedServer([Rule(reply=Reply(text="It was lit in 1844."))]))
        yield World(service=service, web=web, model=model.url, postgres=postgres, folder=tmp_path, warm=warm)


def matches(shown: list[str], out: str) -> bool:
    """Return whether what was printed is what is shown: ids, numbers and what stands for `...` may differ."""
    wanted, found = (re.sub(r"(?<=[,:])\s+", "", text.strip()) for text in ("\n".join(shown), out))
    pattern = re.escape(wanted).replace(re.escape("..."), ".*")
    pattern = re.sub(
        r"(?<![0-9A-Za-z])(?=[0-9a-f]*\d)(?:[0-9a-f]{4,}|\d+(?:\\\.\d+)?)(?![0-9A-Za-z])", r"[0-9a-f.]+", pattern
    )
    return re.search(pattern, found, re.DOTALL) is not None


async def check(world: World, block: Block) -> None:
    """Run a block: each command ends as it should, and prints what is shown."""
    shell, case = await world.shell(block), case_of(block)
    if case.first:
        code, _, err = await shell.run(case.first)
        assert code == 0, err
    if block.kind == "python":
        done = await shell.run(f"{sys.executable} - <<'END'\n{shell.here(block.text)}\nEND")
        assert done[0] == 0, (str(block), done)
        return
    try:
        for words, shown in block.steps():
            await check_step(shell, case, words=words, shown=shown)
        if block.kind == "sh" and shell.before:  # what is only set is taken
            code, _, err = await shell.run("leadline settings")
            assert code == 0, (str(block), err)
    finally:
        await shell.end()


async def check_step(shell: Shell, case: Case, *, words: str, shown: list[str]) -> None:
    """Run a command and look at its end; what serves goes on, at an address of its own."""
    if words.startswith("pip install"):
        return
    if SERVES.search(words):
        said = await shell.serve(words)
        address = shown[0] if shown and shown[0].startswith("http") else case.served
        if address:
            assert said.startswith("http"), (words, said)
            shell.swaps[address] = said.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 what it listens to
        elif shown:
            assert matches(shown[:1], said), (words, said)
        return
    code, out, err = await shell.run(words)
    assert code in case.may, (words, code, out, err)
    assert not shown or matches(shown, out), (words, out, err)
    shell.learn(shown, out)


def test_each_page_that_is_run_elsewhere_and_each_block_that_is_left_is_there() -> None:
    there = list(blocks())
    assert ELSEWHERE.keys() <= {block.page for block in there}
    for page, begins in LEFT.items():
        for start in begins:
            assert any(block.page == page and block.begins.startswith(start) for block in there), (page, start)
    assert [name for name in CASES if not any(str(block).startswith(name) for block in RUN)] == []
    assert len(RUN) > 25


@pytest.mark.server("postgres")
@pytest.mark.timeout(300)
@pytest.mark.blocking("lays out homes between commands, which are processes of their own")
@pytest.mark.xdist_group("snippets")
async def test_snippets_do_what_their_pages_say(world: World) -> None:
    places, found = asyncio.Semaphore(3), list[str]()

    async def one(block: Block) -> None:
        async with places:
            try:
                await check(world, block)
            except (AssertionError, TimeoutError) as error:
                found.append(f"{block}: {error}")

    await asyncio.gather(*(one(block) for block in RUN))
    assert not found, "\n".join(found)
