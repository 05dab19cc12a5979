"""What models cost: a file of tables by model name or pattern.

    ["example-large"]
    prompt = 2.50        # US dollars per million tokens
    completion = 10.00
    cached = 1.25        # prompt tokens from the server's cache; `prompt` where it is left out

    ["example-*"]        # `*`, `?` and `[...]` match; an exact name wins, then the longest pattern
    prompt = 0.15
    completion = 0.60

A JSON file holds the same as an object of objects.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from leadline.errors import SettingsError


class ModelPrice(NamedTuple):
    """US dollars per million tokens; `cached` is `None` where cached tokens cost as others."""

    prompt: float
    completion: float
    cached: float | None


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by model name or pattern."""

    table: Mapping[str, ModelPrice]

    def of(self, model: str) -> ModelPrice | None:
        """Return a model's price: its own entry, else that of the longest pattern that fits."""
        if model in self.table:
            return self.table[model]
        fitting = [pattern for pattern in self.table if fnmatchcase(model, pattern)]
        return self.table[max(fitting, key=lambda p: (len(p), p))] if fitting else None


def load_prices(path: Path) -> Prices:
    """Return the prices of a file, JSON where its name ends in `.json`, TOML otherwise.

    Raises `SettingsError`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data: object = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"cannot read the price file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the price file {path} is not valid: {error}") from error
    if not isinstance(data, dict):
        raise SettingsError(f"the price file {path} must hold a table for each model")
    return Prices({str(name): _price(row, name, path) for name, row in data.items()})


def _price(row: object, name: object, path: Path) -> ModelPrice:
    if not isinstance(row, dict):
        raise SettingsError(f"the price file {path} must hold a table for each model: {name}")
    unknown = sorted(set(row) - {"prompt", "completion", "cached"})
    if unknown:
        raise SettingsError(
            f"the price file {path}: `{name}` has an unknown key: {unknown[0]}; "
            "allowed: `prompt`, `completion`, `cached`"
        )
    for key, value in row.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingsError(f"the price file {path}: `{name}`: `{key}` must be a number")
        if not math.isfinite(value) or value < 0:
            raise SettingsError(f"the price file {path}: `{name}`: `{key}` must be 0 or more")
    if "prompt" not in row or "completion" not in row:
        raise SettingsError(f"the price file {path}: `{name}` needs `prompt` and `completion`")
    cached = row.get("cached")
    return ModelPrice(
        prompt=float(row["prompt"]),
        completion=float(row["completion"]),
        cached=None if cached is None else float(cached),
    )
