"""Items that are seen from inside: by the settings, the doctor's findings, and what backups leave behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from leadline.errors import LeadlineError
from leadline.ops.doctor import Finding, Status
from leadline.ops.doctor.machine import gpus_here
from leadline.ops.preflight.item import Ground, Standing, done, missing, not_needed
from leadline.ops.preflight.travels import travel
from leadline.settings import Settings
from leadline.settings.cache import OFF
from leadline.settings.telemetry import STDERR
from leadline.wiring import data_folder
from leadline.wiring.accounts import open_accounts
from leadline.wiring.probe_models import model_servers

LAST: Final = "backups/last.json"
RESTORED: Final = "backups/restored.json"


def _by(finding: Finding | None, *, off: str, must_be_on: str = "") -> Standing:
    """Return a doctor's finding as a standing; warnings are told, and do not keep from production.

    `must_be_on` is the command that sets what must not be off.
    """
    if finding is None:
        return missing("it was not looked at", "leadline doctor")
    if finding.status is Status.OFF:
        return missing(off, must_be_on) if must_be_on else not_needed(off)
    if finding.status is Status.UNHEALTHY:
        return missing(finding.cause, finding.command)
    return done(finding.told)


def _finding(ground: Ground, name: str) -> Finding | None:
    return ground.diagnosis.findings.get(name)


async def model_health(ground: Ground) -> Standing:
    """See that every role has a model server that answers."""
    return _by(_finding(ground, "model_service"), off="no model is set", must_be_on="leadline init")


async def several_models(ground: Ground) -> Standing:
    """See that the main model has more than one server."""
    urls = ground.settings.model.urls
    if not urls:
        return not_needed("no model is set")
    if len(urls) < 2:
        told = f"{urls[0]} is the only server of the model: when it is away, reports are extractive"
        return missing(told, "leadline settings")
    return done(f"{len(urls)} servers, balanced by {ground.settings.model.balance}")


async def gpu_servers(ground: Ground) -> Standing:
    """See GPUs of this machine with their driver; of others the model servers' answers are the proof."""
    own = [server for server in await asyncio.to_thread(model_servers, ground.settings) if not server.priced]
    if not own:
        return not_needed("no model server of one's own is set")
    gpus = await asyncio.to_thread(gpus_here)
    if gpus:
        first = gpus[0]
        return done(f"{len(gpus)} GPUs here: {first.name}, {first.total / 1024:.0f} GiB, driver {first.driver}")
    finding = _finding(ground, "model_service")
    if finding is not None and finding.status in {Status.HEALTHY, Status.DEGRADED}:
        return done(f"none here; {len(own)} model servers elsewhere answer")
    return missing("no GPU is here, and no model server answers", "nvidia-smi")


async def redis(ground: Ground) -> Standing:
    """See that each Redis answers, is not one for all, and has a replica."""
    settings = ground.settings
    used = [settings.cache.scheme.startswith("redis"), settings.limits.scheme.startswith("redis")]
    if not any(used) and not settings.engine.startswith("celery"):
        return not_needed("no Redis is set: one machine, one process")
    for name in ("cache", "limits", "broker"):
        finding = _finding(ground, name)
        if finding is not None and finding.status is Status.UNHEALTHY:
            return missing(finding.cause, finding.command)
    shared = [warning for warning in settings.warnings if "is the Redis of `engine`" in warning]
    if shared:
        return missing(shared[0], "leadline settings")
    alone = [
        name
        for name in ("limits", "broker")
        if (found := _finding(ground, name)) is not None and found.facts.get("replicas") == 0
    ]
    if alone and not settings.engine.startswith("celery+sentinel"):
        return missing(f"the Redis of {' and '.join(alone)} has no replica", "redis-cli replicaof HOST PORT")
    return done("each answers")


async def provider_keys(ground: Ground) -> Standing:
    """See that the key of each provider that is set was accepted."""
    tried: list[str] = []
    settings = ground.settings
    sections = {"tool_services.search": settings.search.of, "tool_services.scholar": settings.scholar.of}
    for name, section_of in sections.items():
        finding = _finding(ground, name)
        for provider, part in (finding.parts if finding is not None else {}).items():
            if not section_of(provider).api_keys:
                continue
            if part.status is Status.UNHEALTHY:
                return missing(f"{provider}: {part.cause}", part.command)
            if part.facts.get("key_tried") is False:
                return missing(f"{provider}: a key is set and was not tried", "leadline preflight --paid")
            tried.append(provider)
    return done(", ".join(tried)) if tried else not_needed("no provider with a key is set here")


