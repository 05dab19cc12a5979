"""Settings of tool servers that speak MCP: which there are, and how they are reached."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from leadline.settings.kinds import Location, Number, OrNone, Secret, Server, Switch, setting

SECONDS: Final = 60.0
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
_FIELDS: Final = frozenset({"command", "url", "env", "headers", "tools", "guarded", "seconds"})

Secrets: TypeAlias = tuple[tuple[str, Secret], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class McpServer:
    """One tool server: a `command` to start, or the `url` of one that runs; exactly one of the two.

    `env` and `headers` may hold secrets. `tools` are the only ones that are offered, `None` for all
    that are pinned. `guarded` treats the address as a stranger's: no internal network, ports 80 and
    443 alone. `seconds` is what a call may take.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str | None = None
    env: Secrets = ()
    headers: Secrets = ()
    tools: tuple[str, ...] | None = None
    guarded: bool = False
    seconds: float = SECONDS

    def __str__(self) -> str:
        return f"{self.name}: {self.command[0] if self.command else self.url}"


@dataclass(frozen=True, slots=True)
class McpServers:
    """Tool servers by name. A command is taken from a settings file alone: it runs on this machine."""

    allowed: str = field(
        default="a table for each server, with `url`, or in a settings file `command`; besides `env`, `headers`, "
        "`tools`, `guarded`, `seconds`",
        init=False,
    )
    secret: bool = field(default=True, init=False)

    def parse(self, raw: object, base: Path) -> tuple[McpServer, ...]:
        """Return the servers. Text (JSON, from the environment or a flag) may name addresses only."""
        is_text = isinstance(raw, str)
        table = json.loads(raw) if isinstance(raw, str) else raw
        if not isinstance(table, Mapping):
            raise TypeError
        found = tuple(_server(str(name), one, base) for name, one in table.items())
        if is_text and any(server.command for server in found):
            raise ValueError
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class McpSettings:
    """External tool servers. What one offers is used only once `leadline mcp pin` has pinned it."""

    servers: tuple[McpServer, ...] = setting(
        (),
        McpServers(),
        "Tool servers by name (`[mcp.servers.NAME]`): `url`, or a `command` that is started. Runs that ask for them "
        "with `--mcp NAME` get the tools that are pinned.",
    )
    pins: Path | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Location()),
        "File of the tools' pinned descriptions; several machines need the same. `none`: in the data folder.",
    )


def _server(name: str, raw: object, base: Path) -> McpServer:
    if not isinstance(raw, Mapping):
        raise TypeError
    if not _NAME.fullmatch(name) or set(raw) - _FIELDS or ("command" in raw) == ("url" in raw):
        raise ValueError
    return McpServer(
        name=name,
        command=_words(raw["command"]) if "command" in raw else (),
        url=Server().parse(raw["url"], base) if "url" in raw else None,
        env=_secrets(raw.get("env", {})),
        headers=_secrets(raw.get("headers", {})),
        tools=_words(raw["tools"]) if "tools" in raw else None,
        guarded=Switch().parse(raw.get("guarded", False), base),
        seconds=Number(0, 600, above=True).parse(raw.get("seconds", SECONDS), base),
    )


def _words(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 a value of TOML
    if not isinstance(raw, list) or not raw or not all(isinstance(word, str) and word for word in raw):
        raise TypeError
    return tuple(raw)


def _secrets(raw: Any) -> Secrets:  # noqa: ANN401 a value of TOML
    if not isinstance(raw, Mapping) or not all(isinstance(value, str) for value in raw.values()):
        raise TypeError
    return tuple((str(name), Secret(value)) for name, value in raw.items())
