"""Settings of the command line where it asks a service elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.settings.kinds import Key, OrNone, Secret, Server, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """The service that commands ask instead of working on this machine."""

    url: str | None = setting(
        None, OrNone(Server()), "Its base URL: `https://research.example.org`. `none`: this machine."
    )
    key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to it; never printed."
    )
