"""Model servers, by a real answer; servers of vectors."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from leadline.domain import Json
from leadline.errors import ModelDenied, ModelError, ModelTimeout
from leadline.ops.doctor.finding import Finding, Status, failed, off, warned, worst
from leadline.ops.doctor.look import Look, beside
from leadline.wiring.probe_models import Server, Tried, model_servers, try_ranking, try_server, try_vectors

SECONDS: Final = 60.0
"""For all servers together; each of their answers has a third."""

RUNBOOK: Final = "docs/runbooks/model-timeouts.md"
_MALFORMED: Final = "docs/runbooks/malformed-output.md"
_SLOW: Final = 15.0


async def model_service(look: Look) -> Finding:
    """Ask each server for a short answer, a tool call and JSON; one that costs money, only where `paid`."""
    servers = await asyncio.to_thread(model_servers, look.settings)
    if not servers:
        told = "no model is set: reports are made by the extractive strategy"
        return off(told, response_valid=False)
    parts = await beside({f"{server.role} {server.url}": _server(look, server) for server in servers})
    return _together(servers, parts)


def _together(servers: tuple[Server, ...], parts: dict[str, Finding]) -> Finding:
    """Return what the servers are as one: a role with a server left is degraded, not down."""
    dead = 0
    for role in dict.fromkeys(server.role for server in servers):
        own = [part for name, part in parts.items() if name.partition(" ")[0] == role]
        dead += all(part.status is Status.UNHEALTHY for part in own)
    status = worst(part.status for part in parts.values())
    if status is Status.UNHEALTHY and not dead:
        status = Status.DEGRADED
    answered = [part for part in parts.values() if part.status is not Status.UNHEALTHY]
    trouble = next((part for part in parts.values() if part.cause), Finding())
    times = [part.latency_ms for part in answered if part.latency_ms is not None]
    valid = [part.facts.get("response_valid") for part in answered]
    return Finding(
        status=status,
        told=trouble.cause or "; ".join(f"{name}: {part.told}" for name, part in parts.items()),
        latency_ms=min(times, default=None),
        facts={"response_valid": any(valid) if any(one is not None for one in valid) else None if answered else False},
        cause=trouble.cause,
        command=trouble.command,
        runbook=trouble.runbook,
        parts=parts,
    )


async def _server(look: Look, server: Server) -> Finding:
    answers = look.paid or not server.priced
    began = time.monotonic()
    try:
        tried = await try_server(server, seconds=SECONDS / 3 - 1, answers=answers, tools=server.role == "main")
    except ModelError as error:
        return _unanswered(server, error)
    took = tried.seconds if tried.seconds is not None else time.monotonic() - began
    return _judged(look, server, tried, took=took)


def _unanswered(server: Server, error: ModelError) -> Finding:
    url = f"{server.url.rstrip('/')}/models"
    if isinstance(error, ModelDenied):
        command = "leadline init"
    elif isinstance(error, ModelTimeout):
        command = "nvidia-smi"
    else:
        command = f"curl -sS -m 5 {url}"
    return failed(error, command=command, runbook=RUNBOOK, facts={"response_valid": False})


def _judged(look: Look, server: Server, tried: Tried, *, took: float) -> Finding:
    facts: dict[str, Json] = {"response_valid": tried.answered, "window": tried.window}
    facts |= {"tool_call_valid": tried.tool_call, "json_valid": tried.json, "priced": server.priced}
    name, wanted = server.section.name, look.settings.model.context
    if tried.listed and name not in tried.listed:
        offered = ", ".join(tried.listed[:5])
        cause = f"{server.url} does not list the model {name}; it has {offered}"
        return failed(cause, command="leadline init", runbook=RUNBOOK, facts=facts)
    problem = ""
    if tried.answered is False:
        problem = f"{server.url} answered nothing"
    elif tried.malformed:
        problem = f"{server.url}: {'; '.join(tried.malformed)}"
    if problem:
        found = warned(problem, command="leadline settings", runbook=_MALFORMED, facts=facts)
    elif server.role == "main" and wanted is not None and tried.window is not None and wanted > tried.window:
        cause = f"`model.context` is {wanted}, but {server.url} has a window of {tried.window} tokens"
        found = warned(cause, command="leadline settings", runbook=RUNBOOK, facts=facts)
    elif tried.answered and took > _SLOW:
        cause = f"{server.url} took {took:.0f} s for one short answer"
        found = warned(cause, command="nvidia-smi", runbook=RUNBOOK, facts=facts)
    else:
        found = Finding(told=_well(tried, took), facts=facts)
    return Finding(
        status=found.status,
        told=found.told,
        latency_ms=round(took * 1000),
        facts=facts,
        cause=found.cause,
        command=found.command,
        runbook=found.runbook,
    )


def _well(tried: Tried, took: float) -> str:
    if tried.answered is None:
        return "lists its models; it costs money, so no answer was asked for: --paid"
    window = f", window {tried.window}" if tried.window else ""
    return f"answers in {took:.2f} s{window}, " + ("tool call and JSON read" if tried.tool_call else "JSON read")


async def embeddings(look: Look) -> Finding:
    """Have one short text made into a vector."""
    section = look.settings.embed
    if section.url is None:
        return off("no server of vectors is set: documents are found by their words")
    try:
        length = await try_vectors(look.settings, seconds=10.0)
    except ModelError as error:
        return failed(error, command=f"curl -sS -m 5 {section.url.rstrip('/')}/models", runbook=RUNBOOK)
    return Finding(told=f"{section.name}: vectors of {length} numbers", facts={"length": length})


async def rerank(look: Look) -> Finding:
    """Have two short texts put in order."""
    section = look.settings.rerank
    if section.url is None:
        return off("no server that reranks is set: hits are in the order of their providers' ranks")
    try:
        await try_ranking(look.settings, seconds=section.seconds)
    except ModelError as error:
        return failed(error, command=f"curl -sS -m 5 {section.url.rstrip('/')}/models", runbook=RUNBOOK)
    return Finding(told=f"{section.name}: puts hits in order")
