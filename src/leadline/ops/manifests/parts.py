"""The parts of a deployment: what each runs, how much of it, what it may reach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

from leadline.errors import SettingsError
from leadline.ops.manifests.providers import check_choices
from leadline.settings import items
from leadline.settings.kinds import is_secret
from leadline.version import __version__

Reach = Literal["stores", "counts", "tools", "models", "web"]
"""What a part connects to: database and bodies, Redis, tool services, model servers, the internet."""

USER: Final = 10001
DATA: Final = "/var/lib/leadline"
PORT: Final = 8000
METRICS_PORT: Final = 9100
TOOL_PORTS: Final = (("search", 8001), ("visit", 8002), ("scholar", 8003), ("python", 8004))

PROGRAMS: Final = 2
"""Programs of models that run at a time in one `tool-python`: each may take 1 GiB of its memory."""

TOOL: Final = "tool-"
"""What the name of a tool's own service begins with."""

_ADDRESSES: Final = tuple(
    f"{role}__{word}" for role in ("JUDGE", "SUMMARIZER", "EMBED", "RERANK") for word in ("URL", "URLS")
)
"""Settings that say where models are."""

T = TypeVar("T")

_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
_CPU: Final = re.compile(r"\d+m")
_SIZE: Final = re.compile(r"\d+Mi")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One kind of process.

    `words` come behind `leadline`. `ready` is the path that says whether it takes work. `least` and
    `most` bound how many there are; `scale` says by what. `cpu` is asked for, `memory` asked for and
    the limit. `drain` is how many seconds it takes to end well.
    """

    name: str
    words: tuple[str, ...]
    port: int
    ready: str
    least: int
    most: int
    scale: Literal["cpu", "queue"]
    cpu: str
    memory: str
    reach: frozenset[Reach]
    drain: int = 45

    def __post_init__(self) -> None:
        """Refuse what Kubernetes would. Raises `SettingsError`."""
        fits = _NAME.fullmatch(self.name) and _CPU.fullmatch(self.cpu) and _SIZE.fullmatch(self.memory)
        if not fits or not 1 <= self.least <= self.most:
            raise SettingsError(f"not a part that can be deployed: {self}")

    @property
    def is_tool(self) -> bool:
        """Whether it is a tool's own service."""
        return self.name.startswith(TOOL)


def _tool(name: str, port: int) -> Part:
    words = ("serve-tool", name, "--host", "0.0.0.0", "--port", str(port), "--notice", "5")  # noqa: S104 in a pod
    reach: frozenset[Reach] = frozenset() if name == "python" else frozenset({"counts", "web"})
    return Part(
        name=f"{TOOL}{name}",
        words=words,
        port=port,
        ready="/readyz",
        least=2,
        most=8,
        scale="cpu",
        cpu="250m",
        memory="3072Mi" if name == "python" else "1024Mi",
        reach=reach,
    )


SERVICE: Final = Part(
    name="service",
    # The notice lets the balancer look away before nothing new is taken.
    words=("serve", "--host", "0.0.0.0", "--port", str(PORT), "--notice", "5"),  # noqa: S104 in a pod
    port=PORT,
    ready="/readyz",
    least=2,
    most=10,
    scale="cpu",
    cpu="500m",
    memory="1024Mi",
    # Webhooks go to addresses that tenants name.
    reach=frozenset({"stores", "counts", "tools", "models", "web"}),
)
WORKER: Final = Part(
    name="worker",
    words=("worker", "--metrics-port", str(METRICS_PORT)),
    port=METRICS_PORT,
    ready="/healthz",
    least=2,
    most=20,
    scale="queue",
    cpu="500m",
    memory="2048Mi",
    reach=frozenset({"stores", "counts", "tools", "models"}),
    drain=60,
)
PARTS: Final = (SERVICE, WORKER, *(_tool(name, port) for name, port in TOOL_PORTS))
MIGRATE: Final = ("migrate", "up")

SECRET_SETTINGS: Final = (
    "STORE",
    "ENGINE",
    "CACHE",
    "LIMITS",
    "TOOLS__KEY",
    "SECRETS__KEY",
    "METRICS__KEY",
    "S3__ACCESS_KEY",
    "S3__SECRET_KEY",
    "MODEL__API_KEY",
)
"""Settings that hold a secret: each deployment takes them from where it keeps those."""

_OF_TOOLS: Final = frozenset({"TOOLS__KEY", "METRICS__KEY"})
_OF_CACHED: Final = _OF_TOOLS | {"CACHE", "LIMITS"}
_OF_RUNS: Final = ("BLOBS", "S3__", "MODEL__")
"""How other settings begin that a tool has no use for."""

_OF_ONE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        f"{TOOL}search": ("SEARCH__",),
        f"{TOOL}visit": ("VISIT__", "FETCH__", "SUMMARIZER__"),
        f"{TOOL}scholar": ("SCHOLAR__",),
    }
)
"""How the settings begin whose secrets, keys at providers, one tool alone has a use for."""


