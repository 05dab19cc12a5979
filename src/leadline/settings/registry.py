"""The settings as a flat list, read from the classes of `sections` once and for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from leadline.settings.kinds import Kind, Secret
from leadline.settings.masking import masked, passwords
from leadline.settings.sections import Settings

PREFIX: Final = "LEADLINE_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One setting: `name` is dotted (`model.api_key`), `default` is its text in documentation."""

    name: str
    kind: Kind
    description: str
    default: str

    @property
    def variable(self) -> str:
        """The environment variable that holds it."""
        return PREFIX + self.name.upper().replace(".", "__")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A setting as it is in force: `value` is text fit for printing, secrets masked.

    `source` is `flag`, `environment`, `file`, `default`, or `code` where a program set it.
    """

    name: str
    variable: str
    value: str
    source: str
    description: str


@cache
def items() -> Mapping[str, Item]:
    """Return every setting by its dotted name, in the order of the classes."""
    found = {item.name: item for item in _walk(Settings, "")}
    return MappingProxyType(found)


def value_of(settings: Settings, name: str) -> object:
    """Return the value in force of the setting with this dotted name."""
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def describe(settings: Settings) -> tuple[Row, ...]:
    """Return what is in force and whence, one row a setting, secrets masked."""
    defaults = Settings()
    rows = []
    for item in items().values():
        value = value_of(settings, item.name)
        unset = "default" if value == value_of(defaults, item.name) else "code"
        rows.append(
            Row(
                name=item.name,
                variable=item.variable,
                value=printable(value),
                source=settings.sources.get(item.name, unset),
                description=item.description,
            )
        )
    return tuple(rows)


def printable(value: object) -> str:
    """Return a setting's value as text, a secret masked."""
    if value is None:
        return "none"
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 100_000 else repr(value)
    return masked(str(value))


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return every secret in force, passwords of addresses as well: what must stand in no output."""
    found: set[str] = set()
    for name in items():
        _collect(value_of(settings, name), found)
    return frozenset(found)


def _collect(value: object, found: set[str]) -> None:
    if isinstance(value, Secret):
        found.add(value.reveal())
    elif isinstance(value, tuple | list):
        for item in value:
            _collect(item, found)
    elif isinstance(value, Mapping):
        _collect(list(value.values()), found)
    elif is_dataclass(value):
        _collect([getattr(value, entry.name) for entry in fields(value)], found)
    elif isinstance(value, str) and "://" in value:
        found |= passwords(value)


def _walk(section: type[Any], prefix: str) -> Iterator[Item]:
    for entry in fields(section):
        inner = entry.metadata.get("section")
        if inner is not None:
            yield from _walk(inner, f"{prefix}{entry.name}.")
        elif "kind" in entry.metadata:
            text = entry.metadata.get("default")
            if text is None:
                text = printable(None if entry.default is MISSING else entry.default)
            yield Item(
                name=prefix + entry.name,
                kind=entry.metadata["kind"],
                description=entry.metadata["description"],
                default=text,
            )
