"""The descriptions that the operator has looked at: tools that are not among them are not offered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from leadline.errors import SettingsError

_LARGEST: Final = 1 << 20


class Pins:
    """A file of hashes, by server and tool."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, server: str) -> Mapping[str, str]:
        """Return the hash of each pinned tool of a server, by its name. Raises `SettingsError`."""
        return self._read().get(server, {})

    def pin(self, server: str, hashes: Mapping[str, str]) -> None:
        """Pin these tools of a server, and no others. Raises `SettingsError`."""
        held = {**self._read(), server: dict(hashes)}
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with temporary.open("xb") as file:
                file.write(orjson.dumps(held, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise SettingsError(f"cannot write the pins {self._path}: {error.strerror}") from error

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            with self._path.open("rb") as file:
                held = orjson.loads(file.read(_LARGEST))
        except FileNotFoundError:
            return {}
        except (OSError, orjson.JSONDecodeError) as error:
            raise SettingsError(f"cannot read the pins {self._path}; pin again with `leadline mcp pin`") from error
        if not isinstance(held, dict) or not all(_are_hashes(one) for one in held.values()):
            raise SettingsError(f"the pins {self._path} are in no known form; pin again with `leadline mcp pin`")
        return held


def _are_hashes(one: object) -> bool:
    return isinstance(one, dict) and all(isinstance(value, str) for value in one.values())
