"""Settings of language models: whose servers, how they share the calls, and how they are started."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from leadline.errors import SettingsError
from leadline.settings.kinds import (
    Choice,
    Key,
    Kind,
    Location,
    Number,
    OrNone,
    Secret,
    Servers,
    Size,
    Switch,
    Text,
    Whole,
    setting,
)

ANTHROPIC_URL: Final = "https://api.anthropic.com/v1"
"""Where Anthropic's own API begins."""

KINDS: Final = ("openai", "anthropic")


@dataclass(frozen=True, slots=True)
class Several:
    """One or several values of another kind: a TOML or JSON list, one value, or text separated by commas."""

    kind: Kind

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"{self.kind.allowed}; several separated by commas"

    def parse(self, raw: object, base: Path) -> tuple[object, ...]:
        """Return the values."""
        if isinstance(raw, str):
            text = raw.strip()
            raw = json.loads(text) if text.startswith("[") else [item for item in text.split(",") if item.strip()]
        listed = raw if isinstance(raw, list) else [raw]
        return tuple(self.kind.parse(item, base) for item in listed)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Words of a command line."""

    allowed: str = field(default="words of a command line, as a list or as a shell would split them", init=False)

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        """Return the words."""
        words = raw
        if isinstance(raw, str):
            words = json.loads(raw) if raw.strip().startswith("[") else shlex.split(raw)
        if not isinstance(words, list) or not all(isinstance(word, str) and word.isprintable() for word in words):
            raise TypeError
        return tuple(words)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSettings:
    """The model that researches and writes. Without `urls` there is none."""

    urls: tuple[str, ...] = setting(
        (),
        Servers(),
        "Base URLs of servers that offer the model, each ending where `/chat/completions` (or `/messages`) begins: "
        "`http://127.0.0.1:8000/v1`. Empty: no model, the extractive strategy is used.",
    )
    name: str | None = setting(None, OrNone(Text()), "The model's name at its servers.")
    api_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to the model's servers; never printed."
    )
    kind: Literal["openai", "anthropic"] = setting("openai", Choice(KINDS), "The protocol of the servers.")
    temperature: float = setting(0.6, Number(0, 2), "Sampling temperature.")
    top_p: float = setting(0.95, Number(0, 1, above=True), "Share of probability that is sampled from.")
    max_tokens: int = setting(8192, Whole(16), "Tokens that one answer may have.")
    thinking: int | None = setting(
        None,
        OrNone(Whole(1024)),
        "Tokens that a model may think before an answer, beside `max_tokens`; for servers of kind `anthropic`.",
    )
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
    balance: Literal["affinity", "least_connections"] = setting(
        "affinity",
        Choice(("affinity", "least_connections")),
        "How servers share the calls: each conversation stays where its beginning is cached, or every call goes "
        "where the fewest are.",
    )
    concurrency: tuple[int, ...] = setting(
        (),
        Several(Whole(1)),
        "Requests that a server gets at a time from this process: one number for all servers, or one for each of "
        "`urls` in their order. Empty: `vllm.max_num_seqs` where the section `vllm` starts this model, else no bound.",
    )
    weights: tuple[float, ...] = setting(
        (),
        Several(Number(0, above=True)),
        "Shares of the load: one number for each of `urls` in their order. Empty: all the same.",
    )
    queue: int = setting(1000, Whole(0), "Calls that may wait for a server with room; more are refused at once.")
    probe: Literal["auto", "all", "none"] = setting(
        "auto",
        Choice(("auto", "all", "none")),
        "Which servers are asked for one real token now and then, so that a dead one is known before a call meets "
        "it. `auto`: those whose calls cost nothing: `free`, or in one's own network and without a price; others, and "
        "a lone one, are only asked for their list of models, which is free.",
    )
    probe_seconds: float = setting(
        30.0, Number(0.1), "Seconds between two such probes of a server, and some by chance."
    )
    hedge: bool = setting(
        False,
        Switch(),
        "Ask a second server where the first is slow to begin, for one call in twenty at most; never where calls "
        "cost money.",
    )
    at_once: int = setting(512, Whole(1), "Calls that this process makes at a time; the others wait in turn.")
    at_once_tenant: int | None = setting(None, OrNone(Whole(1)), "The same for one tenant.")
    at_once_run: int | None = setting(None, OrNone(Whole(1)), "The same for one run.")
    tenant_requests: int | None = setting(None, OrNone(Whole(1)), "Calls that one tenant may make in a minute.")
    tenant_tokens: int | None = setting(
        None, OrNone(Whole(1)), "Tokens, prompts and answers together, that one tenant may use in a minute."
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
    kind: Literal["openai", "anthropic"] = setting("openai", Choice(KINDS), "The protocol of the judge's servers.")
    free: bool = setting(False, Switch(), "The judge's calls cost no money.")


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewaySettings:
    """`leadline serve-models`: the servers under `model` behind one address."""

    host: str = setting("127.0.0.1", Text(), "The address to listen on; others than this machine's own need a key.")
    port: int = setting(8080, Whole(0, 65_535), "The port to listen on; 0 takes a free one.")
    tenants: Path | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Location()),
        "TOML file with a table for each tenant: `keys` (SHA-256 hashes of its keys), and its own `requests` and "
        "`tokens` a minute. `none`: the keys of accounts count; with no key at all only this machine is served.",
    )
    tenant_requests: int | None = setting(
        None, OrNone(Whole(1)), "Requests a minute of a tenant that has no number of its own."
    )
    tenant_tokens: int | None = setting(
        None, OrNone(Whole(1)), "Tokens a minute of a tenant that has no number of its own."
    )
    admin_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Key()),
        "The key by which an operator adds, drains and removes servers while the gateway runs (`leadline pool`); "
        "never printed. `none`: nobody can.",
    )
    drain_seconds: float = setting(600.0, Number(0), "How long answers under way may take when it is stopped.")
    whole_seconds: float = setting(300.0, Number(0, above=True), "How long an answer that is not streamed may take.")
    max_body: int = setting(64 << 20, Size(1024), "Size of a request, in bytes.")


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmSettings:
    """The vLLM server that `leadline vllm-command` starts; names are vLLM's own where it has one."""

    model: str | None = setting(None, OrNone(Text()), "What is served: a name at a hub, or a folder.")
    served_model_name: str | None = setting(None, OrNone(Text()), "What clients call it. `none`: as `model`.")
    dtype: str = setting("auto", Text(), "Type of the weights.")
    max_model_len: int | None = setting(None, OrNone(Whole(1)), "Window in tokens. `none`: the model's own.")
    native_window: int | None = setting(
        None,
        OrNone(Whole(1)),
        "Tokens that the model was trained for (`max_position_embeddings` of its config.json). `none`: as that "
        "file says where `model` is a folder, else the published card of a model that is known; needed with "
        "`max_model_len` for any other.",
    )
    rope_theta: float | None = setting(
        None,
        OrNone(Number(0, above=True)),
        "`rope_theta` of the model's config.json: stretches it by YaRN where `max_model_len` is longer than its own "
        "window, which is refused without.",
    )
    host: str = setting("127.0.0.1", Text(), "The address to listen on.")
    port: int = setting(8000, Whole(1, 65_535), "The port to listen on.")
    keyed: bool = setting(
        True, Switch(), "A key is asked for; it is taken from the environment (`VLLM_API_KEY`). Loopback needs none."
    )
    tensor_parallel_size: int = setting(1, Whole(1), "GPUs that share the model.")
    gpu_memory_utilization: float = setting(0.9, Number(0, 1, above=True), "Share of each GPU's memory.")
    max_num_seqs: int = setting(32, Whole(1), "Requests that are computed at a time.")
    enable_prefix_caching: bool = setting(
        True, Switch(), "What a prompt repeats of an earlier one is not computed again."
    )
    enable_chunked_prefill: bool = setting(True, Switch(), "Long prompts do not hold up answers under way.")
    tool_call_parser: str | None = setting(
        None, OrNone(Text()), "How the model writes tool calls (`hermes` for Qwen). `none`: they stay text."
    )
    reasoning_parser: str | None = setting(None, OrNone(Text()), "How the model marks its reasoning.")
    arguments: tuple[str, ...] = setting((), Arguments(), "Further options, passed as they are.")


def check_model(model: ModelSettings) -> None:
    """Refuse what cannot work together in `model`. Raises `SettingsError`."""
    twice = [url for url, count in Counter(model.urls).items() if count > 1]
    if twice:
        raise SettingsError(
            f"`model.urls` names a server twice: {twice[0]}; give it a larger share with `model.weights`"
        )
    _per_server("model.concurrency", model.concurrency, model.urls, one_for_all=True)
    _per_server("model.weights", model.weights, model.urls, one_for_all=False)
    if model.thinking is not None and model.kind != "anthropic":
        raise SettingsError("`model.thinking` is for servers of kind `anthropic`: set `model.kind`, or leave it out")


def _per_server(name: str, values: Sequence[object], urls: Sequence[str], *, one_for_all: bool) -> None:
    if len(values) in {0, len(urls)} or (one_for_all and len(values) == 1):
        return
    raise SettingsError(f"`{name}` has {len(values)} numbers, but `model.urls` {len(urls)}: give one for each server")
