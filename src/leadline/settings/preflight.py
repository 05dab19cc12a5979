"""Settings of `leadline preflight`: where what stands around the service is, so that it can be asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from leadline.settings.kinds import Location, Number, OrNone, Server, Whole, setting
from leadline.settings.web import listed

_HOST: Final = re.compile(r"\.?[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Places:
    """Hosts, domains and networks: a TOML or JSON list, or text separated by commas."""

    allowed: str = field(
        default="hosts (`db.internal`), domains (`.svc`) or networks (`10.1.0.0/16`), separated by commas", init=False
    )

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        """Return them, each once."""
        return tuple(dict.fromkeys(_place(one.lower()) for one in listed(raw)))


def _place(text: str) -> str:
    if "/" in text or ":" in text or text.replace(".", "").isdigit():
        return str(ip_network(text))
    if not _HOST.fullmatch(text):
        raise ValueError
    return text


@dataclass(frozen=True, kw_only=True, slots=True)
class PreflightSettings:
    """What `leadline preflight` looks at beside the settings of the service itself."""

    url: str | None = setting(
        None, OrNone(Server()), "The service as its users reach it: `https://research.example.org`."
    )
    ca: Path | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Location()), "File of certificates that signed the service's, where no public authority did."
    )
    prometheus: str | None = setting(None, OrNone(Server()), "Address of Prometheus: `http://127.0.0.1:9090`.")
    alertmanager: str | None = setting(None, OrNone(Server()), "Address of Alertmanager: `http://127.0.0.1:9093`.")
    grafana: str | None = setting(None, OrNone(Server()), "Address of Grafana. `none`: the operator is asked.")
    access_log: Path | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Location()), "The balancer's or the service's access log, in which our own requests must appear."
    )
    backup_hours: float = setting(26.0, Number(0, above=True), "Age in hours that the last backup may have.")
    restore_days: float = setting(90.0, Number(0, above=True), "Age in days that the last proven restore may have.")
    requests: int = setting(
        400, Whole(10, 100_000), "Requests that are sent at most to see that a limit answers with 429."
    )
    trusted: tuple[str, ...] = setting(
        (),
        Places(),
        "What is reached over networks of your own, on which nobody else can listen or which encrypt by themselves: "
        "there TLS is not asked for. Without it only this machine is trusted.",
    )
    answers: Path | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Location()),
        "File of the operator's answers (JSON). `none`: `preflight.json` in the data folder.",
    )
