"""Where runs, bodies, accounts and answers are kept: written to, read from; and what waits in the queue."""

from __future__ import annotations

import asyncio
from typing import Final

from leadline.domain import Json
from leadline.errors import LeadlineError, MissingExtra, StoreError, StoreUnavailable
from leadline.ops.doctor.finding import Finding, Status, failed, off, warned
from leadline.ops.doctor.look import Look
from leadline.settings import Settings
from leadline.settings.cache import OFF
from leadline.wiring import migrate_status
from leadline.wiring.loaded import loaded
from leadline.wiring.probe_places import (
    RedisSeen,
    has_broker,
    look_at_broker,
    look_at_redis,
    try_accounts,
    try_blobs,
    try_cache,
    try_event_log,
    try_store,
)
from leadline.wiring.store import tables_lack

LONG_WAIT: Final = 300.0
"""Seconds for which a run may wait for a worker before that is a fault."""

FAR_BEHIND: Final = 300.0
"""Seconds that the event log may be behind the journal."""

SOON: Final = 7 * 86_400.0
_PAGE: Final = "docs/diagnosis.md"
_MEMORY: Final = "docs/runbooks/memory.md"
_FULL: Final = 0.9


async def store(look: Look) -> Finding:
    """Write to the run store and read it back."""
    kind = look.settings.store.partition(":")[0]
    if kind != "postgresql":
        _ = await try_store(look.settings, await look.folder())
        return Finding(told="sqlite: written and read", facts={"kind": kind})
    try:
        return await _postgres(look)
    except StoreUnavailable as error:
        return failed(error, command='pg_isready -d "$LEADLINE_STORE"', runbook="docs/runbooks/store-down.md")


async def _postgres(look: Look) -> Finding:
    """Look at the tables, write and read back. Raises `StoreError`."""
    await loaded("leadline.tasks.postgres", "leadline.tasks.postgres.lacking", "leadline.accounts.schema")
    # Before the store is opened, which refuses such tables in words of its own. In a thread of its own: it imports
    # and reads files, which must not hold up a service's loop.
    wrong = await asyncio.to_thread(lambda: asyncio.run(_tables(look.settings)))
    if wrong is not None:
        return wrong
    _ = await try_store(look.settings, await look.folder())
    return Finding(told="postgresql: written and read, tables up to date", facts={"kind": "postgresql"})


async def _tables(settings: Settings) -> Finding | None:
    """Return what is wrong with the tables of PostgreSQL: their version, or something that was taken from them."""
    page = f"{_PAGE}#store"
    behind = [one for one in await migrate_status(settings) if one.found != one.wanted]
    if behind:
        part = behind[0]
        cause = f"the tables of {part.part} are at {part.found or 'nothing'}, this version wants {part.wanted}"
        return failed(cause, command="leadline migrate up", runbook=page)
    lack = await tables_lack(settings)
    if not lack:
        return None
    first = next((one for one in lack if one.mend is None), lack[0])
    others = f", and {len(lack) - 1} more" if len(lack) > 1 else ""
    cause = f"the database has not the {first.what} that this version made there{others}"
    command = "leadline restore SRC" if first.mend is None else f'psql "$LEADLINE_STORE" -c "{first.mend}"'
    return failed(cause, command=command, runbook=page)


async def queue(look: Look) -> Finding:
    """Tell how much waits, for how long, and whose worker has gone silent."""
    depth = await try_store(look.settings, await look.folder())
    # At least these: claimable runs beyond the queued ones are running ones whose lease ran out.
    stuck = max(0, depth.claimable - depth.queued)
    facts: dict[str, Json] = {"queued": depth.queued, "running": depth.running, "waiting": depth.waiting}
    facts |= {"oldest_seconds": depth.oldest, "stuck_leases": stuck}
    told = f"{depth.queued} queued, {depth.running} running, {depth.waiting} waiting for a person"
    page = f"{_PAGE}#queue"
    if depth.oldest is not None and depth.oldest > LONG_WAIT:
        cause = f"a run has waited for a worker for {depth.oldest / 60:.0f} minutes; {told}"
        return warned(cause, command="leadline worker", runbook=page, facts=facts)
    if stuck:
        cause = f"{stuck} runs are held by workers that are silent, and nobody has taken them over; {told}"
        return warned(cause, command="leadline worker", runbook=page, facts=facts)
    return Finding(told=told, facts=facts)


async def blobs(look: Look) -> Finding:
    """Store a body, read it back, take it away."""
    await try_blobs(look.settings, await look.folder())
    kind = look.settings.blobs.partition(":")[0]
    return Finding(told=f"{kind}: written and read", facts={"kind": kind})


async def cache(look: Look) -> Finding:
    """Store an answer, read it back; look at the Redis where it is one."""
    place = look.settings.cache
    if place.scheme == OFF:
        return off("`cache` is `off`: every page is fetched anew")
    try:
        held = await try_cache(look.settings, await look.folder())
    except LeadlineError as error:
        # Runs go on without: each answer is fetched again.
        return failed(error, command=_way(str(place)), runbook=f"{_PAGE}#cache")
    facts: dict[str, Json] = {"kind": place.scheme, "bytes": held}
    if not place.scheme.startswith("redis"):
        return Finding(told=f"{place.scheme}: written and read, {_mib(held or 0)}", facts=facts)
    seen = await look_at_redis(place.url)
    facts |= _facts(seen)
    if not seen.most:
        cause = f"the Redis of `cache` ({place}) has no bound: set maxmemory, or it takes all memory"
        return warned(cause, command="redis-cli config set maxmemory 1gb", runbook=_MEMORY, facts=facts)
    if seen.policy == "noeviction":
        cause = f"the Redis of `cache` ({place}) refuses writes once it is full: its policy is noeviction"
        command = "redis-cli config set maxmemory-policy allkeys-lru"
        return warned(cause, command=command, runbook=f"{_PAGE}#cache", facts=facts)
    return Finding(told=f"{place.scheme}: written and read, {_mib(seen.used)} of {_mib(seen.most)}", facts=facts)


