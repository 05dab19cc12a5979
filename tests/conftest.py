"""What every test stands on: no network, no user's environment, no blocked loop, named servers."""

from __future__ import annotations

import glob
import inspect
import ipaddress
import logging
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings
from tests.support.postgres import Postgres, running_postgres
from tests.support.warm import warm_program

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
MISSING = "missing_server"

# Property tests give the same verdict on every machine and in every run.
settings.register_profile(
    "leadline",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("leadline")


# ------------------------------------------------------------------------------------- real servers


def _servers_needed() -> dict[str, list[str]]:
    """Return what must be there for each server of tests/servers.tsv and tests/servers-soak.tsv."""
    table = {}
    texts = [(ROOT / "tests" / name).read_text(encoding="utf-8") for name in ("servers.tsv", "servers-soak.tsv")]
    for line in "\n".join(texts).splitlines():
        if line and not line.startswith("#"):
            name, needed, _packages = line.split("\t")
            table[name] = needed.split()
    return table


def _is_there(needed: str) -> bool:
    if needed.startswith("/"):
        return bool(glob.glob(needed))  # noqa: PTH207 an absolute pattern, which Path.glob refuses
    return shutil.which(needed) is not None


def _skips_are_failures() -> bool:
    return os.environ.get("CI") == "true" or os.environ.get("TESTS_REQUIRE_SERVERS") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse marks that could not do what they promise."""
    known = _servers_needed()
    for item in items:
        for mark in item.iter_markers("server"):
            if len(mark.args) != 1 or mark.args[0] not in known:
                raise pytest.UsageError(f"{item.nodeid}: `server` takes one name of tests/servers.tsv: {mark.args}")
        for mark in item.iter_markers("blocking"):
            if len(mark.args) != 1:
                raise pytest.UsageError(f"{item.nodeid}: `blocking` takes its reason: {mark.args}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose server or samples are missing; where skips may not be, fail it."""
    for mark in item.iter_markers("server"):
        name = mark.args[0]
        if all(_is_there(needed) for needed in _servers_needed()[name]):
            continue
        item.user_properties.append((MISSING, name))
        reason = f"needs {name}; install it with: scripts/install-test-servers [tests/servers-soak.tsv]"
        if _skips_are_failures():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
        pytest.skip("needs the development samples in ../shared/data")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the servers without which tests did not run."""
    reports = [
        report for outcome in ("skipped", "failed", "error") for report in terminalreporter.stats.get(outcome, [])
    ]
    missing = Counter(
        value for report in reports for key, value in getattr(report, "user_properties", []) if key == MISSING
    )
    if missing:
        names = ", ".join(f"{name} ({count} tests)" for name, count in sorted(missing.items()))
        terminalreporter.write_sep("=", f"servers missing: {names}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of development samples; ask for it together with `shared_data`'s mark."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a server that all tests of this process share; ask for it together with `server("postgres")`."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """Return the program `leadline` with its imports made, which all tests of this process share."""
    with TemporaryDirectory(prefix="warm-") as folder, warm_program(Path(folder)) as program:
        yield program


# ------------------------------------------------------------------------------------------ isolation


@pytest.fixture(autouse=True)
def _no_users_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the user's settings, keys, proxies and home: a test sees only what it sets."""
    for name in list(os.environ):
        if name.startswith("LEADLINE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "home"
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Give the program's log back as it was: a command that ran in this process may have silenced it."""
    logger = logging.getLogger("leadline")
    level, handlers, propagates = logger.level, list(logger.handlers), logger.propagate
    logger.setLevel(logging.NOTSET)
    logger.handlers[:] = []
    logger.propagate = True
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers
    logger.propagate = propagates


@pytest.fixture(autouse=True, scope="session")
def _no_name_resolution() -> Iterator[None]:
    """Let no name but the local ones reach a resolver; connections are pytest-socket's affair."""
    resolve = socket.getaddrinfo

    def local_only(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in {None, "", "localhost"}:
            try:
                ipaddress.ip_address(name.partition("%")[0])
            except ValueError:
                raise socket.gaierror(socket.EAI_NONAME, f"tests resolve no names: {name}") from None
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", local_only)
        yield


# --------------------------------------------------------------------------------------- blocked loop


def _is_short_read(_connection: object, statement: object = "", *_: object) -> bool:
    """Tell whether SQL only reads: short SQLite look-ups may run on the loop, writes may not."""
    if not isinstance(statement, str):
        return False
    words = statement.split(None, 1)
    return bool(words) and words[0].upper() in {"SELECT", "WITH", "PRAGMA", "EXPLAIN"}


def _always(*_args: object, **_kwargs: object) -> bool:
    return True


@pytest.fixture(scope="session")
def _detector() -> BlockBuster:
    detector = BlockBuster("leadline")
    for name, function in detector.functions.items():
        if name in {"sqlite3.Connection.execute", "sqlite3.Cursor.execute"}:
            function.can_block_predicate = _is_short_read
        elif name.startswith("sqlite3.Cursor.fetch"):
            function.can_block_predicate = _always
    return detector


@pytest.fixture(autouse=True)
def _no_blocked_loop(request: pytest.FixtureRequest, _detector: BlockBuster) -> Iterator[None]:
    """Fail an asynchronous test in which our code blocks the event loop."""
    function = getattr(request, "function", None)
    if not inspect.iscoroutinefunction(function) or request.node.get_closest_marker("blocking"):
        yield
        return
    _detector.activate()
    try:
        yield
    finally:
        _detector.deactivate()
