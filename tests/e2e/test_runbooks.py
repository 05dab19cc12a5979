"""Runbooks as an operator follows them: each command is typed, those of a fault while the fault is there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from tests.support.models import free_port
from tests.support.topology import DEADLINE, DOCUMENT, PROGRAM, Machine, Result, machine, passable, row

from leadline.client import AsyncClient
from leadline.testing import Reply, Rule, ScriptedServer

pytestmark = [
    pytest.mark.soak,
    pytest.mark.server("nginx"),
    pytest.mark.server("postgres"),
    pytest.mark.server("redis"),
    pytest.mark.server("prometheus"),
    pytest.mark.server("alertmanager"),
    pytest.mark.xdist_group("up"),
    pytest.mark.blocking("looks at files between commands, while nothing else runs"),
]

ROOT = Path(__file__).resolve().parents[2]
PAGES = {page.stem: page.read_text("utf-8") for page in sorted((ROOT / "docs" / "runbooks").glob("*.md"))}
QUESTION = "When was the lighthouse at Skerryvore first lit?"
TYPED = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:leadline|redis-cli|promtool|amtool|pg_isready|free|du|ps) [^`]+)`")
SERVES = ("leadline worker", "leadline serve-models", "leadline serve-tool")
"""What goes on until it is ended: it is, once it says that it serves."""

SUPERVISES = ("leadline up", "leadline status", "leadline logs", "leadline start")
"""What is typed where `leadline up` was, without the settings of the topology."""

LEFT = {
    "leadline ask": "the command is named, not typed: a question comes with it",
    "leadline eval": "the command is named: it takes a file of questions",
    "leadline init": "asks a person; tests/integration/cli/test_init.py answers it",
    "leadline doctor --only tool_servers": "there are no tool servers of others here: the check is not set",
    "redis-cli config set maxmemory 1gb": "changes a server that others share, by a port that is not its own here",
    "redis-cli llen leadline.tickets": "asks the port of a machine that has Redis alone; `-u URL` is tried",
}
"""Commands that are not run, with the reason."""

CHANGES = {"leadline resume RUN", "leadline finish RUN", "leadline cancel RUN"}
"""What is typed for a run that has not ended."""

DIAGNOSES = {"leadline doctor": {0, 13}, "leadline preflight": {0, 13}}
"""What may be: a fault that is found."""

WRONG = ("No such command", "No such option", "no log of", "Traceback", "this is a fault of leadline")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Parts that are kept down, the runbooks that are followed meanwhile, and what ends otherwise than well then."""

    parts: tuple[str, ...]
    pages: tuple[str, ...]
    broken: tuple[str, ...]
    """Commands that must say that something is broken (exit code 13)."""
    fails: Mapping[str, int] = field(default_factory=dict)
    redis: str = "$LEADLINE_CACHE"
    """What stands for the URL of the Redis that a page is about."""


FAULTS = (
    Fault(
        parts=("redis-queue",),
        pages=("broker-down", "limits-down"),
        broken=("leadline doctor --only broker", "leadline doctor --only limits", "leadline status"),
        fails={"redis-cli -u URL ping": 1},
        redis="${LEADLINE_ENGINE#celery+}",
    ),
    Fault(
        parts=("redis-cache",),
        pages=("cache-down",),
        broken=("leadline doctor --only cache",),
        fails={"redis-cli -u URL ping": 1, "redis-cli -u URL info memory": 1, "leadline cache stats": 6},
    ),
    Fault(
        parts=("postgres",),
        pages=("store-down",),
        broken=("leadline doctor --only store",),
        fails={"leadline gc": 6, "pg_isready": 2},
    ),
    Fault(
        parts=("models",),
        pages=("no-model-service", "model-service-down"),
        broken=("leadline doctor --only model_service",),
    ),
    Fault(
        parts=("tool-search",),
        pages=("part-broken", "tool-call-failures", "provider-holds"),
        broken=("leadline doctor --only tool_services",),
    ),
    Fault(
        parts=("worker-1", "worker-2"),
        pages=("no-workers", "queue-age", "queue-stalled", "stuck-leases", "target-down", "high-latency"),
        broken=("leadline status",),
    ),
)


def typed(name: str) -> Iterator[str]:
    """Yield what a runbook has its reader type."""
    text = re.sub(r"```.*?```", "", PAGES[name], flags=re.DOTALL)
    for span in TYPED.findall(text):
        yield " ".join(span.split())


