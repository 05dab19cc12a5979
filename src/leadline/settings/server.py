"""Settings of the command line where it asks a service elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.settings.kinds import Key, OrNone, Secret, Server, Whole, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """The service that commands ask instead of working on this machine."""

    url: str | None = setting(
        None, OrNone(Server()), "Its base URL: `https://research.example.org`. `none`: this machine."
    )
    key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to it; never printed."
    )
    priority: int = setting(
        0,
        Whole(-10, 10),
        "Of the runs that wait there those with more go first. More than 0 takes an admin of the tenants that run it.",
    )
