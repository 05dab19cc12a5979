"""Keys of the tenant, what it used, who did what; and the question that a balancer asks of every request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, TypeAlias

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import StringConstraints

from leadline.errors import InputError, NotPermitted, WrongState
from leadline.ports.access import PERMITS, Action, Caller, Role
from leadline.ports.accounts import AuditEntry, Key, MadeKey
from leadline.service.deps import CallerDep, ObjectId, ServicesDep
from leadline.service.door import PASS, Limited
from leadline.service.paging import Limit, Page, Place, number_cursor, read_number
from leadline.service.routing import Routes, name_object, services_of
from leadline.service.shapes import AuditShown, DayShown, KeyMade, KeyShown, KeyTaken, RotationTaken
from leadline.service.shown import iso

Day: TypeAlias = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]

DAY: Final = 86_400.0
MONTH: Final = timedelta(days=30)
MOST_DAYS: Final = 366
MOST_KEYS: Final = 500
"""Keys that a tenant may have valid at a time: each has an allowance of its own."""


def routes() -> Routes:
    """Return the routes."""
    made = Routes("", tag="accounts")
    made.add("GET", "/v1/keys", keys, action=Action.KEYS_MANAGE, model=list[KeyShown])
    made.add("POST", "/v1/keys", make_key, action=Action.KEYS_MANAGE, status=201, model=KeyMade, errors=(409,))
    made.add("DELETE", "/v1/keys/{key_id}", revoke_key, action=Action.KEYS_MANAGE, model=KeyShown)
    made.add(
        "POST",
        "/v1/keys/{key_id}/rotate",
        rotate_key,
        action=Action.KEYS_MANAGE,
        status=201,
        model=KeyMade,
        errors=(409,),
    )
    made.add("GET", "/v1/usage", usage, action=Action.USAGE_READ, model=list[DayShown], errors=(400,))
    made.add("GET", "/v1/audit", audit, action=Action.AUDIT_READ, model=Page[AuditShown], errors=(400,))
    made.add("GET", "/internal/auth", ask_for_balancer, action=None, status=204, shown=False)
    return made


async def keys(services: ServicesDep, caller: CallerDep) -> list[KeyShown]:
    """List the tenant's keys, newest first, without their secrets."""
    return [key_shown(key) for key in await services.accounts.keys.list(caller.tenant)]


async def make_key(taken: KeyTaken, request: Request, *, services: ServicesDep, caller: CallerDep) -> KeyMade:
    """Make a key. `credential` is shown this once and never again.

    Nobody can make a key that may do more than its maker.
    """
    role = Role(taken.role)
    scopes = None if taken.scopes is None else frozenset(Action(scope) for scope in taken.scopes)
    _check_not_beyond(caller, role, scopes)
    now = services.platform.clock.now()
    _check_room(await services.accounts.keys.list(caller.tenant), now)
    made = await services.accounts.keys.create(
        caller.tenant,
        name=taken.name,
        role=role,
        made_by=caller.key,
        scopes=scopes,
        expires_at=None if taken.expires_in_days is None else now + taken.expires_in_days * DAY,
    )
    name_object(request, made.key.id)
    return _made(made)


async def revoke_key(key_id: ObjectId, services: ServicesDep, caller: CallerDep) -> KeyShown:
    """Revoke a key; every process refuses it from now on."""
    return key_shown(await services.accounts.keys.revoke(caller.tenant, key_id))


async def rotate_key(key_id: ObjectId, taken: RotationTaken, *, services: ServicesDep, caller: CallerDep) -> KeyMade:
    """Make a like key; the old one is accepted for a while more.

    Nobody gets a key so that may do more than oneself.
    """
    known = {key.id: key for key in await services.accounts.keys.list(caller.tenant)}
    if key_id in known:
        _check_not_beyond(caller, known[key_id].role, known[key_id].scopes)
    _check_room(list(known.values()), services.platform.clock.now())
    grace = taken.grace_hours * 3_600.0
    return _made(await services.accounts.keys.rotate(caller.tenant, key_id, grace=grace, made_by=caller.key))