@dataclass
class Console:
    """Where the commands are typed: under the settings of what is up."""

    here: Machine
    up: str
    client: AsyncClient
    values: dict[str, str]
    environment: dict[str, str]
    ran: set[str] = field(default_factory=set)
    redis: str = "$LEADLINE_CACHE"

    async def type(self, command: str) -> Result:
        """Run a command as it stands in a runbook, its placeholders filled in."""
        self.ran.add(command)
        async with self._without_workers(command in CHANGES):
            return await self._typed(command)

    @asynccontextmanager
    async def _without_workers(self, wanted: bool) -> AsyncIterator[None]:
        """Keep workers down meanwhile where it is wanted: a busy machine's end a run before a command gets at it."""
        found = (await self.here.parts()).items() if wanted else ()
        running = [name for name, part in found if name.startswith("worker-") and part["state"] != "held"]
        if running:
            stopped = await self.here.leadline("stop", *running)
            assert stopped.code == 0, stopped
        yield
        if running:
            started = await self.here.leadline("start", *running)
            assert started.code == 0, started

    async def _typed(self, command: str) -> Result:
        line = self._filled(command)
        for name, value in {**self.values, "RUN": await self._run_for(command)}.items():
            line = re.sub(rf"(?<![\w-]){name}(?![\w-])", value, line)
        script = f"exec {_env(line)}"
        if not command.startswith(SUPERVISES):
            script = f"set -a; . {shlex.quote(row(self.up, 'settings'))}; . extra.env; set +a; {script}"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=self.here.folder,
        )
        if command.startswith(SERVES):
            return await _served(process)
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())

    async def _run_for(self, command: str) -> str:
        """Return the run that a command is typed for: one that waits, where the command changes it."""
        if command in CHANGES:
            return (await self.client.start(QUESTION, web=True, strategy="extractive")).id
        return self.values["RUN"]

    def _filled(self, line: str) -> str:
        """Name what is a file or an address of a server here."""
        if line.startswith("redis-cli"):
            return line.replace("-u URL", f'-u "{self.redis}"')
        if line.startswith("leadline worker"):
            return line.replace("N", "2")
        if line == "leadline support-bundle --log FILE":
            return f"{line} --output second.zip"  # the first one, without a log, is not written over
        if line.startswith("leadline sandbox"):
            return f"LEADLINE_SANDBOX=auto {line}"  # which is off here, so that what is up starts sooner
        if line.startswith("promtool"):
            return line.replace("prometheus.yml", str(self.here.folder / "data/up/prometheus/prometheus.yml"))
        if line.startswith("amtool alert"):
            return f"{line} --alertmanager.url={row(self.up, 'alertmanager')}"
        if line.startswith("amtool"):
            return line.replace("alertmanager.yml", str(self.here.folder / "data/up/alertmanager/alertmanager.yml"))
        return line

    async def check(self, command: str, *, fault: Fault | None = None) -> None:
        """A command ends as is written, and never because there is no such thing."""
        done = await self.type(command)
        start = next((name for name in DIAGNOSES if command.startswith(name)), command)
        may = DIAGNOSES.get(start, {0})
        if fault is not None and command in fault.broken:
            may = {13}
        elif fault is not None and command in fault.fails:
            may = {fault.fails[command]}
        elif fault is not None and command == "leadline status":
            may = {13}
        assert done.code in may, (command, done)
        assert not any(word in done.err for word in WRONG), (command, done)


def _env(line: str) -> str:
    """Return a command so that `exec` takes it with the variables before it."""
    return f"env {line}" if re.match(r"[A-Z_]+=", line) else line


