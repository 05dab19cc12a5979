"""How a vLLM server is started: from one typed section the command, a systemd unit, a Kubernetes manifest.

All three come from the same values, so that what is written down, what runs, and what the pool
believes of a server cannot drift apart. The key never appears in any of them: vLLM reads it from its
environment, where a command line would show it to every process of the machine.

Written for vLLM 0.11.1 and later, which took `--rope-scaling` out in favour of `--hf-overrides`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import Final, Literal

from leadline.codec import encode
from leadline.domain import Json
from leadline.errors import SettingsError
from leadline.model.vllm.window import CONFIG, OwnWindow, own_window
from leadline.wire.hosts import is_loopback

KEY_VARIABLE: Final = "VLLM_API_KEY"
"""Where vLLM looks for its key when the command line has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmServer:
    """One vLLM server.

    - `model`, `dtype`: what is served. `max_model_len`: its window in tokens; `None`: the model's own.
    - `host`, `port`; `keyed` false serves without a key, which only loopback may.
    - `tensor_parallel_size` GPUs share the model, each giving `gpu_memory_utilization` of its memory;
      `max_num_seqs` requests are computed at once.
    - `enable_prefix_caching`, `enable_chunked_prefill`: as vLLM names them.
    - `native_window`: tokens that the model was trained for, `max_position_embeddings` of its
      config.json; `None`: as that file or the model's published card says. A longer `max_model_len`
      is stretched by YaRN where `rope_theta` of the same file asks for it, and refused without; a
      factor applies to short texts too, so ask for no more than you use.
    - `tool_call_parser`, `reasoning_parser`: names vLLM knows (`hermes` for Qwen and Tongyi).
    - `served_model_name`: what clients call it, where not `model`.
    - `arguments`: further options, passed as they are.
    """

    model: str
    dtype: str = "auto"
    max_model_len: int | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    keyed: bool = True
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9
    max_num_seqs: int = 32
    enable_prefix_caching: bool = True
    enable_chunked_prefill: bool = True
    native_window: int | None = None
    rope_theta: float | None = None
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    served_model_name: str | None = None
    arguments: tuple[str, ...] = ()


REFERENCE: Final = VllmServer(
    model="Qwen/Qwen2.5-32B-Instruct",
    dtype="bfloat16",
    max_model_len=131_072,
    host="0.0.0.0",  # noqa: S104 behind a key; other machines are to reach it
    port=8000,
    tensor_parallel_size=4,
    gpu_memory_utilization=0.9,
    max_num_seqs=32,
    enable_prefix_caching=True,
    enable_chunked_prefill=True,
    native_window=32_768,
    rope_theta=1_000_000.0,
    tool_call_parser="hermes",
)
"""The shipped example: a 32B model on four GPUs with a window of 128K tokens."""

TONGYI: Final = VllmServer(
    model="Alibaba-NLP/Tongyi-DeepResearch-30B-A3B",
    dtype="bfloat16",
    max_model_len=131_072,
    host="0.0.0.0",  # noqa: S104 as above
    native_window=131_072,
    tensor_parallel_size=2,
)
"""The published research model; its tool calls are text, which Leadline parses itself."""


def checked(server: VllmServer) -> VllmServer:
    """Return the section. Raises `SettingsError` for values that vLLM would refuse, or that are unsafe."""
    if not server.model.strip() or server.model.startswith("-"):
        raise SettingsError(f"not the name or folder of a model: {server.model!r}")
    if not 1 <= server.port <= 65_535:
        raise SettingsError(f"not a port: {server.port}")
    if not 0.0 < server.gpu_memory_utilization <= 1.0:
        raise SettingsError(f"`gpu_memory_utilization` is a share between 0 and 1: {server.gpu_memory_utilization}")
    for name in ("max_model_len", "tensor_parallel_size", "max_num_seqs"):
        value = getattr(server, name)
        if value is not None and value < 1:
            raise SettingsError(f"`{name}` must be at least 1: {value}")
    if not server.keyed and not is_loopback(server.host):
        raise SettingsError(f"a server without a key may listen on loopback only, not on {server.host}")
    _scaling(server)
    if any("api-key" in argument.lower().replace("_", "-") for argument in server.arguments):
        raise SettingsError(f"a key on a command line is readable by all; set {KEY_VARIABLE} in its environment")
    return server


def command(server: VllmServer) -> tuple[str, ...]:
    """Return the exact arguments that start the server. Raises as `checked`."""
    checked(server)
    options: list[tuple[str, str | None]] = [
        ("--dtype", server.dtype),
        *([("--max-model-len", str(server.max_model_len))] if server.max_model_len is not None else []),
        ("--host", server.host),
        ("--port", str(server.port)),
        ("--tensor-parallel-size", str(server.tensor_parallel_size)),
        ("--gpu-memory-utilization", f"{server.gpu_memory_utilization:g}"),
        ("--max-num-seqs", str(server.max_num_seqs)),
        (_switch("prefix-caching", on=server.enable_prefix_caching), None),
        (_switch("chunked-prefill", on=server.enable_chunked_prefill), None),
    ]
    if server.served_model_name is not None:
        options.append(("--served-model-name", server.served_model_name))
    if server.tool_call_parser is not None:
        options += [("--enable-auto-tool-choice", None), ("--tool-call-parser", server.tool_call_parser)]
    if server.reasoning_parser is not None:
        options.append(("--reasoning-parser", server.reasoning_parser))
    scaling = _scaling(server)
    if scaling is not None:
        options.append(("--hf-overrides", encode({"rope_parameters": scaling}).decode()))
    words = [word for name, value in options for word in ((name,) if value is None else (name, value))]
    return ("vllm", "serve", server.model, *words, *server.arguments)


