"""The kinds of values a setting can have: what is allowed, and how text or TOML becomes it.

A kind takes what the environment and flags have (text) and what TOML has (numbers, lists,
booleans). It raises `ValueError` or `TypeError` without a message: the caller names setting,
value, origin and `allowed`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE: Final = re.compile(r"(\d+)\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_SWITCH: Final = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Secret:
    """Text that never prints itself: not by `str`, `repr`, formatting, JSON or pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(********)"

    def __str__(self) -> str:
        return "********"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        raise TypeError("a secret is not pickled: hand over what is made with it")


class Kind(Protocol):
    """What values a setting takes."""

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        ...

    def parse(self, raw: object, base: Path) -> object:
        """Return the value; relative paths start at `base`.

        Raises `ValueError` or `TypeError`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    minimum: int = 0
    maximum: int | None = None

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"a whole number {_bounds(self.minimum, self.maximum)}"

    def parse(self, raw: object, base: Path) -> int:
        """Return the number; `1_000_000` is understood."""
        if isinstance(raw, bool) or not isinstance(raw, int | str):
            raise TypeError
        value = int(raw)
        if value < self.minimum or (self.maximum is not None and value > self.maximum):
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number within bounds; `above` excludes the lower one."""

    minimum: float = 0.0
    maximum: float | None = None
    above: bool = False

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"a number {_bounds(self.minimum, self.maximum, above=self.above)}"

    def parse(self, raw: object, base: Path) -> float:
        """Return the number."""
        if isinstance(raw, bool) or not isinstance(raw, int | float | str):
            raise TypeError
        value = float(raw)
        too_low = value <= self.minimum if self.above else value < self.minimum
        too_high = self.maximum is not None and value > self.maximum
        if not math.isfinite(value) or too_low or too_high:
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes; text may end in KiB, MiB or GiB."""

    minimum: int = 1

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"a number of bytes of at least {self.minimum:,}, such as 67108864 or 64MiB"

    def parse(self, raw: object, base: Path) -> int:
        """Return bytes."""
        match = None if isinstance(raw, bool) else _SIZE.fullmatch(str(raw).strip())
        if match is None:
            raise ValueError
        value = int(match[1]) * _UNITS[match[2].lower()]
        if value < self.minimum:
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    allowed: str = field(default="true or false", init=False)

    def parse(self, raw: object, base: Path) -> bool:
        """Return the state."""
        value = raw if isinstance(raw, bool) else _SWITCH.get(str(raw).strip().lower())
        if value is None:
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a fixed set of words. `later` are words whose part this version does not have."""

    words: tuple[str, ...]
    later: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        *most, last = (f"`{word}`" for word in self.words)
        return f"{', '.join(most)} or {last}" if most else last

    def parse(self, raw: object, base: Path) -> str:
        """Return the word."""
        if not isinstance(raw, str) or raw.strip() not in self.words:
            raise ValueError
        return raw.strip()


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text that is not empty."""

    allowed: str = field(default="one line of text that is not empty", init=False)

    def parse(self, raw: object, base: Path) -> str:
        """Return the text without surrounding white space."""
        if not isinstance(raw, str) or not raw.strip() or not raw.strip().isprintable():
            raise ValueError
        return raw.strip()


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: printable ASCII, since it travels in an HTTP header."""

    allowed: str = field(default="printable ASCII without spaces", init=False)
    secret: bool = field(default=True, init=False)

    def parse(self, raw: object, base: Path) -> Secret:
        """Return the key."""
        if not isinstance(raw, str) or not re.fullmatch(r"[!-~]+", raw.strip()):
            raise ValueError
        return Secret(raw.strip())


@dataclass(frozen=True, slots=True)
class Location:
    """A file or folder; `~` is the user's home."""

    allowed: str = field(default="a path", init=False)

    def parse(self, raw: object, base: Path) -> Path:
        """Return the absolute path."""
        if not isinstance(raw, str | Path) or not str(raw).strip() or "\0" in str(raw):
            raise ValueError
        try:
            path = Path(raw).expanduser()
        except RuntimeError as error:  # `~name` of a user that does not exist
            raise ValueError from error
        return base / path


@dataclass(frozen=True, slots=True)
class Servers:
    """Base URLs of HTTP servers: a TOML or JSON list, or text separated by commas."""

    allowed: str = field(
        default="http:// or https:// addresses, separated by commas, with no user or password",
        init=False,
    )

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        """Return the addresses without trailing slashes."""
        if isinstance(raw, str):
            text = raw.strip()
            raw = json.loads(text) if text.startswith("[") else text.split(",")
        if not isinstance(raw, list):
            raise TypeError
        return tuple(_server(item) for item in raw if item != "")


@dataclass(frozen=True, slots=True)
class Server:
    """Base URL of one HTTP server."""

    allowed: str = field(default="an http:// or https:// address with no user or password", init=False)

    def parse(self, raw: object, base: Path) -> str:
        """Return the address without trailing slashes."""
        return _server(raw)


@dataclass(frozen=True, slots=True)
class OrNone:
    """Another kind, or `none`."""

    kind: Kind

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"{self.kind.allowed}, or `none`"

    def parse(self, raw: object, base: Path) -> object:
        """Return the value or `None`."""
        if isinstance(raw, str) and raw.strip().lower() == "none":
            return None
        return self.kind.parse(raw, base)


def setting(default: T, kind: Kind, description: str) -> T:
    """Declare a setting in a dataclass: its default, what it takes, and what it means."""
    declared: Any = field(default=default, metadata={"kind": kind, "description": description})
    result: T = declared
    return result


def is_secret(kind: Kind) -> bool:
    """Return whether values of this kind must not be shown."""
    return bool(getattr(kind.kind if isinstance(kind, OrNone) else kind, "secret", False))


def comes_later(kind: Kind, raw: object) -> bool:
    """Return whether a refused value names a part that this version does not have."""
    text = str(raw).strip()
    return isinstance(kind, Choice) and text in kind.later


def _server(item: object) -> str:
    if not isinstance(item, str):
        raise TypeError
    text = item.strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable():
        raise ValueError
    if parts.username is not None or parts.query or parts.fragment or " " in text:
        raise ValueError
    _ = parts.port  # raises ValueError for what is no port
    return text


def _bounds(minimum: float, maximum: float | None, *, above: bool = False) -> str:
    low = f"above {minimum:,}" if above else f"of at least {minimum:,}"
    return low if maximum is None else f"{low} and at most {maximum:,}"
