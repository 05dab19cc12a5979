"""`leadline doctor`: everything that is set, asked whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import orjson

from leadline import codec
from leadline.cli.options import common, elsewhere
from leadline.cli.session import on_loop, quiet_log
from leadline.cli.shell import Shell, pass_shell, write
from leadline.errors import InputError, ServiceError, SettingsError, Unhealthy
from leadline.settings import Settings, load

if TYPE_CHECKING:
    from leadline.ops.doctor import Diagnosis, Finding

PATIENCE: Final = 120.0
"""Seconds that a service may take to examine itself."""


@click.command(
    epilog="""\b
Examples:
  leadline doctor
  leadline doctor --only model_service --paid
  leadline doctor --json | jq '.checks.queue'
  leadline doctor --server https://research.example.org
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--paid", is_flag=True, help="Ask also what costs money: searches by key, answers of priced models.")
@click.option("--page", metavar="URL", help="The page that reading the web is tried with.")
@click.option("--only", multiple=True, metavar="CHECK", help="This check or group alone; may be given several times.")
@elsewhere
@common
@pass_shell
def doctor(shell: Shell, *, as_json: bool, paid: bool, page: str | None, only: tuple[str, ...]) -> None:
    """Check everything that is set, by asking it, and say of each fault what to do.

    Models answer, tools search and read, stores are written to and read back, a program runs in the
    sandbox; all side by side, each within its own time. Exits with 13 where something that is set
    does not work; warnings and what is off leave it at 0. `--server` has a service examine itself: causes
    are shown to admin keys of the tenants that run it (its setting `service.operators`).
    """
    quiet_log(debug=shell.debug)
    from leadline.ops.doctor import shown_text  # noqa: PLC0415 the whole platform: only where it is looked at
    from leadline.wiring.redaction import cleaned, redaction_of  # noqa: PLC0415 as above

    settings = _settings(shell)
    diagnosis = _diagnosis(settings, paid=paid, page=page, only=only)
    clean = redaction_of(settings) if isinstance(settings, Settings) else str
    write(codec.encode(cleaned(diagnosis.body(), clean)).decode() if as_json else clean(shown_text(diagnosis)))
    if diagnosis.failed:
        raise Unhealthy(
            f"{len(diagnosis.failed)} of {len(diagnosis.findings)} checks failed: " + ", ".join(diagnosis.failed)
        )


def _settings(shell: Shell) -> Settings | SettingsError:
    """Return the settings, or why there are none."""
    try:
        return load(flags=shell.flags, config=shell.config)
    except SettingsError as error:
        return error


def _diagnosis(settings: Settings | SettingsError, *, paid: bool, page: str | None, only: tuple[str, ...]) -> Diagnosis:
    from leadline.ops.doctor import CHECKS, PAGE, Look, asks_for_web, examine  # noqa: PLC0415 as above

    known = {name for check in CHECKS for name in (check.name, check.name.partition(".")[0])}
    unknown = sorted(set(only) - known)
    if unknown:
        raise InputError(f"no such check: {unknown[0]}; there are: {', '.join(check.name for check in CHECKS)}")
    if isinstance(settings, SettingsError):
        return _unset(settings)
    if settings.server.url is not None:
        return on_loop(_served(settings, paid=paid))
    named = any(name.partition(".")[0] == "tool_services" for name in only)
    web = named or paid or page is not None or asks_for_web(settings)
    look = Look(settings=settings, paid=paid, page=page or PAGE, web=web)
    return on_loop(examine(look, only=only))


def _unset(error: SettingsError) -> Diagnosis:
    """Return what is to be said where the settings themselves cannot be read: nothing else can be asked."""
    from datetime import UTC, datetime  # noqa: PLC0415 only for this

    from leadline.ops.doctor import Diagnosis  # noqa: PLC0415 as above
    from leadline.ops.doctor.finding import failed  # noqa: PLC0415 as above
    from leadline.resilience import SystemClock  # noqa: PLC0415 as above

    found: Finding = failed(str(error), command="leadline settings --help", runbook="docs/diagnosis.md#settings")
    at = datetime.fromtimestamp(SystemClock().now(), UTC).isoformat(timespec="seconds")
    return Diagnosis(at=at, findings={"settings": found})


async def _served(settings: Settings, *, paid: bool) -> Diagnosis:
    """Have the service that is set examine itself."""
    from leadline.client import AsyncClient  # noqa: PLC0415 only where a service is asked
    from leadline.client.http import Sent  # noqa: PLC0415 as above
    from leadline.ops.doctor import read_diagnosis  # noqa: PLC0415 as above

    key = settings.server.key.reveal() if settings.server.key else None
    path = "/v1/diagnostics?paid=true" if paid else "/v1/diagnostics"
    async with AsyncClient(settings.server.url or "", key=key, patience=PATIENCE) as client:
        reply = await client.http.ask(Sent(method="GET", path=path))
    try:
        return read_diagnosis(orjson.loads(reply.body))
    except ValueError as error:
        raise ServiceError(f"{settings.server.url} told of itself in no form that this version knows") from error
