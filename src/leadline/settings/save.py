"""Writing the settings file: one table of it, the rest left as its owner wrote it."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from leadline.errors import SettingsError
from leadline.settings.load import read_toml

_MODE: Final = 0o600
_HEADER: Final = re.compile(r"^\s*\[")
_PLAIN: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e\x80-\uffff]*")

Value = str | int | float | bool | list[str]


def save_table(path: Path, table: str, values: Mapping[str, Value]) -> None:
    """Put `values` into one table of a settings file; nothing else in the file changes.

    Values that the table has under other names stay; its comments do not. The file is replaced
    in one step and only its owner may read it. Raises `SettingsError`.
    """
    old = read_toml(path) if path.exists() else {}
    present = old.get(table, {})
    if not isinstance(present, dict):
        raise SettingsError(f"`{table}` in {path} must be a table: [{table}]")
    merged = {**present, **values}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    new = _without(text, table) + _written(table, merged)
    if _read(new) != {**old, table: merged}:
        raise SettingsError(f"cannot edit {path} safely: write [{table}] into it by hand")
    _replace(path, new)


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _without(text: str, table: str) -> str:
    """Return TOML text without the lines of one table."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            inside = re.match(rf"\s*\[\s*{re.escape(table)}\s*\]", line) is not None
        if not inside:
            kept.append(line)
    rest = "".join(kept).rstrip()
    return f"{rest}\n\n" if rest else ""


def _written(table: str, values: Mapping[str, object]) -> str:
    lines = [f"[{table}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return f'"{value}"'
    raise SettingsError("cannot write the value: it holds characters that need an escape")


def _replace(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
