"""A window that a model was not made for is refused, or stretched where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from leadline.errors import SettingsError
from leadline.model.vllm.command import VllmServer, command
from leadline.model.vllm.window import own_window, window_of

QWEN = "Qwen/Qwen2.5-32B-Instruct"


def folder(path: Path, **config: Any) -> str:
    (path / "config.json").write_bytes(orjson.dumps(config))
    return str(path)


def scaling(words: tuple[str, ...]) -> dict[str, Any] | None:
    if "--hf-overrides" not in words:
        return None
    told: dict[str, Any] = orjson.loads(words[words.index("--hf-overrides") + 1])["rope_parameters"]
    return told


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        (QWEN, 32_768),
        ("Qwen/Qwen2.5-32B-Instruct-AWQ", 32_768),
        ("Qwen/Qwen2.5-Coder-7B-Instruct-GPTQ-Int4", 32_768),
        ("Qwen/Qwen2.5-14B-Instruct-1M", 1_010_000),
        ("Qwen/Qwen3-30B-A3B", 32_768),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", 262_144),
        ("Alibaba-NLP/Tongyi-DeepResearch-30B-A3B", 131_072),
        ("meta-llama/Llama-3.1-8B-Instruct", 131_072),
        ("meta-llama/Meta-Llama-3-8B-Instruct", 8_192),
        ("openai/gpt-oss-20b", 131_072),
    ],
)
def test_published_windows_are_known(model: str, tokens: int) -> None:
    found = own_window(model)
    assert found is not None
    assert found.tokens == tokens


@pytest.mark.parametrize("model", ["Qwen/Qwen2.5-7B", "someone/Qwen2.5-7B-Instruct-merged", "acme/own-model", "m"])
def test_what_was_not_published_so_is_not_guessed(model: str) -> None:
    assert own_window(model) is None


def test_more_than_the_models_own_window_is_refused_with_what_to_set() -> None:
    with pytest.raises(SettingsError) as told:
        command(VllmServer(model=QWEN, max_model_len=131_072))
    assert "own window of 32768 tokens (its published card)" in str(told.value)
    assert "set `vllm.max_model_len` to 32768 or less, or `vllm.rope_theta` to 1000000" in str(told.value)


def test_it_is_stretched_where_that_is_asked_for() -> None:
    words = command(VllmServer(model=QWEN, max_model_len=100_000, rope_theta=1_000_000.0))
    assert scaling(words) == {
        "rope_type": "yarn",
        "rope_theta": 1_000_000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 32_768,
    }
    assert scaling(command(VllmServer(model=QWEN, max_model_len=32_768, rope_theta=1_000_000.0))) is None
    with pytest.raises(SettingsError, match=r"the model's own 1000000"):
        command(VllmServer(model=QWEN, max_model_len=100_000, rope_theta=10_000.0))


def test_an_unknown_model_is_refused_a_window_until_its_own_is_told() -> None:
    with pytest.raises(SettingsError, match=r"own window of acme/own-model is not known: set `vllm.native_window`"):
        command(VllmServer(model="acme/own-model", max_model_len=8_192))
    told = VllmServer(model="acme/own-model", max_model_len=8_192, native_window=8_192)
    assert command(told)[5:7] == ("--max-model-len", "8192")
    assert "--max-model-len" not in command(VllmServer(model="acme/own-model")), "then vLLM takes the model's own"


def test_what_is_scaled_already_is_not_stretched_again() -> None:
    for theta in (None, 500_000.0):
        with pytest.raises(SettingsError, match="scaled already"):
            command(VllmServer(model="meta-llama/Llama-3.1-8B-Instruct", max_model_len=200_000, rope_theta=theta))


def test_a_folder_is_asked_before_anything_else(tmp_path: Path) -> None:
    model = folder(tmp_path, max_position_embeddings=4_096, rope_theta=10_000.0)
    assert command(VllmServer(model=model, max_model_len=4_096))
    with pytest.raises(SettingsError, match=r"4096 tokens \(its config.json\).*`vllm.rope_theta` to 10000"):
        command(VllmServer(model=model, max_model_len=8_192))
    with pytest.raises(SettingsError, match=r"`vllm.native_window` is 8192, the model's own 4096"):
        command(VllmServer(model=model, max_model_len=8_192, native_window=8_192))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SettingsError, match="cannot be read"):
        command(VllmServer(model=model, max_model_len=4_096))


@pytest.mark.parametrize(
    ("config", "tokens", "scaled"),
    [
        ({"max_position_embeddings": 32_768, "rope_theta": 1e6}, 32_768, False),
        ({"text_config": {"max_position_embeddings": 262_144}}, 262_144, False),
        ({"max_position_embeddings": 4_096, "rope_scaling": {"type": "linear", "factor": 4}}, 16_384, True),
        (
            {
                "max_position_embeddings": 131_072,
                "rope_parameters": {
                    "rope_type": "yarn",
                    "factor": 32.0,
                    "original_max_position_embeddings": 4_096,
                    "rope_theta": 150_000,
                },
            },
            131_072,
            True,
        ),
        ({"max_position_embeddings": 131_072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 131_072, True),
        ({"max_position_embeddings": 32_768, "rope_scaling": {"type": "mrope"}}, 32_768, False),
    ],
)
def test_a_configuration_is_read_as_the_server_reads_it(config: dict[str, Any], tokens: int, scaled: bool) -> None:
    found = window_of(config)
    assert found is not None
    assert (found.tokens, found.scaled) == (tokens, scaled)


def test_a_configuration_without_a_window_tells_none() -> None:
    assert window_of({"model_type": "x"}) is None
