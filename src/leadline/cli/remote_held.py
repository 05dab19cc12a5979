"""Schedules, secrets and the audit log of a service elsewhere, as the commands show those of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leadline.cli.remote_keys import at, moment_of
from leadline.client import AsyncClient, AuditView, ScheduleView, SecretView
from leadline.ports.accounts import AuditEntry, Deed, Outcome, SecretInfo
from leadline.ports.holdings import Schedule

_MOST: Final = 200
"""Entries that a service gives at a time."""


def schedule_of(view: ScheduleView) -> Schedule:
    """Return a schedule of a service; its tenant is the asking key's own, and not told."""
    return Schedule(
        id=view.id,
        tenant="",
        name=view.name,
        question=view.question,
        options=view.options,
        when=view.when,
        zone=view.zone,
        created_at=at(view.created_at),
        made_by=view.made_by,
        next_at=moment_of(view.next_at),
        last_at=moment_of(view.last_at),
        last_run=view.last_run,
        reason=view.reason,
    )


def secret_of(view: SecretView) -> SecretInfo:
    """Return a secret of a service, as it is listed."""
    return SecretInfo(name=view.name, key_id=view.key_id, updated_at=at(view.updated_at))


async def audit_of(client: AsyncClient, limit: int) -> Sequence[AuditEntry]:
    """Return the newest entries of a service's audit log; the hash before each is not told."""
    found: list[AuditView] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await client.audit(limit=min(_MOST, limit - len(found)), cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return [_entry(view) for view in found]


def _entry(view: AuditView) -> AuditEntry:
    deed = Deed(
        tenant="",
        actor=view.actor,
        action=view.action,
        kind=view.kind,
        object=view.object,
        source=view.source,
        outcome=Outcome(view.outcome),
    )
    return AuditEntry(seq=view.number, at=at(view.at), deed=deed, previous="", hash=view.hash)
