"""The settings of docs/tongyi.md load, start a server that Leadline can reach, and fit its window."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from leadline.domain import Dialect, Message
from leadline.research.strategies.react import Tagged
from leadline.settings import Settings, load
from leadline.wiring.serving import vllm_launch

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tongyi.md").read_text(encoding="utf-8")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    [block] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "tongyi.toml"
    file.write_text(block, encoding="utf-8")
    return load(config=file, environ={})


def test_the_server_is_started_as_leadline_reaches_it(settings: Settings) -> None:
    launch = vllm_launch(settings, "shell")
    words = shlex.split(launch.text, comments=True)
    assert words[:3] == ["vllm", "serve", settings.model.name]
    assert launch.urls == settings.model.urls
    assert "--tool-call-parser" not in words
    assert "--reasoning-parser" not in words


def test_the_window_is_inside_the_servers(settings: Settings) -> None:
    assert settings.model.dialect == Dialect.TONGYI.value
    assert settings.model.context == 110 * 1024
    assert settings.vllm.max_model_len is not None
    assert settings.model.context < settings.vllm.max_model_len


def test_the_stop_strings_and_the_result_are_as_it_says() -> None:
    transcript = Tagged(system="s", question="q", single=True)
    assert transcript.stop == ("\n<tool_response>", "<tool_response>")
    assert transcript.calls_a_turn == 1
    assert transcript.messages == (Message(role="system", content="s"), Message(role="user", content="q"))
