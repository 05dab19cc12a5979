"""Settings of tools that run as services of their own, and of the model that sums pages up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from leadline.errors import SettingsError
from leadline.settings.kinds import Choice, Key, Number, OrNone, Secret, Server, Servers, Switch, Text, Whole, setting

LOCAL: Final = "local"
"""A tool that runs in the process of the run."""


@dataclass(frozen=True, slots=True)
class ToolPlace:
    """Where a tool runs: `local`, or the base URL of its service."""

    allowed: str = field(default="`local`, or the http:// or https:// address of the tool's service", init=False)

    def parse(self, raw: object, base: Path) -> str:
        """Return the word or the address without trailing slashes."""
        if isinstance(raw, str) and raw.strip().lower() == LOCAL:
            return LOCAL
        return Server().parse(raw, base)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolsSettings:
    """Where the tools run: in the run's own process, or behind `leadline serve-tool`."""

    search: str = setting(LOCAL, ToolPlace(), "Where the web is searched: `local`, or `http://host:8001`.")
    visit: str = setting(LOCAL, ToolPlace(), "Where pages of the web are read: `local`, or `http://host:8002`.")
    scholar: str = setting(LOCAL, ToolPlace(), "Where scholarly works are searched: `local`, or `http://host:8003`.")
    python: str = setting(
        LOCAL,
        ToolPlace(),
        "Where programs run: `local` leaves it to `sandbox`; `http://host:8004` is the same as that address there.",
    )
    key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Key()),
        "The key that runs send to tool services, and that `serve-tool` demands. Without one `serve-tool` "
        "listens on loopback only.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SummarizerSettings:
    """The model that sums up long pages for a goal, beside their verbatim passages."""

    use: Literal["off", "main", "own"] = setting(
        "off",
        Choice(("off", "main", "own")),
        "`off`: passages alone. `main`: the model under `model`. `own`: the servers named here.",
    )
    urls: tuple[str, ...] = setting((), Servers(), "Base URLs of the summariser's own servers, or of its service.")
    name: str | None = setting(None, OrNone(Text()), "The summariser's name at its servers; a service needs none.")
    api_key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to the summariser's servers; never printed."
    )
    kind: Literal["openai", "anthropic", "service"] = setting(
        "openai",
        Choice(("openai", "anthropic", "service")),
        "The protocol of its servers; `service` takes `POST {content, goal}` and answers `{summary}`.",
    )
    max_content: int = setting(
        50_000, Whole(1_000, 1_000_000), "Characters of a page that it is shown; of a longer one, what serves the goal."
    )
    max_tokens: int = setting(2_048, Whole(128), "Tokens that one summary may have.")
    seconds: float = setting(
        30.0, Number(0, above=True), "How long a summary may take; then the page's passages are shown without one."
    )
    free: bool = setting(False, Switch(), "Its calls cost no money.")


def check_summarizer(section: SummarizerSettings, *, model: bool, given: bool) -> None:
    """Refuse a summariser that is half set. `model` tells of a main model, `given` of `use` itself."""
    if section.use == "main" and not model:
        raise SettingsError("`summarizer.use` is `main`, but no model is set: set `model.urls`")
    if section.use == "own" and not section.urls:
        raise SettingsError("`summarizer.use` is `own`: set `summarizer.urls`")
    if section.use == "own" and section.kind != "service" and not section.name:
        raise SettingsError("`summarizer.use` is `own`: set `summarizer.name`, or `summarizer.kind` to `service`")
    if section.urls and not given:
        raise SettingsError("`summarizer.urls` is set, but `summarizer.use` is not: set it to `own`")


def check_tools(section: ToolsSettings, *, sandbox: str) -> None:
    """Refuse two addresses for the one place where programs run."""
    if section.python != LOCAL and "://" in sandbox and sandbox != section.python:
        raise SettingsError(
            f"`tools.python` is {section.python} and `sandbox` is {sandbox}: programs run at one place, set one of them"
        )
