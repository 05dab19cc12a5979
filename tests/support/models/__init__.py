"""Real model servers of a test's own, with random weights: on free ports, killed at the end.

`scripts/install-model-servers` puts them into `.servers`, or where MODEL_SERVERS says.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
NAME = "tiny"
"""What the model is called at its servers."""

_READY_SECONDS = 300.0


def python_of(server: str) -> Path:
    """Return the Python of the environment that holds `llama` or `vllm`; skip the test where it is not there."""
    folder = Path(os.environ.get("MODEL_SERVERS", ROOT / ".servers")) / server
    if not (folder / "ready").exists():
        pytest.skip(f"needs {server}; install it with: scripts/install-model-servers {server}")
    return folder.absolute() / "bin" / "python"


@contextmanager
def llama(folder: Path) -> Iterator[str]:
    """Yield the base URL of llama.cpp's server over a model of a few megabytes."""
    python = python_of("llama")
    model = folder / "tiny.gguf"
    subprocess.run([python, HERE / "make_gguf.py", model], check=True, timeout=60)
    port = free_port()
    words = ["-m", "llama_cpp.server", "--model", model, "--model_alias", NAME, "--host", "127.0.0.1"]
    words += ["--port", port, "--n_ctx", 8192, "--n_threads", 1, "--chat_format", "chatml-function-calling"]
    words += ["--interrupt_requests", False]
    with _started([python, *words], folder / "llama.log") as server:
        server.wait(f"http://127.0.0.1:{port}/v1/models")
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def vllm(folder: Path, *, servers: int = 1) -> Iterator[list[str]]:
    """Yield the base URLs of vLLM servers, all of one model, each with a cache of its own."""
    python = python_of("vllm")
    model = folder / "model"
    model.mkdir()
    subprocess.run([python, HERE / "make_folder.py", model], check=True, timeout=120)
    ports = [free_port() for _ in range(servers)]
    with ExitStack() as stack:
        running = [
            stack.enter_context(_started([python, *_vllm_words(model, port)], folder / f"vllm-{port}.log"))
            for port in ports
        ]
        for server, port in zip(running, ports, strict=True):
            server.wait(f"http://127.0.0.1:{port}/health")
        yield [f"http://127.0.0.1:{port}/v1" for port in ports]


def _vllm_words(model: Path, port: int) -> list[object]:
    words: list[object] = ["-m", "vllm.entrypoints.cli.main", "serve", model, "--served-model-name", NAME]
    words += ["--load-format", "dummy", "--dtype", "bfloat16", "--host", "127.0.0.1", "--port", port]
    words += ["--max-model-len", 8192, "--max-num-batched-tokens", 8192, "--max-num-seqs", 32, "--enforce-eager"]
    words += ["--enable-prefix-caching", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    return [*words, "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}']


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Server(NamedTuple):
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self, url: str) -> None:
        """Return when it answers at `url`."""
        until = time.monotonic() + _READY_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if _answers(url):
                return
            time.sleep(0.2)
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"the server did not come up: {tail}")


@contextmanager
def _started(words: Sequence[object], log: Path) -> Iterator[_Server]:
    """Run a server in a session of its own, so that its children end with it."""
    own = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    own |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in words],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **own},
            cwd=log.parent,
            start_new_session=True,
        )
        try:
            yield _Server(process, log)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 our own server
            return bool(answer.status == 200)
    except OSError:
        return False
