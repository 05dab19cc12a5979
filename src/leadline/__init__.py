"""Leadline: deep research whose every claim is tied to a verbatim span of a stored source, and checked.

    import leadline
    report = leadline.research("When did the dive take place?", docs=["./papers"])

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from leadline.version import __version__

if TYPE_CHECKING:
    from leadline.api import Leadline, research
    from leadline.domain import (
        Budget,
        Citation,
        Claim,
        Length,
        Options,
        Policy,
        Question,
        Report,
        RunState,
        Source,
        StopReason,
        StrategyName,
        Usage,
        Verdict,
    )
    from leadline.errors import LeadlineError, RunCancelled, RunFailed
    from leadline.events import Progress, Record
    from leadline.settings import Settings

__all__ = [
    "Budget",
    "Citation",
    "Claim",
    "Leadline",
    "LeadlineError",
    "Length",
    "Options",
    "Policy",
    "Progress",
    "Question",
    "Record",
    "Report",
    "RunCancelled",
    "RunFailed",
    "RunState",
    "Settings",
    "Source",
    "StopReason",
    "StrategyName",
    "Usage",
    "Verdict",
    "__version__",
    "research",
]

_HOMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "api": ("Leadline", "research"),
        "errors": ("LeadlineError", "RunCancelled", "RunFailed"),
        "events": ("Progress", "Record"),
        "settings": ("Settings",),
    }
)


def __getattr__(name: str) -> Any:  # noqa: ANN401 the names have different types
    """Load a public name from its module."""
    if name not in __all__:
        raise AttributeError(f"module `leadline` has no attribute `{name}`")
    home = next((module for module, names in _HOMES.items() if name in names), "domain")
    return getattr(importlib.import_module(f"leadline.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Engine(ModuleType):
    """The package `leadline.research`, which is called as the function that it shares its name with."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 typed in `leadline.api`
        """See `leadline.api.research`."""
        return importlib.import_module("leadline.api").research(*arguments, **options)


class _Package(ModuleType):
    """This package: the import of a part, which Python writes down here, must not hide a public name."""

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 any attribute of a module
        if name == "research" and type(value) is ModuleType:
            value.__class__ = _Engine
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
