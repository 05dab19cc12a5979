"""Schedules become runs: each due time once, whichever of many processes comes first."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from leadline.api import asking
from leadline.api.amounts import wish_of, within
from leadline.domain import Json, Length, Options, Origin, Policy, Question, StrategyName
from leadline.errors import InputError, LeadlineError, LeaseLost, UnknownObject, UnknownRun, WrongState
from leadline.ports import MOST_PRIORITY, NewRun
from leadline.ports.admission import Admission, Refused
from leadline.ports.holdings import Due, Schedule
from leadline.ports.signals import Rejected
from leadline.settings import Settings
from leadline.text.language import detect
from leadline.version import __version__
from leadline.wiring import Platform
from leadline.wiring.accounts import Accounts, gate_of, open_accounts
from leadline.wiring.corpora import not_read_of
from leadline.wiring.owners import new_owner

log = logging.getLogger("leadline.schedules")

LOOK_SECONDS: Final = 5.0
_PASSED_ON: Final = 50
"""Runs without a report in a row, behind which a schedule begins anew."""

LEASE_SECONDS: Final = 60.0
"""Seconds for which a process holds what it fires; after them another one may, should it have died."""

_REASON: Final = 500
"""Characters of why a schedule was not fired."""

_KINDS: Final[Mapping[str, type]] = {
    **dict.fromkeys(("web", "scholar", "python", "approve", "clarify"), bool),
    **dict.fromkeys(("since", "instructions", "strategy", "policy", "length", "language", "continues"), str),
    **dict.fromkeys(("corpora", "urls", "sites", "exclude", "servers"), list),
    **dict.fromkeys(("budget", "json_schema"), dict),
    "researchers": int,
    "priority": int,
}
_BESIDE: Final = frozenset({"budget", "continues", "language", "servers", "priority"})
"""What a request says that is no field of `Options`, or not as it says it."""
_LIMITS: Final[Mapping[str, tuple[type, ...]]] = {
    "steps": (int,),
    "tokens": (int,),
    "seconds": (int, float),
    "usd": (int, float),
}
_NAMED: Final = {"strategy": StrategyName, "policy": Policy, "length": Length}


class _Gone(UnknownObject):
    """What a schedule searches is there no more."""


class Scheduler:
    """Fires what is due; `owner` names this process."""

    def __init__(self, *, accounts: Accounts, running: Platform, admission: Admission, owner: str) -> None:
        self._accounts = accounts
        self._running = running
        self._admission = admission
        self._owner = owner

    async def fire(self) -> list[str]:
        """Make a run for each schedule that is due and return their ids.

        One whose corpus is gone is paused, and says why: nothing but its owner can help it. What
        cannot be asked now is postponed, and the log told once a reason.
        Raises `StoreUnavailable`, `StoreFull`.
        """
        made = []
        for due in await self._accounts.schedules.due(self._owner, lease=LEASE_SECONDS):
            try:
                if await self._fire(due):
                    made.append(due.run_id)
            except _Gone as error:
                await self._rest(due, str(error.__cause__))
            except LeaseLost:
                continue  # whoever has it now made the same run
            except LeadlineError as error:
                await self._postpone(due, str(error))
        return made

    async def _postpone(self, due: Due, reason: str) -> None:
        try:
            postponed = await self._accounts.schedules.postpone(due, reason=reason[:_REASON])
        except LeaseLost:
            return  # whoever has it now comes to an end of its own
        if postponed.reason not in {None, due.schedule.reason}:
            log.warning("schedule_not_fired", extra={"schedule": due.schedule.id, "reason": postponed.reason})

    async def _rest(self, due: Due, reason: str) -> None:
        try:
            await self._accounts.schedules.rest(due, reason=reason)
        except LeaseLost:
            return  # whoever has it now comes to the same end
        log.warning("schedule_paused", extra={"schedule": due.schedule.id, "reason": reason})

    async def _fire(self, due: Due) -> bool:
        new = await self._new(due)
        named = limits_of(due.schedule.options)
        answer = await self._admission.admit(wish_of(new, key=f"schedule:{due.schedule.id}", named=named))
        if isinstance(answer, Refused):
            signals = self._running.outgoing.signals
            signals.signal(Rejected(method=new.origin.method, reason=str(answer.limit)))
            await self._postpone(due, answer.message)
            return False
        try:
            await self._running.store.create(within(new, answer))
        except WrongState:
            log.info(
                "schedule_fired_before", extra={"schedule": due.schedule.id}
            )  # who made the run died before it said so
        await self._accounts.schedules.fired(due, run_id=new.id)
        return True

    async def _new(self, due: Due) -> NewRun:
        schedule, running = due.schedule, self._running
        text = asking.checked_question(schedule.question)
        settings = running.settings
        said, overrides = schedule.options, overrides_of(schedule.options)
        overrides.setdefault("web", not (overrides.get("corpora") or overrides.get("urls")))
        if overrides.get("corpora"):
            named = tuple(dict.fromkeys(overrides["corpora"]))
            overrides["corpora"] = await self._corpora(schedule.tenant, named)
            overrides["not_read"] = await not_read_of(self._accounts.corpora, schedule.tenant, named)
        earlier = await self._earlier(schedule.tenant, schedule.last_run)
        overrides["ledger_of"] = earlier or await self._earlier(schedule.tenant, _text(said.get("continues")))
        options: Options = asking.options_of(settings, overrides, can_compute=running.can_compute)
        options = replace(options, budget=replace(options.budget, **limits_of(said)))
        options = asking.checked(options, settings, running.models)
        if servers := _texts(said.get("servers")):
            options = asking.with_external(options, await running.external.offered(servers))
        options = asking.decided(await asking.with_window(options, settings, running.models), text)
        return NewRun(
            id=due.run_id,
            tenant=schedule.tenant,
            question=Question(text=text, language=_text(said.get("language")) or detect(text)),
            options=options,
            # Of two processes that make the same run, each makes the same.
            seed=int.from_bytes(hashlib.blake2b(due.run_id.encode(), digest_size=4).digest()),
            priority=priority_of(schedule, operators=settings.service.operators),
            software=__version__,
            origin=Origin(method="schedule", request=schedule.id),
        )

    async def _corpora(self, tenant: str, names: Iterable[str]) -> tuple[str, ...]:
        try:
            found = [await self._accounts.corpora.get(tenant, name) for name in names]
        except UnknownObject as error:
            raise _Gone from error
        return tuple(f"{corpus.id}@{corpus.version}" for corpus in found)

    async def _earlier(self, tenant: str, run_id: str | None) -> str | None:
        """Return the last run with a report: its evidence is at hand from the start, its report is compared with.

        A run that failed or was cancelled passes on the one that it went on with itself.
        """
        for _ in range(_PASSED_ON):
            if run_id is None:
                return None
            try:
                run = await self._running.store.get(run_id, tenant=tenant)
            except UnknownRun:
                return None
            if run.report is not None:
                return run.id
            run_id = run.options.ledger_of
        return None


def overrides_of(options: Mapping[str, Json]) -> dict[str, Any]:
    """Return what a schedule says of a run's options, by field name of `Options`. Raises `InputError`."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if value is None and name in _KINDS:
            continue  # said, but as the default has it
        kind = _KINDS.get(name)
        if kind is None or type(value) is not kind:
            raise InputError(f"a schedule's option is none: {name[:80]}")
        if name in _BESIDE:
            continue
        try:
            found["schema" if name == "json_schema" else name] = _NAMED[name](str(value)) if name in _NAMED else value
        except ValueError as error:
            raise InputError(f"a schedule's option `{name}` has no such value: {str(value)[:80]}") from error
        if isinstance(value, list):
            found[name] = tuple(str(item) for item in value)
    return found


