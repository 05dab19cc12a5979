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

from leadline.settings.kinds import (
    Adapter,
    Choice,
    Key,
    Location,
    Number,
    OrNone,
    Secret,
    Server,
    Servers,
    Size,
    Switch,
    Text,
    Whole,
    setting,
)
from leadline.settings.web import FetchSettings, SearchSettings

APP: Final = "leadline"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSettings:
    """The model that researches and writes. Without `urls` there is none."""

    urls: tuple[str, ...] = setting(
        (),
        Servers(),
        "Base URLs of servers that offer the model, each ending where `/chat/completions` begins: "
        "`http://127.0.0.1:8000/v1`. Empty: no model, the extractive strategy is used.",
    )
    name: str | None = setting(None, OrNone(Text()), "The model's name at its servers.")
    api_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to the model's servers; never printed."
    )
    kind: Literal["openai"] = setting(
        "openai", Choice(("openai",), later=("anthropic",)), "The protocol of the servers."
    )
    temperature: float = setting(0.6, Number(0, 2), "Sampling temperature.")
    top_p: float = setting(0.95, Number(0, 1, above=True), "Share of probability that is sampled from.")
    max_tokens: int = setting(8192, Whole(16), "Tokens that one answer may have.")
    context: int | None = setting(
        None,
        OrNone(Whole(2048)),
        "The model's context window in tokens. `none`: its servers are asked; where they do not tell, 32768.",
    )
    dialect: Literal["native", "tags", "tongyi"] = setting(
        "native",
        Choice(("native", "tags", "tongyi")),
        "How tools are offered and calls are written: by the server's own tool calls, as "
        "`<tool_call>` text, or in the format of Tongyi DeepResearch.",
    )
    first_token_seconds: float = setting(
        120.0, Number(0, above=True), "How long the first token of an answer may take."
    )
    gap_seconds: float = setting(60.0, Number(0, above=True), "How long a stream may be silent between two tokens.")
    total_seconds: float = setting(600.0, Number(0, above=True), "How long a whole answer may take.")
    free: bool = setting(
        False,
        Switch(),
        "Calls cost no money. Without this and without a price, a money budget is refused.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeSettings:
    """The model that judges claims which words and values could not decide."""

    use: Literal["off", "main", "own"] = setting(
        "off",
        Choice(("off", "main", "own")),
        "`off`: no judge. `main`: the model under `model`. `own`: the servers named here.",
    )
    urls: tuple[str, ...] = setting((), Servers(), "Base URLs of the judge's own servers.")
    name: str | None = setting(None, OrNone(Text()), "The judge's name at its servers.")
    api_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to the judge's servers; never printed."
    )
    kind: Literal["openai"] = setting(
        "openai", Choice(("openai",), later=("anthropic",)), "The protocol of the judge's servers."
    )
    free: bool = setting(False, Switch(), "The judge's calls cost no money.")


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractSettings:
    """What turning one document into text may cost."""

    seconds: float = setting(20.0, Number(0, above=True), "Seconds after which a parser is killed.")
    memory: int = setting(1 << 30, Size(1 << 27), "Memory of a parser, in bytes.")
    max_bytes: int = setting(64 << 20, Size(1), "Size of a document, in bytes.")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    """Runs side by side."""

    concurrency: int = setting(4, Whole(1, 10_000), "Runs that one process works on at a time.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSettings:
    """How runs are held."""

    lease_seconds: float = setting(
        30.0,
        Number(1, 3600),
        "Seconds after which another worker may take over a run whose worker is silent.",
    )


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
    """Return the platform's folder for a user's data of this program."""
    return platformdirs.user_data_path(APP, appauthor=False)


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
    store: str = setting(
        "sqlite://",
        Adapter("sqlite", later=("postgresql",)),
        "Where runs and their journals are kept; without a path, a file in the data folder.",
    )
    blobs: str = setting(
        "file://",
        Adapter("file", later=("s3",)),
        "Where stored texts and bytes are kept; without a path, a folder in the data folder.",
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
    model: ModelSettings = field(default_factory=ModelSettings, metadata={"section": ModelSettings})
    judge: JudgeSettings = field(default_factory=JudgeSettings, metadata={"section": JudgeSettings})
    embed: EmbedSettings = field(default_factory=EmbedSettings, metadata={"section": EmbedSettings})
    budget: BudgetSettings = field(default_factory=BudgetSettings, metadata={"section": BudgetSettings})
    visit: VisitSettings = field(default_factory=VisitSettings, metadata={"section": VisitSettings})
    fetch: FetchSettings = field(default_factory=FetchSettings, metadata={"section": FetchSettings})
    search: SearchSettings = field(default_factory=SearchSettings, metadata={"section": SearchSettings})
    extract: ExtractSettings = field(default_factory=ExtractSettings, metadata={"section": ExtractSettings})
    worker: WorkerSettings = field(default_factory=WorkerSettings, metadata={"section": WorkerSettings})
    tasks: TaskSettings = field(default_factory=TaskSettings, metadata={"section": TaskSettings})
    cpu: CpuSettings = field(default_factory=CpuSettings, metadata={"section": CpuSettings})
    retention: RetentionSettings = field(default_factory=RetentionSettings, metadata={"section": RetentionSettings})
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)
    config_file: Path | None = field(default=None, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