async def tools_work(ground: Ground) -> Standing:
    """See that each tool does its work, or its service is ready."""
    names = [name for name in ground.diagnosis.findings if name.startswith("tool_services.")]
    for name in names:
        finding = ground.diagnosis.findings[name]
        if finding.status in {Status.UNHEALTHY, Status.DEGRADED}:
            return missing(f"{name.partition('.')[2]}: {finding.cause}", finding.command)
    there = [name.partition(".")[2] for name in names if ground.diagnosis.findings[name].status is Status.HEALTHY]
    return done(", ".join(there)) if there else missing("no tool is on", "leadline settings")


async def cache(ground: Ground) -> Standing:
    """See that answers are kept."""
    if ground.settings.cache.scheme == OFF:
        return missing("`cache` is `off`: every page and search is paid for again", "leadline settings")
    return _by(_finding(ground, "cache"), off="`cache` is `off`")


async def logs_collected(ground: Ground) -> Standing:
    """See that log lines go where they outlive the process."""
    sink = ground.settings.log.sink
    if sink.url == STDERR:
        told = "lines go to standard error: journald or the container's engine must keep them; see docs/logging.md"
        return missing(told, "LEADLINE_LOG__SINK=file:///var/log/leadline/service.log")
    return done(f"lines go to {sink}")


async def secrets_encrypted(ground: Ground) -> Standing:
    """See that secrets are kept encrypted, the file of settings is private, and nothing travels readable.

    That every place that is not this machine is reached over TLS, or vouched for in `preflight.trusted`.
    """
    settings = ground.settings
    if settings.secrets.key is None:
        return missing("`secrets.key` is not set: tenants' keys cannot be kept", "openssl rand -base64 32")
    private = [warning for warning in settings.warnings if "chmod" in warning]
    if private:
        return missing(private[0], private[0].rpartition(": ")[2])
    found = travel(settings)
    if found.open:
        told = f"over the network without checked TLS: {'; '.join(found.open)}"
        return missing(told, "TLS, or LEADLINE_PREFLIGHT__TRUSTED for a network of your own: docs/operations.md")
    words = [
        "secrets encrypted, settings private",
        "the rest over TLS or on this machine"
        if not found.trusted
        else f"over TLS, on this machine, or in networks you vouch for: {'; '.join(found.trusted)}",
        await _of_tenants(settings),
    ]
    return done("; ".join(word for word in words if word))


async def _of_tenants(settings: Settings) -> str:
    """Return what is to be told of the addresses that tenants have for events: they are theirs to choose."""
    try:
        async with open_accounts(settings) as accounts:
            tenants = [tenant.id for tenant in await accounts.tenants.list()]
            hooks = [hook for tenant in tenants for hook in await accounts.webhooks.list(tenant)]
    except LeadlineError as error:
        return f"webhooks of tenants were not seen: {error}"
    plain = sum(urlsplit(hook.url).scheme == "http" for hook in hooks)
    return f"{plain} of {len(hooks)} webhooks of tenants are told of events without TLS" if plain else ""


async def sandbox_isolated(ground: Ground) -> Standing:
    """See that programs cannot get out: by the self-test, which tries to."""
    return _by(_finding(ground, "tool_services.python"), off="there is no Python tool")


async def backup_fresh(ground: Ground) -> Standing:
    """See that the last backup is young enough and was verified."""
    hours = ground.settings.preflight.backup_hours
    told = await asyncio.to_thread(_read, ground, LAST)
    if told is None:
        return missing("no backup was ever made here", "leadline backup to DEST")
    age = _age(ground, told) / 3_600
    if age > hours:
        return missing(f"the last backup is {age:.0f} hours old, {hours:g} are allowed", "leadline backup to DEST")
    if told.get("verified") is not True:
        return missing(f"the backup in {told.get('target')} was not verified", "leadline backup verify SRC")
    return done(f"{age:.1f} hours old, verified")


async def restore_tried(ground: Ground) -> Standing:
    """See that a restore was proven lately: a backup that nobody restored is a hope."""
    days = ground.settings.preflight.restore_days
    told = await asyncio.to_thread(_read, ground, RESTORED)
    if told is None:
        return missing("no restore was ever proven", "leadline restore SRC")
    age = _age(ground, told) / 86_400
    if age > days:
        return missing(f"the last restore was proven {age:.0f} days ago, {days:g} are allowed", "leadline restore SRC")
    return done(f"proven {age:.0f} days ago")


def _read(ground: Ground, name: str) -> dict[str, Any] | None:
    path: Path = data_folder(ground.settings) / name
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None


def _age(ground: Ground, told: dict[str, Any]) -> float:
    """Return the seconds since the moment that is told; one that cannot be read is long ago."""
    try:
        at = datetime.fromisoformat(str(told["at"]))
    except (KeyError, ValueError):
        return float("inf")
    return ground.clock.now() - (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
