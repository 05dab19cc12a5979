"""Providers of the web and models beside the main one: which settings each part has a use for, keys among them.

A key goes to the one part that sends it. None of these has to be set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from leadline.errors import SettingsError
from leadline.settings import items
from leadline.settings.kinds import is_secret
from leadline.settings.registry import PREFIX
from leadline.settings.scholar import TAKE_KEYS
from leadline.settings.web import KEYLESS, PROVIDERS

_MODELS: Final = (
    *("JUDGE__USE", "JUDGE__URLS", "JUDGE__NAME", "JUDGE__API_KEY"),
    *("SUMMARIZER__USE", "SUMMARIZER__URLS", "SUMMARIZER__NAME", "SUMMARIZER__API_KEY"),
    *("EMBED__URL", "EMBED__NAME", "EMBED__API_KEY"),
    *("RERANK__URL", "RERANK__NAME", "RERANK__API_KEY"),
)
_CONTACT: Final = "FETCH__CONTACT"
_TOLD: Final = ("LOG__SINK", "TRACES__URL", "TRACES__KEY")
"""Where log lines and traces go: Kafka, a collector."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "service": (*_MODELS, "EVENT_LOG", *_TOLD),
        "worker": (*_MODELS, "EVENT_LOG", *_TOLD),
        "operator": (*_MODELS, "EVENT_LOG"),
        "tool-search": (
            "SEARCH__PROVIDERS",
            *(f"SEARCH__{name.upper()}__API_KEYS" for name in PROVIDERS if name not in KEYLESS),
            "SEARCH__SEARXNG__BASE_URL",
            "SEARCH__FUSE",
            *(f"SEARCH__{name.upper()}__WEIGHT" for name in PROVIDERS),
            *(f"SEARCH__{name.upper()}__USD" for name in PROVIDERS if name not in KEYLESS),
            _CONTACT,
            *_TOLD,
        ),
        "tool-visit": ("VISIT__READER_ORDER", "VISIT__READER_URL", "VISIT__READER_KEY", _CONTACT, *_TOLD),
        "tool-scholar": (
            "SCHOLAR__PROVIDERS",
            *(f"SCHOLAR__{name.upper()}__API_KEYS" for name in TAKE_KEYS),
            _CONTACT,
            *_TOLD,
        ),
    }
)
"""The settings by part; a part that is not here has none of them."""


def choices_of(name: str) -> tuple[str, ...]:
    """Return the settings that a part has a use for."""
    return CHOICES.get(name, ())


def keys_of(name: str) -> tuple[str, ...]:
    """Return those of them that hold a secret."""
    secret = {item.variable for item in items().values() if is_secret(item.kind)}
    return tuple(setting for setting in choices_of(name) if f"{PREFIX}{setting}" in secret)


def all_choices() -> tuple[str, ...]:
    """Return every such setting once, in the order in which a person reads them."""
    return tuple(dict.fromkeys(setting for name in CHOICES for setting in CHOICES[name]))


def check_choices(chosen: Mapping[str, str]) -> None:
    """Refuse what no part has a use for, and secrets, which stand in no manifest. Raises `SettingsError`."""
    secret = {setting for name in CHOICES for setting in keys_of(name)}
    for setting in chosen:
        if setting in secret:
            raise SettingsError(f"a secret does not go into a manifest: {setting}")
        if setting not in all_choices():
            raise SettingsError(f"no part has a use for it: {setting}")
