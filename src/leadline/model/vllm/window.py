"""What a model's own window is: of its config.json where it lies here, else of its published card.

Whoever starts a server with a longer window than the model was trained for, and without scaling its
positions, gets a refusal of vLLM at best and nonsense at worst. Cards are those of the models' own
makers; a family is here only where all of its members that match were published with one window.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from leadline.domain import Json
from leadline.errors import SettingsError

_MOST: Final = 4 << 20
CONFIG: Final = "its config.json"
"""Whence a window is known best."""

_SCALED: Final = frozenset({"linear", "dynamic", "yarn"})


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnWindow:
    """A model's own window in `tokens`, and `rope_theta`, the base of its positions, where that is known.

    A model whose positions are `scaled` already cannot be stretched once more. `source` says whence.
    """

    tokens: int
    rope_theta: float | None = None
    scaled: bool = False
    source: str = "its published card"


_QWEN: Final = 1_000_000.0
_CARDS: Final[tuple[tuple[str, OwnWindow], ...]] = (
    (r"qwen2\.5-(?:coder-|math-)?.*instruct-1m", OwnWindow(tokens=1_010_000)),
    (r"qwen2\.5-(?:coder-)?[\d.]+b-instruct", OwnWindow(tokens=32_768, rope_theta=_QWEN)),
    (r"qwen3-(?:4b|30b-a3b|235b-a22b)-(?:instruct|thinking)-2507", OwnWindow(tokens=262_144)),
    (r"qwen3-(?:[\d.]+b|30b-a3b|235b-a22b)", OwnWindow(tokens=32_768, rope_theta=_QWEN)),
    (r"tongyi-deepresearch-30b-a3b", OwnWindow(tokens=131_072)),
    (r"deepseek-r1-distill-qwen-[\d.]+b", OwnWindow(tokens=131_072)),
    (r"meta-llama-3-(?:8b|70b)(?:-instruct)?", OwnWindow(tokens=8_192, rope_theta=500_000.0)),
    (r"(?:meta-)?llama-3\.[123]-[\d.]+b(?:-instruct)?", OwnWindow(tokens=131_072, scaled=True)),
    (r"mistral-7b-instruct-v0\.[23]", OwnWindow(tokens=32_768, rope_theta=1_000_000.0)),
    (r"mixtral-8x7b-instruct-v0\.1", OwnWindow(tokens=32_768, rope_theta=1_000_000.0)),
    (r"gpt-oss-(?:20b|120b)", OwnWindow(tokens=131_072, scaled=True)),
    (r"phi-4", OwnWindow(tokens=16_384, rope_theta=250_000.0)),
)
"""The last part of a model's name, in small letters and without the mark of its quantization."""

_QUANTIZED: Final = re.compile(r"-(?:awq|fp8|gptq(?:-int[48])?|int[48]|bnb-4bit)$")


def own_window(model: str) -> OwnWindow | None:
    """Return the window of `model`, a folder with its config.json or a name at a hub; `None` where unknown.

    Raises `SettingsError` for a folder whose config.json cannot be read.
    """
    folder = Path(model)
    if folder.is_dir():
        return _of_folder(folder)
    name = _QUANTIZED.sub("", model.rstrip("/").rpartition("/")[2].lower())
    return next((window for pattern, window in _CARDS if re.fullmatch(pattern, name)), None)


def window_of(config: Mapping[str, Json]) -> OwnWindow | None:
    """Return the window that a model's config.json tells, as vLLM reads it; `None` where it tells none."""
    inner = config.get("text_config")
    source = inner if isinstance(inner, dict) else config
    tokens = source.get("max_position_embeddings")
    if not isinstance(tokens, int) or tokens <= 0:
        return None
    found = source.get("rope_parameters") or source.get("rope_scaling")
    rope = found if isinstance(found, dict) else {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    factor, trained = rope.get("factor"), rope.get("original_max_position_embeddings")
    if kind in _SCALED and isinstance(factor, int | float) and factor > 1:
        tokens = int((trained if kind == "yarn" and isinstance(trained, int) else tokens) * factor)
    theta = source.get("rope_theta", rope.get("rope_theta"))
    return OwnWindow(
        tokens=tokens,
        rope_theta=float(theta) if isinstance(theta, int | float) else None,
        scaled=kind not in {"default", "mrope"},
        source=CONFIG,
    )


def _of_folder(folder: Path) -> OwnWindow | None:
    file = folder / "config.json"
    try:
        with file.open("rb") as read:
            config = orjson.loads(read.read(_MOST))
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError) as error:
        raise SettingsError(f"the model's own configuration cannot be read: {file}: {error}") from error
    return window_of(config) if isinstance(config, dict) else None
