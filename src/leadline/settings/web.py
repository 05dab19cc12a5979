"""Settings of what reaches the open web: fetching, searching, and the kinds of values that they take."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal

from leadline.settings.kinds import Choice, Key, Number, OrNone, Secret, Server, Switch, Text, Whole, setting

PROVIDERS: Final = ("wikipedia", "ddgs", "searxng", "serper", "tavily", "brave", "exa", "jina", "serpapi")
KEYLESS: Final = frozenset({"wikipedia", "ddgs", "searxng"})

OWN_KEYS: Final = (
    "Whether a service that needs a key may be named without one: then it serves the tenants that keep a key of "
    "their own, and for all others it is as if it were not named."
)

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, kw_only=True, slots=True)
class HostHeaders:
    """Headers that are sent to one host, or one origin, and nowhere else; it never prints them."""

    host: str
    headers: tuple[tuple[str, Secret], ...]

    def __str__(self) -> str:
        return f"{self.host}: ********"

    def plain(self) -> Mapping[str, str]:
        """Return the headers, for the one place that sends them."""
        return {name: value.reveal() for name, value in self.headers}


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers by host, in the settings file only: the environment reaches every child process."""

    allowed: str = field(
        default="a table of tables in the settings file: host or origin, then header and value", init=False
    )
    secret: bool = field(default=True, init=False)

    def parse(self, raw: object, base: Path) -> tuple[HostHeaders, ...]:
        """Return the headers host by host."""
        if not isinstance(raw, Mapping):
            raise TypeError
        return tuple(HostHeaders(host=str(host), headers=_headers(one)) for host, one in raw.items())


def _headers(raw: object) -> tuple[tuple[str, Secret], ...]:
    if not isinstance(raw, Mapping) or not all(isinstance(value, str) for value in raw.values()):
        raise TypeError
    return tuple((str(name), Secret(value)) for name, value in raw.items())


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks in CIDR form: a TOML or JSON list, or text separated by commas."""

    allowed: str = field(default="networks such as 10.1.0.0/16, separated by commas", init=False)

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        """Return the networks."""
        return tuple(str(ip_network(item)) for item in listed(raw))


@dataclass(frozen=True, slots=True)
class Words:
    """Some of a set of words, in order."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"any of {', '.join(f'`{word}`' for word in self.words)}, separated by commas"

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        """Return the words, each once."""
        found = tuple(dict.fromkeys(listed(raw)))
        if not set(found) <= set(self.words):
            raise ValueError
        return found


@dataclass(frozen=True, slots=True)
class Tenants:
    """Tenants by their ids, in order."""

    allowed: str = field(default="ids of tenants, separated by commas", init=False)

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        """Return the ids, each once."""
        found = tuple(dict.fromkeys(listed(raw)))
        if not all(_TENANT.fullmatch(one) for one in found):
            raise ValueError
        return found


@dataclass(frozen=True, slots=True)
class Keys:
    """Several API keys."""

    allowed: str = field(default="printable ASCII without spaces; several separated by commas", init=False)
    secret: bool = field(default=True, init=False)

    def parse(self, raw: object, base: Path) -> tuple[Secret, ...]:
        """Return the keys."""
        return tuple(Key().parse(item, base) for item in listed(raw))


def listed(raw: object) -> list[str]:
    """Return the items of a list, or of text that stands for one."""
    if isinstance(raw, str):
        text = raw.strip()
        raw = json.loads(text) if text.startswith("[") else text.split(",")
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise TypeError
    return [item.strip() for item in raw if item.strip()]


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchSettings:
    """Fetching pages from the web, where a run is allowed to."""

    contact: str | None = setting(
        None, OrNone(Text()), "An address of mail or web that is sent in User-Agent, for operators of sites."
    )
    allow_private: tuple[str, ...] = setting(
        (),
        Networks(),
        "Private networks that may be fetched from, every port in them included; addresses of cloud metadata never.",
    )
    robots: Literal["obey", "ignore"] = setting(
        "obey", Choice(("obey", "ignore")), "Whether pages that robots.txt forbids are left alone."
    )
    headers: tuple[HostHeaders, ...] = setting(
        (), Headers(), "Your own headers for single hosts, such as a key for a wiki; only in the settings file."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderSettings:
    """One service that searches the web."""

    api_keys: tuple[Secret, ...] = setting((), Keys(), "Its keys, taken in turn; never printed.")
    base_url: str | None = setting(None, OrNone(Server()), "Its address, where it is not the public one.")
    qps: float | None = setting(
        None, OrNone(Number(0, above=True)), "Requests a second. `none`: what it allows by default."
    )
    usd: float = setting(
        0.0, Number(0), "US dollars that a request costs: in a run's cost and limit, and in those of `cache warm`."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedSettings(ProviderSettings):
    """One service whose answers are joined with those of others."""

    weight: float = setting(1.0, Number(0, above=True), "How much its ranks count where answers are joined.")


def provider() -> ProviderSettings:
    """Return the field of a provider's section."""
    made: ProviderSettings = field(default_factory=ProviderSettings, metadata={"section": ProviderSettings})
    return made


def ranked() -> RankedSettings:
    """Return the field of the section of a provider whose ranks count."""
    made: RankedSettings = field(default_factory=RankedSettings, metadata={"section": RankedSettings})
    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchSettings:
    """Searching the web, where a run is allowed to."""

    providers: tuple[str, ...] = setting(
        ("wikipedia",),
        Words(PROVIDERS),
        "Services that search the web, in order: the first that answers counts. `wikipedia`, `searxng` (your own "
        "instance) and `ddgs` (reads result pages of several engines, unofficially; extra `ddgs`) need no key.",
    )
    fuse: int = setting(
        1,
        Whole(1, len(PROVIDERS)),
        "Services that each query goes to side by side; with more than one their answers are joined by reciprocal "
        "rank, and each is paid for. For one that fails the next stands in.",
    )
    weight: float = setting(
        1.0, Number(0, above=True), "How much the ranks of the web count beside those of a run's documents."
    )
    own_keys: bool = setting(False, Switch(), OWN_KEYS)
    wikipedia: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    ddgs: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    searxng: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    serper: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    tavily: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    brave: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    exa: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    jina: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    serpapi: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field

    def of(self, name: str) -> RankedSettings:
        """Return the section of a provider."""
        found: RankedSettings = getattr(self, name)
        return found

    def needs_own(self, name: str) -> bool:
        """Return whether a provider serves only tenants that keep a key of their own: it needs one, and has none."""
        return name not in KEYLESS and not self.of(name).api_keys
