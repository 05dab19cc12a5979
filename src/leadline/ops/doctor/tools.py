"""Tools and their providers: each is asked for what it is for, as far as that costs nothing or is paid for."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from leadline.errors import LeadlineError, MissingExtra, ProviderDenied, ProviderLimited, SettingsError, ToolError
from leadline.ops.doctor.finding import Finding, Status, failed, off, warned, worst
from leadline.ops.doctor.look import PAGE, Look, beside, chosen
from leadline.settings import LOCAL
from leadline.wiring.probe_places import try_sandbox
from leadline.wiring.probe_tools import (
    free_search,
    try_key,
    try_mcp,
    try_page,
    try_scholar,
    try_search,
    try_service,
)

SECONDS: Final = 12.0
SANDBOX_SECONDS: Final = 60.0
RUNBOOK: Final = "docs/runbooks/tools-failing.md"
_LEAST_LEFT: Final = 100
_OWN: Final = "serves tenants with a key of their own: no key is set here to try it with"


async def search(look: Look) -> Finding:
    """Search with each provider; ask one that costs money what is left of its key."""
    place = look.settings.tools.search
    if place != LOCAL:
        return await _service(look, "search", place)
    names = look.settings.search.providers
    if not names:
        return off("no provider is set: the web is not searched")
    parts = await beside({name: _provider(look, name) for name in names})
    return _unasked(look, _any_of(parts, must=chosen(look, "search.providers")))


async def scholar(look: Look) -> Finding:
    """Search with each service of scholarly works."""
    place = look.settings.tools.scholar
    if place != LOCAL:
        return await _service(look, "scholar", place)
    names = look.settings.scholar.providers
    if not names:
        return off("no service is set: scholarly works are not searched")
    parts = await beside({name: _source(look, name) for name in names})
    return _unasked(look, _any_of(parts, must=chosen(look, "scholar.providers")))


async def visit(look: Look) -> Finding:
    """Read a page of the web, as a run reads it."""
    place = look.settings.tools.visit
    if place != LOCAL:
        return await _service(look, "visit", place)
    began = time.monotonic()
    try:
        length = await try_page(look.settings, await look.folder(), look.page, seconds=SECONDS - 2)
    except ToolError as error:
        cause = f"{look.page}: {error}"
        command = f"curl -sSI -m 5 {look.page}"
        return _unasked(look, failed(cause, command=command, runbook=RUNBOOK, status=Status.DEGRADED))
    return _well(began, f"read {length} characters of {look.page}")


async def python(look: Look) -> Finding:
    """Prove the sandbox and run a program in it."""
    began = time.monotonic()
    place = look.settings.tools.python if look.settings.sandbox != "off" else LOCAL
    if place != LOCAL:
        return await _service(look, "python", place)
    status = Status.UNHEALTHY if look.settings.sandbox != "auto" else Status.DEGRADED
    try:
        name = await try_sandbox(look.settings, await look.folder())
    except LeadlineError as error:
        return failed(str(error), command="leadline sandbox check", runbook="docs/diagnosis.md#sandbox", status=status)
    if name is None:
        return off("`sandbox` is `off`: there is no Python tool")
    return _well(began, f"{name}: its self-test holds, a program ran", sandbox=name)


async def tool_servers(look: Look) -> Finding:
    """List the tools of each external server (MCP) that is set."""
    servers = look.settings.mcp.servers
    if not servers:
        return off("no tool server is set")
    parts = await beside({one.name: _mcp(look, one.name) for one in servers})
    return _any_of(parts, must=True)


async def _mcp(look: Look, name: str) -> Finding:
    began = time.monotonic()
    command = f"leadline mcp tools {name}"
    try:
        there, given = await try_mcp(look.settings, await look.folder(), name)
    except LeadlineError as error:
        return failed(error, command=command, runbook=RUNBOOK)
    if given < there:
        return warned(
            f"{name}: {there - given} of {there} tools are not pinned or refused", command=command, runbook=RUNBOOK
        )
    return _well(began, f"{there} tools", tools=there)


async def _service(look: Look, tool: str, address: str) -> Finding:
    """Ask a tool's own service: that it is ready, and takes our key."""
    began = time.monotonic()
    try:
        await try_service(look.settings, tool, address, seconds=SECONDS - 2)
    except ToolError as error:
        command = "leadline settings" if isinstance(error, ProviderDenied) else f"curl -sS -m 5 {address}/readyz"
        return failed(error, command=command, runbook=RUNBOOK, facts={"address": address})
    return _well(began, f"{address}: ready, takes our key", address=address)