async def usage(
    services: ServicesDep,
    caller: CallerDep,
    *,
    since: Annotated[Day | None, Query(description="The first day (UTC); without it, 30 days ago.")] = None,
    until: Annotated[Day | None, Query(description="The last day (UTC); without it, today.")] = None,
) -> list[DayShown]:
    """See what the tenant used, day by day, newest first; days without anything are left out."""
    today = datetime.fromtimestamp(services.platform.clock.now(), UTC).date()
    last = today if until is None else _day(until)
    first = max(date.min + MONTH, last) - MONTH if since is None else _day(since)
    if not 0 <= (last - first).days <= MOST_DAYS:
        raise InputError(f"from {first} to {last}: the first day comes first, and at most {MOST_DAYS} days are told")
    days = await services.accounts.holds.usage(caller.tenant, since=first.isoformat(), until=last.isoformat())
    return [DayShown.model_validate(day, from_attributes=True) for day in days]


async def audit(
    services: ServicesDep, caller: CallerDep, *, limit: Limit = 50, cursor: Place = None
) -> Page[AuditShown]:
    """See who did what in the tenant, newest first."""
    before = None if cursor is None else read_number(cursor)
    entries = await services.accounts.audit.list(caller.tenant, before=before, limit=limit)
    following = number_cursor(entries[-1].seq) if len(entries) == limit else None
    return Page(items=[_entry(entry) for entry in entries], next=following)


async def ask_for_balancer(request: Request) -> Response:
    """Tell a balancer whether a request may pass: 204, 401 or 403.

    What a limit refuses is 403 as well, for balancers know no other answer; `X-Leadline-Status` has
    the status to give the client. With 204 comes, to a balancer of `service.proxies`, the pass to send
    on, so that the service does not count the request again.
    """
    door = services_of(request).door
    caller = await door.caller(request.scope)
    try:
        await door.let_in(request.scope, caller)
    except Limited as refused:
        after = {} if refused.retry_after is None else {"Retry-After": str(max(1, round(refused.retry_after)))}
        return Response(status_code=403, headers={"X-Leadline-Status": str(refused.status), **after})
    passed = door.pass_for(request.scope, caller)
    given = {} if passed is None else {PASS: passed}
    return Response(
        status_code=204, headers={**given, "X-Leadline-Tenant": caller.tenant, "X-Leadline-Key": caller.key}
    )


def _check_not_beyond(caller: Caller, role: Role, scopes: frozenset[Action] | None) -> None:
    """Raise `NotPermitted` for a key that may do more than who asks for it."""
    beyond = [action for action in (PERMITS[role] if scopes is None else scopes) if not caller.may(action)]
    if beyond:
        raise NotPermitted(f"you may not yourself: {min(beyond)}")


def _check_room(keys: Sequence[Key], now: float) -> None:
    """Raise `WrongState` where a tenant has as many valid keys as it may have."""
    if sum(key.valid(now) for key in keys) >= MOST_KEYS:
        raise WrongState(f"there are {MOST_KEYS} valid keys already: revoke one first")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"there is no such day: {text}") from error


def key_shown(key: Key) -> KeyShown:
    """Return a key as it is listed."""
    return KeyShown(
        id=key.id,
        name=key.name,
        role=key.role.value,
        scopes=None if key.scopes is None else sorted(scope.value for scope in key.scopes),
        created_at=iso(key.created_at),
        made_by=key.made_by,
        expires_at=_iso(key.expires_at),
        last_used_at=_iso(key.last_used_at),
        revoked_at=_iso(key.revoked_at),
    )


def _made(made: MadeKey) -> KeyMade:
    return KeyMade(key=key_shown(made.key), credential=made.credential)


def _entry(entry: AuditEntry) -> AuditShown:
    deed = entry.deed
    return AuditShown(
        number=entry.seq,
        at=iso(entry.at),
        actor=deed.actor,
        action=deed.action,
        kind=deed.kind,
        object=deed.object,
        source=deed.source,
        outcome=deed.outcome.value,
        hash=entry.hash,
    )


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)
