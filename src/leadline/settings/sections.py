"""Every setting there is: name, default, what it takes, what it means.

The environment's name of `model.api_key` is `LEADLINE_MODEL__API_KEY`; in a file it is `api_key`
under `[model]`. An option appears here when its part exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import platformdirs

from leadline.errors import SettingsError
from leadline.settings.accounts import AdmissionSettings, AuthSettings, SecretsSettings
from leadline.settings.backup import BackupSettings
from leadline.settings.cache import CachingSettings, OutgoingSettings, Store, StoreUrl
from leadline.settings.corpora import CorporaSettings
from leadline.settings.eventlog import EventsSettings, LogPlace, LogUrl
from leadline.settings.kinds import (
    Choice,
    Key,
    Location,
    Number,
    OrNone,
    Secret,
    Server,
    Size,
    Text,
    Whole,
    setting,
)
from leadline.settings.mcp import McpSettings
from leadline.settings.models import GatewaySettings, JudgeSettings, ModelSettings, VllmSettings
from leadline.settings.preflight import PreflightSettings
from leadline.settings.programs import PythonSettings, SandboxKind
from leadline.settings.rerank import RerankSettings
from leadline.settings.s3 import BlobsUrl, S3Settings
from leadline.settings.scholar import ScholarSettings
from leadline.settings.server import ServerSettings
from leadline.settings.service import ServiceSettings
from leadline.settings.tasks import EngineKind, RunStoreUrl, TaskSettings, WorkerSettings
from leadline.settings.telemetry import LogSettings, MetricsSettings, TraceSettings
from leadline.settings.tools import SummarizerSettings, ToolsSettings
from leadline.settings.web import FetchSettings, SearchSettings

APP: Final = "leadline"


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbedSettings:
    """Vectors for local documents. Without `url` passages are found by their words alone."""

    url: str | None = setting(
        None,
        OrNone(Server()),
        "Base URL of a server of embeddings, ending where `/embeddings` begins: `http://127.0.0.1:8000/v1`. "
        "`none`: documents are found by words alone. The passages of documents, and what is searched in "
        "them, are sent to it.",
    )
    name: str | None = setting(None, OrNone(Text()), "The embedding model's name at its server.")
    api_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to the server of embeddings; never printed."
    )
    batch: int = setting(64, Whole(1, 2048), "Passages in one request.")
    seconds: float = setting(
        60.0, Number(0), "Seconds that one refresh of an index may embed; the next one goes on where it stopped."
    )
    tokens: int = setting(2_000_000, Whole(0), "Tokens, estimated, that one refresh of an index may embed.")


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetSettings:
    """What a run may use where nothing else is asked for."""

    steps: int | None = setting(50, OrNone(Whole(1)), "Rounds: model turns, or search waves without a model.")
    tokens: int | None = setting(1_000_000, OrNone(Whole(1)), "Tokens, prompts and answers together.")
    seconds: float | None = setting(
        1800.0, OrNone(Number(0, above=True)), "Seconds; they count only while a run is worked on."
    )
    usd: float | None = setting(None, OrNone(Number(0, above=True)), "US dollars.")


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitSettings:
    """Reading pages and documents."""

    max_content: int = setting(50_000, Whole(500), "Characters of a page or document that a model is shown at most.")
    reader_url: str | None = setting(
        None,
        OrNone(Server()),
        "Base URL of a service that reads pages of the web (`GET {url}/{page}`, as Jina's). `none`: pages are fetched "
        "from their hosts only. It learns which pages are read.",
    )
    reader_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to the reader; never printed."
    )
    reader_order: Literal["first", "fallback"] = setting(
        "fallback", Choice(("first", "fallback")), "Whether the reader is asked first, or where the host gave no page."
    )
    summarise_above: int = setting(
        20_000, Whole(0), "Characters above which a page is summed up besides, where `summarizer.use` says by whom."
    )
    render: Literal["off", "fallback"] = setting(
        "off",
        Choice(("off", "fallback")),
        "Whether a page that says almost nothing without its scripts is built by a confined Chromium (extra "
        "`browser`; needs Chromium and bubblewrap).",
    )
    browser: Path | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Location()), "Chromium's program, not a script that starts it. `none`: the known places."
    )
    render_seconds: float = setting(15.0, Number(2, 60), "Seconds that a page may take in the browser.")
    render_memory: int = setting(1 << 30, Size(512 << 20), "Memory of the browser and all its pages, in bytes.")
    render_pages: int = setting(1, Whole(1, 2), "Pages that the browser has open at a time.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractSettings:
    """What turning one document into text may cost."""

    seconds: float = setting(20.0, Number(0, above=True), "Seconds after which a parser is killed.")
    memory: int = setting(1 << 30, Size(1 << 27), "Memory of a parser, in bytes.")
    max_bytes: int = setting(64 << 20, Size(1), "Size of a document, in bytes.")


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuSettings:
    """Work beside the event loop."""

    workers: int | None = setting(
        None,
        OrNone(Whole(1, 256)),
        "Processes for ranking, verification and rendering. `none`: one a core, four at most.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionSettings:
    """How long runs are kept."""

    days: float | None = setting(
        None,
        OrNone(Number(0)),
        "Age in days above which `leadline gc` deletes ended runs. `none`: they are kept.",
    )


def default_data_dir() -> Path:
    """Return the platform's folder for a user's data of this program. Raises `SettingsError` where there is no home."""
    try:
        return platformdirs.user_data_path(APP, appauthor=False)
    except RuntimeError as error:
        raise SettingsError("this user has no home folder to keep data in: set LEADLINE_DATA_DIR, or HOME") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What is in force, checked. `load` makes one; `Settings()` holds the defaults.

    `sources` tells for each setting where its value is from: `flag`, `environment` or `file`;
    what is not in it is a default. `config_file` is the file that was read. `warnings` are lines
    fit for a person.
    """

    data_dir: Path = field(
        default_factory=default_data_dir,
        metadata={
            "kind": Location(),
            "description": "Folder of runs, stored sources, indexes and caches.",
            "default": "the platform's folder for user data",
        },
    )
    store: str = field(
        default="sqlite://",
        repr=False,
        metadata={
            "kind": RunStoreUrl(),
            "description": "Where runs and their journals are kept: a file of this machine (without a path, in the "
            "data folder), or a database that several machines share.",
        },
    )
    engine: str = setting(
        "embedded",
        EngineKind(),
        "Who carries runs that wait in the queue: the process that took them in (`embedded`), or workers of their own, "
        "which `leadline worker` starts: over PostgreSQL alone (`postgres`), or woken by a broker (`celery+redis://...`).",
    )
    blobs: str = setting(
        "file://",
        BlobsUrl(),
        "Where stored texts and bytes are kept: a folder of this machine (without a path, in the data folder), or a "
        "bucket of S3 that several machines share.",
    )
    event_log: LogPlace = setting(  # noqa: RUF009 makes a dataclass field
        LogPlace(),
        LogUrl(),
        "Where what happens in runs is shipped to for others to read: a file, a topic of Kafka or a stream of a Redis. "
        "The journal is kept in `store` either way.",
    )
    cache: Store = setting(  # noqa: RUF009 makes a dataclass field
        Store("sqlite://"),
        StoreUrl("sqlite", may_be_off=True),
        "Where answers of the web are kept, beside memory: a file of this machine, or a Redis that several share.",
    )
    limits: Store = setting(  # noqa: RUF009 makes a dataclass field
        Store("memory://"),
        StoreUrl("memory"),
        "Where outgoing limits are counted: for each process by itself, or in a Redis for all together.",
    )
    prices: Path | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Location()),
        "File (TOML or JSON) of prices: a table for each model's name or pattern, with `prompt`, "
        "`completion` and `cached` in US dollars per million tokens.",
    )
    policy: Literal["mark", "drop", "research"] = setting(
        "mark",
        Choice(("mark", "drop", "research")),
        "What happens to a claim that its evidence does not support: marked, left out, or searched for once more.",
    )
    length: Literal["short", "normal", "long"] = setting(
        "normal", Choice(("short", "normal", "long")), "How long reports are."
    )
    proxy: str | None = setting(
        None,
        OrNone(Server()),
        "An HTTP proxy for all that goes to the web; addresses are resolved and refused here first.",
    )
    sandbox: str = setting(
        "auto",
        SandboxKind(),
        "Where Python programs of a model run: bubblewrap, else Landlock (`auto`), one of the two, or an executor "
        "elsewhere. `off`: no such tool. Nothing is ever run without a sandbox.",
    )
    model: ModelSettings = field(default_factory=ModelSettings, metadata={"section": ModelSettings})
    judge: JudgeSettings = field(default_factory=JudgeSettings, metadata={"section": JudgeSettings})
    gateway: GatewaySettings = field(default_factory=GatewaySettings, metadata={"section": GatewaySettings})
    vllm: VllmSettings = field(default_factory=VllmSettings, metadata={"section": VllmSettings})
    embed: EmbedSettings = field(default_factory=EmbedSettings, metadata={"section": EmbedSettings})
    rerank: RerankSettings = field(default_factory=RerankSettings, metadata={"section": RerankSettings})
    budget: BudgetSettings = field(default_factory=BudgetSettings, metadata={"section": BudgetSettings})
    visit: VisitSettings = field(default_factory=VisitSettings, metadata={"section": VisitSettings})
    fetch: FetchSettings = field(default_factory=FetchSettings, metadata={"section": FetchSettings})
    search: SearchSettings = field(default_factory=SearchSettings, metadata={"section": SearchSettings})
    scholar: ScholarSettings = field(default_factory=ScholarSettings, metadata={"section": ScholarSettings})
    python: PythonSettings = field(default_factory=PythonSettings, metadata={"section": PythonSettings})
    tools: ToolsSettings = field(default_factory=ToolsSettings, metadata={"section": ToolsSettings})
    summarizer: SummarizerSettings = field(default_factory=SummarizerSettings, metadata={"section": SummarizerSettings})
    caching: CachingSettings = field(default_factory=CachingSettings, metadata={"section": CachingSettings})
    outgoing: OutgoingSettings = field(default_factory=OutgoingSettings, metadata={"section": OutgoingSettings})
    extract: ExtractSettings = field(default_factory=ExtractSettings, metadata={"section": ExtractSettings})
    corpora: CorporaSettings = field(default_factory=CorporaSettings, metadata={"section": CorporaSettings})
    worker: WorkerSettings = field(default_factory=WorkerSettings, metadata={"section": WorkerSettings})
    tasks: TaskSettings = field(default_factory=TaskSettings, metadata={"section": TaskSettings})
    cpu: CpuSettings = field(default_factory=CpuSettings, metadata={"section": CpuSettings})
    s3: S3Settings = field(default_factory=S3Settings, metadata={"section": S3Settings})
    events: EventsSettings = field(default_factory=EventsSettings, metadata={"section": EventsSettings})
    retention: RetentionSettings = field(default_factory=RetentionSettings, metadata={"section": RetentionSettings})
    backup: BackupSettings = field(default_factory=BackupSettings, metadata={"section": BackupSettings})
    auth: AuthSettings = field(default_factory=AuthSettings, metadata={"section": AuthSettings})
    secrets: SecretsSettings = field(default_factory=SecretsSettings, metadata={"section": SecretsSettings})
    admission: AdmissionSettings = field(default_factory=AdmissionSettings, metadata={"section": AdmissionSettings})
    server: ServerSettings = field(default_factory=ServerSettings, metadata={"section": ServerSettings})
    mcp: McpSettings = field(default_factory=McpSettings, metadata={"section": McpSettings})
    service: ServiceSettings = field(default_factory=ServiceSettings, metadata={"section": ServiceSettings})
    preflight: PreflightSettings = field(default_factory=PreflightSettings, metadata={"section": PreflightSettings})
    log: LogSettings = field(default_factory=LogSettings, metadata={"section": LogSettings})
    metrics: MetricsSettings = field(default_factory=MetricsSettings, metadata={"section": MetricsSettings})
    traces: TraceSettings = field(default_factory=TraceSettings, metadata={"section": TraceSettings})
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)
    config_file: Path | None = field(default=None, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