def priority_of(schedule: Schedule, *, operators: Collection[str]) -> int:
    """Return the priority of a schedule's runs, within its bounds.

    Above 0 they go only where the service's operators wish it still: for their own tenants, and for
    what was added on the machine itself.
    """
    said = schedule.options.get("priority")
    wanted = max(-MOST_PRIORITY, min(MOST_PRIORITY, said)) if isinstance(said, int) else 0
    above = schedule.tenant in operators or schedule.made_by.startswith("operator:")
    return wanted if above else min(0, wanted)


def limits_of(options: Mapping[str, Json]) -> dict[str, Any]:
    """Return what a schedule says of a run's budget, by field name of `Budget`. Raises `InputError`."""
    given = options.get("budget") or {}
    named = given if isinstance(given, dict) else {}
    found = {name: value for name, value in named.items() if value is not None}
    for name, value in found.items():
        if name not in _LIMITS or type(value) not in _LIMITS[name] or value <= 0:
            raise InputError(f"a schedule's budget is none: {name[:80]}")
    return found


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


async def scheduler_of(settings: Settings, accounts: Accounts, running: Platform) -> Scheduler:
    """Return what fires the schedules of `accounts`, within the limits of the settings."""
    gate = await gate_of(settings, accounts, outgoing=running.outgoing, store=running.store)
    return _scheduler(accounts, running, gate.admission)


def _scheduler(accounts: Accounts, running: Platform, admission: Admission) -> Scheduler:
    owner = new_owner()
    return Scheduler(accounts=accounts, running=running, admission=admission, owner=owner)


async def keep_firing(scheduler: Scheduler) -> None:
    """Fire what is due, every few seconds, until cancelled."""
    while True:
        try:
            await scheduler.fire()
        except LeadlineError as error:
            log.warning("schedules_not_read", extra={"reason": str(error)})
        await asyncio.sleep(LOOK_SECONDS)


async def keep_settling(admission: Admission, *, seconds: float) -> None:
    """Give back what ended runs had set aside, every so many `seconds`, until cancelled.

    A service does so for the runs that it let in; this is for when only workers are left.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            await admission.reconcile()
        except LeadlineError as error:
            log.warning("runs_not_settled", extra={"reason": str(error)})


@asynccontextmanager
async def firing(running: Platform) -> AsyncIterator[None]:
    """Fire schedules and settle ended runs while the context is open; without accounts there are neither."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_work_here(running), name="schedules")
        try:
            yield
        finally:
            task.cancel()


async def _work_here(running: Platform) -> None:
    settings = running.settings
    try:
        async with open_accounts(settings) as accounts:
            gate = await gate_of(settings, accounts, outgoing=running.outgoing, store=running.store)
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_firing(_scheduler(accounts, running, gate.admission)), name="fire")
                settling = keep_settling(gate.admission, seconds=settings.service.upkeep_seconds)
                group.create_task(settling, name="settle")
    except LeadlineError as error:
        log.warning("schedules_rest", extra={"reason": str(error)})
