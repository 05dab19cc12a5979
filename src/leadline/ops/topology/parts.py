"""From a plan to the table of parts: which there are, what each waits for, and the settings they share."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from leadline.ops.manifests.parts import needed_by
from leadline.ops.monitoring import Targets
from leadline.ops.redis import LIMITS_USER
from leadline.ops.topology import servers
from leadline.ops.topology.home import Home, Plan
from leadline.ops.topology.programs import Programs
from leadline.ops.topology.servers import HOST
from leadline.ops.topology.tls import Tls
from leadline.ops.topology.units import Http, Unit
from leadline.settings import Settings
from leadline.settings.telemetry import STDERR
from leadline.wiring.models import admitted

TOOLS: Final = ("search", "visit", "scholar", "python")
STORES: Final = ("redis-queue", "redis-cache", "postgres")
WATCHERS: Final = ("prometheus", "alertmanager")
DRAIN: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """Everything that `leadline up` starts. `config` is the settings file that the caller named."""

    home: Home
    plan: Plan
    programs: Programs
    settings: Settings
    secrets: Mapping[str, str]
    tls: Tls
    config: Path | None = None

    def has(self, part: str) -> bool:
        """Return whether a part is not left out."""
        return part not in self.plan.left_out

    def names(self) -> list[str]:
        """Return the names of the parts that need a port, nginx' own apart."""
        found = [*STORES, "s3", *(f"tool-{tool}" for tool in TOOLS), "models"]
        found += [f"service-{number + 1}" for number in range(self.plan.services)]
        found += [f"worker-{number + 1}" for number in range(self.plan.workers)]
        return [name for name in (*found, *WATCHERS) if self.has(name)]

    def port(self, name: str) -> int:
        """Return the port of a part."""
        return self.plan.ports[name]

    def place(self, name: str) -> str:
        """Return `host:port` of a part."""
        return f"{HOST}:{self.port(name)}"

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"https://localhost:{self.plan.port}"

    def folder(self, name: str) -> Path:
        """Return the folder of a server's own files."""
        return self.home.folder / name

    def variables(self) -> dict[str, str]:
        """Return the settings of every process of Leadline's, as variables: they go before all others."""
        secret = self.secrets
        query = f"sslmode=verify-full&sslrootcert={quote(str(self.tls.ca))}"
        cache = f"redis://:{secret['redis_cache']}@{self.place('redis-cache')}"
        queue = self.place("redis-queue")
        found = {
            "DATA_DIR": str(self.home.data),
            "STORE": f"postgresql://leadline:{secret['postgres']}@{self.place('postgres')}/leadline?{query}",
            "ENGINE": f"celery+redis://:{secret['redis_queue']}@{queue}/0",
            "CACHE": f"{cache}/0",
            # Counts must not be forgotten to make room, as answers may; and tools, who count too, see no queue.
            "LIMITS": f"redis://{LIMITS_USER}:{secret['redis_limits']}@{queue}/1",
            "BLOBS": "file://",
            "TOOLS__KEY": secret["tools"],
            "METRICS__KEY": secret["metrics"],
            "SERVICE__PROXIES": "127.0.0.0/8",
            "SERVER__URL": "none",
            "LOG__FORMAT": "json",
            "LOG__SINK": STDERR,
        }
        if self.has("s3"):
            found |= {
                "BLOBS": f"s3://{servers.BUCKET}",
                "S3__ENDPOINT": f"http://{self.place('s3')}",
                "S3__PATH_STYLE": "true",
                # Drawn, for what is given as a key is hidden wherever it stands: no word that means something.
                "S3__ACCESS_KEY": secret["s3_name"],
                "S3__SECRET_KEY": secret["s3"],
            }
        if self.settings.secrets.key is None:
            found["SECRETS__KEY"] = secret["sealing"]
        if not self.has("tool-python"):
            found["SANDBOX"] = "off"
        if "kafka" in self.plan.left_out:
            found["EVENT_LOG"] = "off"
        for tool in TOOLS:
            if self.has(f"tool-{tool}"):
                found[f"TOOLS__{tool.upper()}"] = f"http://{self.place(f'tool-{tool}')}"
        found |= self._seen_from_outside()
        if self.has("models"):
            found |= {"MODEL__URLS": f"http://{self.place('models')}/v1", "MODEL__API_KEY": secret["models"]}
            # One address stands for all servers: it may be given what they take together.
            together = admitted(self.settings.model, self.settings.vllm)
            found |= {"MODEL__CONCURRENCY": listed((together,) if together else ()), "MODEL__WEIGHTS": listed(())}
        return {f"LEADLINE_{name}": value for name, value in found.items()}

    def _seen_from_outside(self) -> dict[str, str]:
        """Return where `leadline preflight` finds what stands around the services."""
        found = {"URL": self.url, "CA": str(self.tls.ca), "ACCESS_LOG": str(self.folder("nginx") / "access.log")}
        found |= {name.upper(): f"http://{self.place(name)}" for name in WATCHERS if self.has(name)}
        return {f"PREFLIGHT__{name}": value for name, value in found.items()}

    def units(self) -> list[Unit]:
        """Return the table of parts."""
        return [*self._stores(), *self._first(), *self._own(), *self._front(), *self._watchers()]

    def targets(self) -> Targets:
        """Return what Prometheus asks."""
        model = self.settings.model
        servers_ = [urlsplit(url) for url in model.urls if model.kind == "openai"]
        return Targets(
            service=self._places("service-"),
            worker=self._places("worker-"),
            tools=self._places("tool-"),
            vllm=tuple(f"{one.hostname}:{one.port}" for one in servers_ if one.scheme == "http" and one.port),
            models=self._places("models"),
            alertmanager=self.place("alertmanager"),
            key_file=str(self.folder("prometheus") / "key"),
            runbooks=self.plan.runbooks or f"https://localhost:{self.plan.port}/runbooks",
        )

    def _places(self, prefix: str) -> tuple[str, ...]:
        return tuple(self.place(name) for name in self.names() if name.startswith(prefix))

    def _stores(self) -> Iterator[Unit]:
        for name in ("redis-queue", "redis-cache"):
            password = self.secrets[name.replace("-", "_")]
            yield servers.redis(
                name,
                program=self.programs.redis,
                folder=self.folder(name),
                port=self.port(name),
                password=password,
            )
        yield servers.postgres(
            programs=self.programs.postgres, folder=self.folder("postgres"), port=self.port("postgres")
        )
        if self.programs.rclone is not None and self.has("s3"):
            yield servers.s3(
                program=self.programs.rclone,
                folder=self.folder("s3"),
                port=self.port("s3"),
                name=self.secrets["s3_name"],
                secret=self.secrets["s3"],
            )

    def _first(self) -> Iterator[Unit]:
        """Yield what is done before anything of Leadline's runs: tables, and one key, once."""
        yield self._leadline("migrate", ("migrate", "up"), after=("postgres",), ready=None)
        if not self.home.shown.exists() and not _has_text(self.home.first_key):
            yield self._leadline(
                "first-key", ("up", "--step", "first-key"), after=("migrate",), ready=None, out=self.home.first_key
            )

    def _own(self) -> Iterator[Unit]:
        for tool in TOOLS:
            name = f"tool-{tool}"
            if self.has(name):
                words = ("serve-tool", tool, *self._listens(name), "--drain", str(DRAIN))
                yield self._leadline(
                    name, words, after=("redis-cache", "redis-queue"), ready=Http(port=self.port(name))
                )
        if self.has("models"):
            words = ("serve-models", *self._listens("models"))
            yield self._leadline("models", words, after=(), ready=Http(port=self.port("models")), env=self._servers())
        keyed = () if self.home.shown.exists() or _has_text(self.home.first_key) else ("first-key",)
        needs = ("migrate", *keyed, *(name for name in self.names() if not name.startswith(("service", "worker"))))
        needs = tuple(name for name in needs if name not in WATCHERS)
        for name in self.names():
            if name.startswith("worker-"):
                words = ("worker", "--metrics-port", str(self.port(name)))
                yield self._leadline(name, words, after=needs, ready=Http(port=self.port(name)), stop_seconds=45.0)
            elif name.startswith("service-"):
                words = ("serve", *self._listens(name), "--drain", str(DRAIN))
                yield self._leadline(name, words, after=needs, ready=Http(port=self.port(name), path="/readyz"))

    def _servers(self) -> dict[str, str]:
        """Return what the gateway alone sees: the servers behind the one address that all others are given."""
        model = self.settings.model
        return {
            "LEADLINE_MODEL__URLS": ",".join(model.urls),
            "LEADLINE_MODEL__CONCURRENCY": listed(model.concurrency),
            "LEADLINE_MODEL__WEIGHTS": listed(model.weights),
            "LEADLINE_MODEL__API_KEY": "none" if model.api_key is None else model.api_key.reveal(),
            "LEADLINE_GATEWAY__TENANTS": str(self.home.gateway),
        }

    def _front(self) -> Iterator[Unit]:
        yield servers.nginx(
            program=self.programs.nginx,
            folder=self.folder("nginx"),
            port=self.plan.port,
            ca=self.tls.ca,
            after=tuple(name for name in self.names() if name.startswith("service-")),
        )

    def _watchers(self) -> Iterator[Unit]:
        if self.programs.prometheus is None or self.programs.alertmanager is None or not self.has("prometheus"):
            return
        yield servers.alertmanager(
            program=self.programs.alertmanager,
            folder=self.folder("alertmanager"),
            port=self.port("alertmanager"),
        )
        yield servers.prometheus(
            program=self.programs.prometheus,
            folder=self.folder("prometheus"),
            port=self.port("prometheus"),
            after=("alertmanager", "nginx"),
        )

    def _listens(self, name: str) -> tuple[str, ...]:
        return "--host", HOST, "--port", str(self.port(name))

    def _leadline(
        self,
        name: str,
        words: tuple[str, ...],
        *,
        after: tuple[str, ...],
        ready: Http | None,
        out: Path | None = None,
        env: Mapping[str, str] | None = None,
        stop_seconds: float = DRAIN + 10.0,
    ) -> Unit:
        """Return a process of Leadline's own: the same program, without the working folder on its path."""
        named = () if self.config is None else ("--config", str(self.config))
        return Unit(
            name=name,
            argv=(sys.executable, "-P", "-m", "leadline", *words, *named),
            folder=self.home.data,
            # The supervisor keeps what each says; tools are given no address of a sink, which may hold a password.
            env={**needed_by(name, self.variables()), "LEADLINE_LOG__SINK": STDERR, **(env or {})},
            own=True,
            ready=ready,
            after=after,
            out=out,
            stop_seconds=stop_seconds,
            address="" if ready is None else f"http://{HOST}:{ready.port}",
        )


def listed(numbers: Sequence[float]) -> str:
    """Return numbers as a variable holds them, also where there are none: an empty one would not count."""
    return f"[{', '.join(map(str, numbers))}]"


def _has_text(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
