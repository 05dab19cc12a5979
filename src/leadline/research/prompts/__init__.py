"""What models are told: one file a role. A changed prompt gets a new version number in its first line."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

_SUFFIX = ".md"


def _bodies() -> dict[str, str]:
    """Return the prompts by role, without their version lines; read once, before any loop runs."""
    found = {}
    for entry in files(__name__).iterdir():
        if entry.name.endswith(_SUFFIX):
            _, _, body = entry.read_text(encoding="utf-8").partition("\n")
            found[entry.name.removesuffix(_SUFFIX)] = body.strip()
    return found


_PROMPTS: Mapping[str, str] = MappingProxyType(_bodies())


def prompt(name: str) -> str:
    """Return the prompt of a role. Raises `KeyError` for a role that has none."""
    return _PROMPTS[name]
