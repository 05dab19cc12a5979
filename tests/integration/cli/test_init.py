from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from leadline.cli.trial import local_servers

KEY = "sk-test-0123456789"


@dataclass
class ModelServer:
    """A server with models under `/v1`; `key` is the one that it wants."""

    url: str = ""
    models: tuple[str, ...] = ("example-model",)
    key: str | None = None
    rubbish: bool = False
    anthropic: bool = False
    asked: list[str] = field(default_factory=list)

    def reply(self, path: str, headers: Any, body: dict[str, Any]) -> tuple[int, object]:
        self.asked.append(path)
        given = headers.get("x-api-key") if self.anthropic else headers.get("Authorization", "").removeprefix("Bearer ")
        if self.key is not None and given != self.key:
            return 401, {"error": {"message": "who are you?"}}
        if self.anthropic and headers.get("anthropic-version") is None:
            return 400, {"error": {"message": "anthropic-version: header is required"}}
        if self.anthropic and path == "/v1/messages" and body["max_tokens"] and body.get("model") in self.models:
            return 200, {"type": "message", "content": [{"type": "text", "text": "ready"}]}
        if path == "/v1/models":
            return 200, {"data": [{"id": name} for name in self.models]}
        if path == "/v1/chat/completions" and body.get("model") in self.models:
            return 200, "<html>" if self.rubbish else {"choices": [{"message": {"content": "ready"}}]}
        return 404, {"error": {"message": "nothing here"}}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    model = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(data) if data else {}
            status, value = model.reply(self.path, self.headers, body)
            answer = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield model
    http.shutdown()
    thread.join()
    http.server_close()


def config(home: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(home)}


def test_a_model_is_tried_and_written_down(leadline: Any, server: ModelServer, tmp_path: Path) -> None:
    server.key = KEY
    env = config(tmp_path / "c")
    result = leadline("init", "--url", server.url, "--key-file", "-", stdin=f"{KEY}\n", env=env)
    path = tmp_path / "c" / "leadline" / "config.toml"
    assert (result.returncode, result.stdout) == (0, f"written: {path}\n"), result.stderr
    assert server.asked == ["/v1/models", "/v1/chat/completions"]
    written = tomllib.loads(path.read_text(encoding="utf-8"))
    assert written == {"model": {"urls": [server.url], "name": "example-model", "api_key": KEY}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KEY not in result.stderr
    shown = leadline("settings", env=env)
    assert KEY not in shown.stdout + shown.stderr
    assert re.search(r"^model\.name +file +example-model$", shown.stdout, re.MULTILINE)


def test_an_address_without_its_version_is_mended(leadline: Any, server: ModelServer, tmp_path: Path) -> None:
    env = config(tmp_path / "c")
    result = leadline("init", "--url", server.url.removesuffix("/v1"), env=env)
    assert result.returncode == 0, result.stderr
    assert f"{server.url} offers 1 model" in result.stderr


def test_a_model_that_is_named_already_is_replaced_only_by_force(
    leadline: Any, server: ModelServer, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('# mine\n[model]\nurls = ["http://old/v1"]\nname = "old"\ntop_p = 0.5\n', encoding="utf-8")
    arguments = ("init", "--url", server.url, "--config", str(file))
    refused = leadline(*arguments)
    assert (refused.returncode, "--force" in refused.stderr) == (2, True)
    assert leadline(*arguments, "--force").returncode == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# mine\n")
    assert tomllib.loads(text)["model"] == {"urls": [server.url], "name": "example-model", "top_p": 0.5}


def test_a_server_of_the_other_protocol_is_tried_by_it(leadline: Any, server: ModelServer, tmp_path: Path) -> None:
    server.key, server.anthropic = KEY, True
    env = config(tmp_path / "c")
    path = tmp_path / "c" / "leadline" / "config.toml"
    arguments = ("init", "--url", server.url, "--key-file", "-", "--kind", "anthropic")
    assert leadline(*arguments, stdin=KEY, env=env).returncode == 0
    assert server.asked == ["/v1/models", "/v1/messages"]
    written = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
    assert written == {"urls": [server.url], "name": "example-model", "kind": "anthropic", "api_key": KEY}
    server.anthropic = False  # and back again: what the file said of the first one does not stay
    assert leadline(*arguments[:-2], "--force", stdin=KEY, env=env).returncode == 0
    assert tomllib.loads(path.read_text(encoding="utf-8"))["model"]["kind"] == "openai"


def test_anthropics_own_address_has_a_short_name(leadline: Any, tmp_path: Path) -> None:
    env = config(tmp_path / "c")
    assert leadline("init", "--url", "anthropic", "--name", "m", "--no-try", env=env).returncode == 0
    written = tomllib.loads((tmp_path / "c" / "leadline" / "config.toml").read_text(encoding="utf-8"))["model"]
    assert written == {"urls": ["https://api.anthropic.com/v1"], "name": "m", "kind": "anthropic"}


def test_several_models_need_a_name(leadline: Any, server: ModelServer, tmp_path: Path) -> None:
    server.models = ("small", "large")
    env = config(tmp_path / "c")
    result = leadline("init", "--url", server.url, env=env)
    assert (result.returncode, "small, large" in result.stderr) == (2, True)
    assert leadline("init", "--url", server.url, "--name", "large", env=env).returncode == 0


@pytest.mark.parametrize(("change", "says"), [({"key": KEY}, "who are you?"), ({"rubbish": True}, "without a choice")])
def test_what_fails_is_not_written(
    leadline: Any, server: ModelServer, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    result = leadline("init", "--url", server.url, env=config(tmp_path / "c"))
    assert (result.returncode, says in result.stderr) == (4, True), result.stderr
    assert not (tmp_path / "c").exists()


async def test_servers_of_this_machine_are_found(server: ModelServer) -> None:
    port = int(server.url.split(":")[2].removesuffix("/v1"))
    assert await local_servers((1, port)) == ((server.url, ("example-model",)),)


ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def test_on_a_terminal_it_asks(server: ModelServer, tmp_path: Path) -> None:
    server.key, server.models = KEY, ("small", "large")
    shown = ""
    with subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, Path(sys.executable).with_name("leadline"), "init"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **config(tmp_path / "c"), "TERM": "dumb"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for prompt, typed in (("Base URL", server.url), ("API key", KEY), ("Name of the model", "large")):
            while not re.search(rf"{prompt}[^\n]*: $", shown):
                read = os.read(process.stdout.fileno(), 4096)
                assert read, shown
                shown += read.decode()
            process.stdin.write(f"{typed}\n".encode())
            process.stdin.flush()
        rest = process.stdout.read().decode()
    assert process.returncode == 0, shown + rest
    assert "large at " in rest
    assert KEY not in shown + rest
    written = tomllib.loads((tmp_path / "c" / "leadline" / "config.toml").read_text(encoding="utf-8"))
    assert written["model"] == {"urls": [server.url], "name": "large", "api_key": KEY}


def test_without_a_trial_only_the_settings_are_checked(leadline: Any, tmp_path: Path) -> None:
    env = config(tmp_path / "c")
    arguments = ("init", "--url", "http://127.0.0.1:1/v1", "--no-try")
    assert leadline(*arguments, env=env).returncode == 2
    assert leadline(*arguments, "--name", "m", env=env).returncode == 0
