"""Style and script of the one-file report; inlined, and allowed by their hashes alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

# Read once, before any loop runs: a small report is rendered on one.
_ASSETS: Mapping[str, str] = MappingProxyType(
    {name: files(__name__).joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "report.js")}
)


def asset(name: str) -> str:
    """Return the text of a file of this folder. Raises `KeyError` for one that is not there."""
    return _ASSETS[name]