def secrets_of(name: str) -> tuple[str, ...]:
    """Return which of the settings with secrets a part needs, by its name or `migrate`.

    Tools read what strangers wrote and run what models write: none has the key of the store or of the secrets.
    """
    if name == "migrate":
        return ("STORE",)
    if not name.startswith(TOOL):
        return SECRET_SETTINGS
    needed = _OF_TOOLS if name == f"{TOOL}python" else _OF_CACHED
    return tuple(setting for setting in SECRET_SETTINGS if setting in needed)


def needed_by(name: str, variables: Mapping[str, T]) -> dict[str, T]:
    """Return those of the variables of all settings that a part needs."""
    without = {f"LEADLINE_{setting}" for setting in SECRET_SETTINGS}
    beginnings: tuple[str, ...] = ()
    if name.startswith(TOOL):
        beginnings = tuple(f"LEADLINE_{one}" for one in _OF_RUNS)
        mine = tuple(f"LEADLINE_{one}" for one in _OF_ONE.get(name, ()))
        secret = (item.variable for item in items().values() if is_secret(item.kind))
        without |= {variable for variable in secret if not variable.startswith(mine)}
    without -= {f"LEADLINE_{setting}" for setting in secrets_of(name)}
    return {
        variable: value
        for variable, value in variables.items()
        if variable not in without and not variable.startswith(beginnings)
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """What differs from one deployment to the next.

    `runs_at_once` is a worker's concurrency, by which the number of workers follows the queue.
    `stores` and `models` are networks (CIDR) of databases and of model servers, `sinks` of what is told of runs:
    Kafka and collectors of traces. Their ports stand beside them; those of models are in their addresses. `choices`
    are settings of providers and of other models, as `SEARCH__PROVIDERS`: each goes to the parts that have a use
    for it.
    `runbooks_at` is the address below which alerts' runbooks answer, by default `/runbooks` at the host. `alerts_to`
    is a webhook that the Alertmanager of compose tells of alerts; without, it tells nobody.
    """

    image: str = f"leadline:{__version__}"
    host: str = "research.example.org"
    namespace: str = "leadline"
    bucket: str = "leadline"
    s3: str = "https://s3.example.org"
    model_urls: tuple[str, ...] = ("http://vllm-0.vllm.models.svc:8000/v1", "http://vllm-1.vllm.models.svc:8000/v1")
    model_name: str = "example-model"
    runs_at_once: int = 8
    stores: tuple[str, ...] = ("10.20.0.0/16",)
    models: tuple[str, ...] = ("10.30.0.0/16",)
    sinks: tuple[str, ...] = ()
    store_ports: tuple[int, ...] = (5432, 443, 9000)
    redis_ports: tuple[int, ...] = (6379, 26379)
    sink_ports: tuple[int, ...] = (9092, 9093, 4318)
    ingress_namespace: str = "ingress-nginx"
    monitoring_namespace: str = "monitoring"
    parts: tuple[Part, ...] = field(default=PARTS)
    choices: Mapping[str, str] = field(default_factory=dict)
    runbooks_at: str | None = None
    alerts_to: str | None = None

    def __post_init__(self) -> None:
        """Refuse choices of nobody. Raises `SettingsError`."""
        check_choices(self.choices)

    @property
    def runbooks(self) -> str:
        """The address below which alerts' runbooks answer."""
        return self.runbooks_at or f"https://{self.host}/runbooks"

    @property
    def model_ports(self) -> tuple[int, ...]:
        """The ports of every model server that is named here."""
        named = (
            address
            for setting, value in self.choices.items()
            if setting.endswith(_ADDRESSES)
            for address in value.split(",")
        )
        parts = [urlsplit(url.strip()) for url in (*self.model_urls, *named) if url.strip()]
        return tuple(sorted({one.port or (443 if one.scheme == "https" else 80) for one in parts}))

    def settings(self, *, proxies: str) -> dict[str, str]:
        """Return the settings that are no secret, as variables; `proxies` is the balancer's network."""
        found = {
            "DATA_DIR": DATA,
            "BLOBS": f"s3://{self.bucket}",
            "S3__ENDPOINT": self.s3,
            "MODEL__URLS": ",".join(self.model_urls),
            "MODEL__NAME": self.model_name,
            "WORKER__CONCURRENCY": str(self.runs_at_once),
            "METRICS__HOST": "0.0.0.0",  # noqa: S104 in a pod
            "SERVICE__PROXIES": proxies,
            "LOG__FORMAT": "json",
            "PYTHON__WORKERS": str(PROGRAMS),
        }
        found |= {f"TOOLS__{name.upper()}": f"http://tool-{name}:{port}" for name, port in TOOL_PORTS}
        return {f"LEADLINE_{name}": value for name, value in found.items()}
