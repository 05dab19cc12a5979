"""What a supervised part is: a program, what it waits for, how one sees that it is ready, how it is ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leadline.errors import SettingsError


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """Ready when `GET path` answers 200, or anything where a part has no answer for whoever comes without a key.

    `ca` is the authority's file where TLS is spoken.
    """

    port: int
    path: str = "/healthz"
    ca: Path | None = None
    anything: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisPing:
    """Ready when a Redis answers PING, its data loaded."""

    port: int
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listens:
    """Ready when a connection is taken, which the system does for a program that hangs as well."""

    port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Says:
    """Ready when a program ends with status 0."""

    argv: tuple[str, ...]


Probe = Http | RedisPing | Listens | Says


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One part.

    `own` marks a process of Leadline's, which inherits the settings that it needs; any other server inherits what
    programs need to run, and no more. `env` is laid over that. `ready` is `None` for a part that does its
    work `once` and ends with status 0. `after` names the parts that must be ready before, and that are
    ended later. `user` is the user it runs as where the supervisor is root. `out` takes standard
    output instead of the log. `stop` asks it to end; after `stop_seconds` it is killed, with all
    that it started. `address` is where people or programs find it.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    ready: Probe | None
    own: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    after: tuple[str, ...] = ()
    user: str | None = None
    out: Path | None = None
    stop: signal.Signals = signal.SIGTERM
    start_seconds: float = 90.0
    stop_seconds: float = 20.0
    address: str = ""

    @property
    def once(self) -> bool:
        """Whether it ends by itself when its work is done."""
        return self.ready is None


def in_order(units: Sequence[Unit]) -> list[Unit]:
    """Return the units so that each stands behind what it waits for. Raises `SettingsError` for a circle or a gap."""
    left = {unit.name: unit for unit in units}
    found: dict[str, Unit] = {}
    while left:
        free = [unit for unit in left.values() if all(name in found for name in unit.after)]
        if not free:
            raise SettingsError(f"these parts wait for one another, or for what is not there: {', '.join(left)}")
        for unit in free:
            found[unit.name] = left.pop(unit.name)
    return list(found.values())
