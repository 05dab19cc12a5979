"""What hides the secrets of the settings, and of the environment, wherever they stand in a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from leadline.domain import Json
from leadline.settings import Settings, secrets_of
from leadline.telemetry.redaction import Redactor


def redaction_of(settings: Settings, more: Iterable[str] = ()) -> Callable[[str], str]:
    """Return what gives a text without the secrets of `settings` and `more`, and without what looks like one."""
    return Redactor({*secrets_of(settings), *more}).text


def cleaned(value: Json, clean: Callable[[str], str]) -> Json:
    """Return a JSON value whose every text went through `clean`."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(name): cleaned(inner, clean) for name, inner in value.items()}
    return [cleaned(inner, clean) for inner in value] if isinstance(value, list | tuple) else value