async def _provider(look: Look, name: str) -> Finding:
    section = look.settings.search.of(name)
    if look.settings.search.needs_own(name):
        return off(_OWN)
    if free_search(name) or look.paid:
        return await _asked(name, lambda: _hits(look, name), keys=bool(section.api_keys))
    began = time.monotonic()
    try:
        quota = await try_key(look.settings, await look.folder(), name, seconds=SECONDS - 2)
    except ToolError as error:
        return _refused(name, error, keys=True)
    if quota is None:
        return _well(began, "a key is set, a search would cost: try it with --paid", key_tried=False)
    if quota.left is not None and quota.left < _LEAST_LEFT:
        cause = f"{name}: {quota.left} requests are left of its keys"
        return warned(cause, command="leadline settings", runbook=RUNBOOK, facts={"quota_left": quota.left})
    left = "not told" if quota.left is None else str(quota.left)
    return _well(began, f"keys accepted, left: {left}", quota_left=quota.left, quota=quota.of)


async def _hits(look: Look, name: str) -> int:
    return await try_search(look.settings, await look.folder(), name, seconds=SECONDS - 2)


async def _source(look: Look, name: str) -> Finding:
    if look.settings.scholar.needs_own(name):
        return off(_OWN)
    keys = bool(look.settings.scholar.of(name).api_keys)
    if keys and name == "serper" and not look.paid:
        return Finding(told="a key is set, a search would cost: try it with --paid", facts={"key_tried": False})

    async def works() -> int:
        return await try_scholar(look.settings, await look.folder(), name, seconds=SECONDS - 2)

    return await _asked(name, works, keys=keys)


async def _asked(name: str, ask: Callable[[], Awaitable[int]], *, keys: bool) -> Finding:
    began = time.monotonic()
    try:
        count = await ask()
    except LeadlineError as error:
        return _refused(name, error, keys=keys)
    if not count:
        return warned(
            f"{name} answers, but finds nothing for a common word", command="leadline settings", runbook=RUNBOOK
        )
    return _well(began, f"{count} hits", hits=count)


def _refused(name: str, error: LeadlineError, *, keys: bool) -> Finding:
    """Return what a provider's failure means: waiting, a key, or the way there."""
    if isinstance(error, ProviderLimited):
        return warned(str(error), command="leadline settings", runbook=RUNBOOK)
    denied = isinstance(error, ProviderDenied) and keys
    command = "leadline settings" if denied else f"curl -sSI -m 5 {PAGE}"
    told = error if isinstance(error, MissingExtra | SettingsError) else _alone(error, name)
    return failed(told, command=command, runbook=RUNBOOK, facts={"provider": name})


def _alone(error: LeadlineError, name: str) -> str:
    """Return a failure's words without those that say of one provider that none answered."""
    text = str(error)
    return text.partition(f"; {name}: ")[2] or text


def _unasked(look: Look, finding: Finding) -> Finding:
    """Return what a provider is, without a warning where nothing asks for the web and none of it answers."""
    parts = finding.parts.values()
    dead = bool(finding.cause) and all(part.status in {Status.UNHEALTHY, Status.OFF} for part in parts)
    if look.web or not dead:
        return finding
    return off(f"the web is not reached, and nothing is set that asks for it: {finding.cause}")


def _any_of(parts: dict[str, Finding], *, must: bool) -> Finding:
    """Return providers as one: one that answers is enough; where the operator chose none, so is none."""
    status = worst(part.status for part in parts.values())
    none = all(part.status in {Status.UNHEALTHY, Status.OFF} for part in parts.values())
    if status is Status.UNHEALTHY and not (none and must):
        status = Status.DEGRADED
    bad = [(name, part) for name, part in parts.items() if part.cause]
    trouble = bad[0][1] if bad else Finding()
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    times = [part.latency_ms for part in parts.values() if part.latency_ms is not None]
    return Finding(
        status=status,
        told=f"{trouble.cause}{more}" if bad else "; ".join(f"{name}: {part.told}" for name, part in parts.items()),
        latency_ms=min(times, default=None),
        cause=f"{trouble.cause}{more}" if bad else "",
        command=trouble.command,
        runbook=trouble.runbook,
        parts=parts,
    )


def _well(began: float, told: str, **facts: str | int | bool | None) -> Finding:
    return Finding(told=told, latency_ms=round((time.monotonic() - began) * 1000), facts=facts)