async def _served(process: asyncio.subprocess.Process) -> Result:
    """Wait until a server says that it serves, and end it."""
    assert process.stdout is not None
    assert process.stderr is not None
    said = [asyncio.create_task(stream.readline()) for stream in (process.stdout, process.stderr)]
    done, _ = await asyncio.wait(said, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
    assert any(task.result() for task in done), "it said nothing"
    for task in said:
        task.cancel()
    await asyncio.gather(*said, return_exceptions=True)
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode in {0, -signal.SIGTERM}, err
    return Result(0, out.decode(), err.decode())


@pytest.fixture
def folder() -> Iterator[Path]:
    with passable() as name:
        yield name


@asynccontextmanager
async def console(folder: Path) -> AsyncIterator[Console]:
    """Bring the topology up, with a run that has ended and somebody who asks."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ScriptedServer([Rule(reply=Reply(text="It was lit in 1844."))]))
        environment = {
            "LEADLINE_SANDBOX": "off",
            "LEADLINE_MODEL__URLS": model.url,
            "LEADLINE_MODEL__NAME": "scripted",
            "LEADLINE_EVENT_LOG": "jsonl://",
            "LEADLINE_GATEWAY__ADMIN_KEY": "an-operators-own-key",
        }
        here = await stack.enter_async_context(machine(folder, environment))
        up = await here.leadline("up", "--port", str(free_port()), "--gateway", "--watch-every", "2")
        assert up.code == 0, up.err
        gateway = (await here.parts())["models"]["address"]
        more = f"LEADLINE_GATEWAY__PORT={gateway.rpartition(':')[2]}\nLEADLINE_VLLM__MODEL=example/model\n"
        (folder / "extra.env").write_text(more, encoding="utf-8")
        (folder / "docs").mkdir()
        (folder / "docs" / "lights.md").write_bytes(DOCUMENT)
        path = f"{Path(PROGRAM).parent}:/usr/lib/postgresql/15/bin:{os.environ['PATH']}"
        made = Console(here, up.out, AsyncClient(row(up.out, "url")), {}, {**here.environment, "PATH": path})
        other = await stack.enter_async_context(ScriptedServer([Rule(reply=Reply(text="It was lit in 1844."))]))
        await _peopled(made, other.url)
        key = await made.type("leadline keys create --tenant local --name operator --role admin")
        made.client = await stack.enter_async_context(
            AsyncClient(row(up.out, "url"), key=key.out.split()[-1], ca=Path(row(up.out, "certificate")))
        )
        yield made


async def _peopled(made: Console, model: str) -> None:
    """Make what placeholders stand for."""
    made.values = {"QUESTION": shlex.quote(QUESTION), "X": "5", "N": "100000", "NAME": "search", "URL": model}
    made.values |= {"T": "local", "DEST": "copies", "FILE": "own.log", "FOLDER": "data", "RUN": "last"}
    (made.here.folder / "own.log").write_text("", encoding="utf-8")
    asked = await made.type("leadline ask QUESTION --docs docs --strategy extractive")
    assert asked.code == 0, asked.err
    listed = await made.type("leadline runs --format json")
    made.values["RUN"] = json.loads(listed.out.splitlines()[0])["id"]
    key = await made.type("leadline keys create --tenant local --name lost --role reader")
    made.values["KEY"] = key.out.split()[-1].split("_")[1]


async def check_fault(made: Console, fault: Fault) -> None:
    """Break parts, follow the runbooks, mend the parts: what told of the fault is content again."""
    for part in fault.parts:
        stopped = await made.here.leadline("stop", part)
        assert stopped.code == 0, stopped.err
    made.redis = fault.redis
    commands = list(dict.fromkeys(command for page in fault.pages for command in typed(page)))
    assert set(fault.broken) <= {*commands, "leadline status"}
    for command in commands:
        if command not in LEFT and not command.startswith(("leadline start", "leadline pool")):
            await made.check(command, fault=fault)
    made.redis = "$LEADLINE_CACHE"
    for part in fault.parts:
        started = await made.here.leadline("start", part)
        assert started.code == 0, started.err
        made.ran.add(f"leadline start {part}")
    for command in fault.broken:
        if "tool_services" not in command:  # this machine reaches no web, so that the search is never well
            again = await made.type(command)
            assert again.code == 0, (command, again)


async def check_links(made: Console) -> None:
    """Each alert's link is one that a browser without a key opens, and says what the alert asks."""
    tls = await asyncio.to_thread(ssl.create_default_context, cafile=row(made.up, "certificate"))
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{row(made.up, 'prometheus')}/api/v1/rules", params={"type": "alert"}) as reply:
            groups = (await reply.json())["data"]["groups"]
        links = {rule["name"]: rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
        assert len(links) > 30
        for name, link in links.items():
            async with session.get(link, ssl=tls) as reply:
                assert (reply.status, f"<h1>{name}</h1>" in await reply.text()) == (200, True), link


@pytest.mark.timeout(900)
async def test_every_command_of_every_runbook_is_typed(folder: Path) -> None:
    named = {command for name in PAGES for command in typed(name)}
    assert named >= LEFT.keys()
    async with console(folder) as made:
        await check_links(made)
        for fault in FAULTS:
            await check_fault(made, fault)
        wrong: list[str] = []
        for command in sorted(named - LEFT.keys() - made.ran):  # a server is added before it is drained and removed
            try:
                await made.check(command)
            except AssertionError as error:
                wrong.append(str(error))
        assert not wrong, "\n".join(wrong)
        assert named - made.ran == LEFT.keys()