async def limits(look: Look) -> Finding:
    """Look at the Redis in which limits are counted."""
    place = look.settings.limits
    if place.scheme == "memory":
        return Finding(told="counted by each process by itself", facts={"kind": "memory"})
    try:
        seen = await look_at_redis(place.url)
    except StoreError as error:
        share = look.settings.outgoing.alone
        cause = f"{error}; each process allows itself {share:g} of each limit meanwhile"
        return failed(cause, command=_way(str(place)), runbook=f"{_PAGE}#limits")
    if seen.most and seen.policy != "noeviction":
        cause = f"the Redis of `limits` ({place}) may forget counts: its policy is {seen.policy}"
        command = "redis-cli config set maxmemory-policy noeviction"
        return warned(cause, command=command, runbook=f"{_PAGE}#limits", facts=_facts(seen))
    return Finding(told=f"{place}: answers", facts=_facts(seen))


async def broker(look: Look) -> Finding:
    """Look at the Redis that wakes workers, and how many tickets lie there."""
    if not has_broker(look.settings):
        return off(f"the engine `{look.settings.engine}` has none")
    try:
        seen, tickets = await look_at_broker(look.settings.engine)
    except ImportError:
        raise MissingExtra("the engine `celery` needs an extra: pip install 'leadline[celery]'") from None
    except StoreError as error:
        cause = f"{error}; no run is lost, workers look into the store until it is back"
        return failed(cause, command="redis-cli -u REDIS-URL ping", runbook=f"{_PAGE}#broker")
    facts = {**_facts(seen), "tickets": tickets}
    if seen.most and seen.policy != "noeviction":
        cause = f"the broker may forget tickets: its policy is {seen.policy}"
        command = "redis-cli config set maxmemory-policy noeviction"
        return warned(cause, command=command, runbook=f"{_PAGE}#broker", facts=facts)
    return Finding(told=f"answers, {tickets} tickets", facts=facts)


async def event_log(look: Look) -> Finding:
    """Reach the event log, and tell how far it is behind."""
    place = look.settings.event_log
    if place.scheme == OFF:
        return off("`event_log` is `off`: the journal is in the store")
    try:
        lag = await try_event_log(look.settings, await look.folder())
    except StoreError as error:
        return failed(error, command="leadline ship --status", runbook=f"{_PAGE}#event-log")
    facts: dict[str, Json] = {"behind_events": lag.rows, "behind_seconds": lag.seconds}
    if lag.seconds > FAR_BEHIND:
        cause = f"{place} is {lag.rows} events behind, the oldest of {lag.seconds / 60:.0f} minutes ago"
        return warned(cause, command="leadline ship", runbook=f"{_PAGE}#event-log", facts=facts)
    return Finding(told=f"{place}: reached, {lag.rows} events behind", facts=facts)


async def accounts(look: Look) -> Finding:
    """Read tenants and keys; tell of keys that end soon, and secrets that cannot be kept."""
    try:
        keys = await try_accounts(look.settings)
    except MissingExtra:
        return off("no service runs here: pip install 'leadline[server]'")
    now = look.clock.now()
    valid = [key for key in keys if key.valid(now)]
    ending = [key for key in valid if key.expires_at is not None and key.expires_at < now + SOON]
    ended = [key for key in keys if key.revoked_at is None and not key.valid(now)]
    facts: dict[str, Json] = {"keys": len(valid), "expired": len(ended), "expiring": len(ending)}
    facts["secrets_key"] = look.settings.secrets.key is not None
    told = f"{len(valid)} valid keys"
    page = f"{_PAGE}#accounts"
    if ending:
        first = min(ending, key=lambda key: key.expires_at or 0.0)
        days = ((first.expires_at or now) - now) / 86_400
        cause = f"{told}; {first.id} of tenant {first.tenant} ends in {days:.1f} days"
        return warned(cause, command=f"leadline keys rotate {first.id}", runbook=page, facts=facts)
    if ended and not valid:
        cause = f"every key has expired ({len(ended)}): nobody can ask the service"
        return Finding(
            status=Status.UNHEALTHY,
            told=cause,
            cause=cause,
            command="leadline keys create --name NAME",
            runbook=page,
            facts=facts,
        )
    return Finding(told=told, facts=facts)


def _facts(seen: RedisSeen) -> dict[str, Json]:
    return {
        "version": seen.version,
        "used_bytes": seen.used,
        "max_bytes": seen.most,
        "policy": seen.policy,
        "evicted": seen.evicted,
        "role": seen.role,
        "replicas": seen.replicas,
    }


def _way(place: str) -> str:
    return f"redis-cli -u {place} ping" if place.startswith("redis") else "leadline cache stats"


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