def shell_lines(server: VllmServer) -> str:
    """Return the command for a shell, an option a line, with where its key comes from."""
    words = command(server)
    lines = [shlex.join(words[:3])]
    for word in words[3:]:
        if word.startswith("--"):
            lines.append(shlex.quote(word))
        else:
            lines[-1] += " " + shlex.quote(word)
    told = f"# The key comes from the environment: export {KEY_VARIABLE}=...\n" if server.keyed else ""
    return told + " \\\n  ".join(lines) + "\n"


def systemd_unit(
    server: VllmServer,
    *,
    executable: str = "/opt/vllm/bin/vllm",
    user: str = "vllm",
    environment_file: str = "/etc/leadline/vllm.env",
) -> str:
    """Return a unit that starts the server and starts it again when it fails.

    `environment_file` holds the key and should be readable by root alone (mode 0600).
    """
    start = " ".join(_unit_word(word) for word in (executable, *command(server)[1:]))
    lines = [
        "[Unit]",
        f"Description=vLLM server of {server.model.replace('%', '%%')}",
        "Wants=network-online.target",
        "After=network-online.target",
        "StartLimitIntervalSec=600",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=exec",
        f"User={user}",
        *([f"EnvironmentFile={environment_file}"] if server.keyed else []),
        f"ExecStart={start}",
        "Restart=on-failure",
        "RestartSec=5",
        "TimeoutStopSec=120",
        "KillSignal=SIGINT",
        "LimitNOFILE=65536",
        "StateDirectory=vllm",
        "Environment=HF_HOME=/var/lib/vllm/huggingface",
        "NoNewPrivileges=true",
        "ProtectSystem=full",
        "ProtectHome=true",
        "PrivateTmp=true",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _unit_word(word: str) -> str:
    """Return an argument as systemd reads it (systemd.service(5), "Command lines")."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not set(word) & set(" \t\n\"'\\;{}"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _switch(name: str, *, on: bool) -> str:
    prefix: Literal["--enable-", "--no-enable-"] = "--enable-" if on else "--no-enable-"
    return prefix + name


def _scaling(server: VllmServer) -> dict[str, Json] | None:
    """Return the rope parameters that a window beyond the model's own needs, `None` where it needs none.

    Raises `SettingsError` where the model's own window is not known, and where it would have to be
    stretched and may not be, or nobody asked for it.
    """
    wanted = server.max_model_len
    if wanted is None:
        return None
    own = _own(server, wanted)
    if wanted <= own.tokens:
        return None
    told = f"`vllm.max_model_len` {wanted} is more than the model's own window of {own.tokens} tokens ({own.source})"
    if own.scaled:
        raise SettingsError(
            f"{told}, whose positions are scaled already: set `vllm.max_model_len` to {own.tokens} or less"
        )
    if server.rope_theta is None:
        theta = "of its config.json" if own.rope_theta is None else f"to {own.rope_theta:.0f}"
        raise SettingsError(
            f"{told}: set `vllm.max_model_len` to {own.tokens} or less, "
            f"or `vllm.rope_theta` {theta} to stretch it by YaRN"
        )
    if own.rope_theta is not None and own.rope_theta != server.rope_theta:
        raise SettingsError(
            f"`vllm.rope_theta` is {server.rope_theta:.0f}, the model's own {own.rope_theta:.0f} ({own.source})"
        )
    return {
        "rope_type": "yarn",
        "rope_theta": server.rope_theta,
        "factor": float(-(-wanted // own.tokens)),
        "original_max_position_embeddings": own.tokens,
    }


def _own(server: VllmServer, wanted: int) -> OwnWindow:
    """Return the model's own window: what is set goes before a card, and never beyond its config.json."""
    known, native = own_window(server.model), server.native_window
    if native is None:
        if known is None:
            raise SettingsError(
                f"`vllm.max_model_len` is {wanted}, and the own window of {server.model} is not known: set "
                "`vllm.native_window` to `max_position_embeddings` of its config.json, "
                "or leave `vllm.max_model_len` out"
            )
        return known
    if known is None:
        return OwnWindow(tokens=native, source="`vllm.native_window`")
    if native > known.tokens and known.source == CONFIG:
        raise SettingsError(f"`vllm.native_window` is {native}, the model's own {known.tokens} ({known.source})")
    return replace(known, tokens=native, source="`vllm.native_window`")
