"""A question as a request brings it, made into a run: checked, let in, and stored once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from leadline.api import asking
from leadline.api.amounts import wish_of, within
from leadline.codec import canonical
from leadline.domain import Budget, Length, Options, Policy, Question, StrategyName, sha256
from leadline.domain.run import Origin
from leadline.errors import InputError, LeadlineError, NotPermitted, SettingsError, StoreError, UnknownRun, WrongState
from leadline.ports import NewRun, Run
from leadline.ports.access import Action, Caller, Role
from leadline.ports.signals import Rejected
from leadline.service.door import Door, Limited, check_permitted
from leadline.service.runs import Runs, corpus_name
from leadline.service.shapes import ResearchTaken
from leadline.settings import Settings
from leadline.text.language import detect
from leadline.version import __version__
from leadline.wiring import Platform
from leadline.wiring.accounts import Accounts
from leadline.wiring.corpora import not_read_of

SCOPE: Final = "research:"
"""What keys of repeated requests begin with here, so that other resources may have the same keys."""

_PLAIN: Final = ("web", "scholar", "python", "since", "instructions", "researchers", "approve", "clarify")
_LISTS: Final = ("urls", "sites", "exclude")


class Asked(NamedTuple):
    """A run that was asked for. `new` is false where the same request came before."""

    run: Run
    new: bool


class Asking:
    """Starts runs for callers."""

    def __init__(self, *, settings: Settings, platform: Platform, accounts: Accounts, door: Door, runs: Runs) -> None:
        self._settings = settings
        self._platform = platform
        self._accounts = accounts
        self._door = door
        self._runs = runs

    async def start(self, taken: ResearchTaken, caller: Caller, *, origin: Origin, repeat: str | None = None) -> Asked:
        """Store a run for whoever has a free slot, or return the one that the same request made before.

        `repeat` is the request's `Idempotency-Key`. Raises `InputError` for what cannot be asked,
        `IdempotencyConflict`, `BudgetError`, `NotPermitted`, `UnknownRun` for a run to continue that is not the
        caller's, and `Limited`. What is refused is told as a signal.
        """
        try:
            return await self._started(taken, caller, origin=origin, repeat=repeat)
        except StoreError:
            raise  # that is no refusal
        except (LeadlineError, Limited) as error:
            self._platform.outgoing.signals.signal(Rejected(method=origin.method, reason=error.code))
            raise

    async def _started(self, taken: ResearchTaken, caller: Caller, *, origin: Origin, repeat: str | None) -> Asked:
        self._check_priority(taken, caller)
        text = asking.checked_question(taken.question)
        question = Question(text=text, language=taken.language or detect(text))
        options = await self._options(taken, text, caller)
        run_id = asking.new_run_id(self._platform.clock.now())
        if repeat is not None:
            run_id = await self._accounts.once.first(
                caller.tenant, SCOPE + repeat, body_hash=_hash_of(taken), object=run_id
            )
            known = await self._known(run_id, caller)
            if known is not None:
                return Asked(known, new=False)
        new = NewRun(
            id=run_id,
            tenant=caller.tenant,
            question=question,
            options=options,
            seed=secrets.randbits(32),
            priority=taken.priority,
            software=__version__,
            origin=origin,
        )
        wish = wish_of(new, key=caller.key, named=limits_named(taken))
        return await self._stored(within(new, await self._door.admit(wish)), caller)

    async def check(self, taken: ResearchTaken, caller: Caller) -> None:
        """Refuse what cannot be asked now, without asking it.

        Raises `InputError`, `NotPermitted`, `UnknownObject`, `UnknownRun`.
        """
        self._check_priority(taken, caller)
        await self._options(taken, asking.checked_question(taken.question), caller)

    def goes_first(self, caller: Caller) -> bool:
        """Return whether a caller's runs may go before those of other tenants."""
        return caller.role is Role.ADMIN and caller.tenant in self._settings.service.operators

    def _check_priority(self, taken: ResearchTaken, caller: Caller) -> None:
        """Let nobody go before other tenants but those who run the service. Raises `NotPermitted`."""
        if taken.priority > 0 and not self.goes_first(caller):
            raise NotPermitted("a priority above 0 takes an admin key of the tenants that run the service")

    async def _stored(self, new: NewRun, caller: Caller) -> Asked:
        try:
            return Asked(await self._platform.store.create(new), new=True)
        except WrongState:
            # Of two equal requests at once the other one was quicker.
            known = await self._known(new.id, caller)
            if known is None:
                raise
            return Asked(known, new=False)

    async def _known(self, run_id: str, caller: Caller) -> Run | None:
        try:
            return await self._runs.get(run_id, tenant=caller.tenant)
        except UnknownRun:
            return None

    async def _options(self, taken: ResearchTaken, text: str, caller: Caller) -> Options:
        """Return a run's options.

        Raises `InputError`, also for what this service is not set up for, and `NotPermitted`.
        """
        platform, settings = self._platform, self._settings
        overrides = overrides_of(taken)
        # A report quotes what its run has read: who may not read it may not have it quoted either.
        if taken.corpora:
            check_permitted(caller, Action.CORPORA_READ)
            overrides["corpora"] = await self._corpora(taken.corpora, caller)
            corpora = tuple(dict.fromkeys(taken.corpora))
            overrides["not_read"] = await not_read_of(self._accounts.corpora, caller.tenant, corpora)
        if taken.continues is not None:
            check_permitted(caller, Action.RUNS_READ)
            overrides["ledger_of"] = (await self._runs.get(taken.continues, tenant=caller.tenant)).id
        try:
            options = asking.options_of(settings, overrides, can_compute=platform.can_compute)
            options = replace(options, budget=budget_of(taken, options.budget))
            options = asking.checked(options, settings, platform.models)
            asking.check_tools(options, can_compute=platform.can_compute)
            if taken.servers:
                options = asking.with_external(options, await platform.external.offered(taken.servers))
            return asking.decided(await asking.with_window(options, settings, platform.models), text)
        except SettingsError as error:
            raise InputError(f"this service is not set up for what is asked: {_wants(taken)}") from error

    async def _corpora(self, ids: Sequence[str], caller: Caller) -> tuple[str, ...]:
        """Return the tenant's corpora as runs name them, at their present versions. Raises `UnknownObject`."""
        found = [await self._accounts.corpora.get(caller.tenant, id) for id in dict.fromkeys(ids)]
        return tuple(corpus_name(corpus.id, corpus.version) for corpus in found)


def overrides_of(taken: ResearchTaken) -> dict[str, Any]:
    """Return what a request says of a run's options, by field name of `Options`."""
    found: dict[str, Any] = {name: getattr(taken, name) for name in _PLAIN if getattr(taken, name) is not None}
    found |= {name: tuple(getattr(taken, name)) for name in _LISTS}
    found["strategy"] = StrategyName(taken.strategy)
    if taken.web is None:
        found["web"] = not (taken.corpora or taken.urls)
    if taken.policy is not None:
        found["policy"] = Policy(taken.policy)
    if taken.length is not None:
        found["length"] = Length(taken.length)
    if taken.json_schema is not None:
        found["schema"] = taken.json_schema
    return found


def budget_of(taken: ResearchTaken, default: Budget) -> Budget:
    """Return a run's budget: what the request names, else what is set."""
    return replace(default, **limits_named(taken))


def _hash_of(taken: ResearchTaken) -> str:
    """Return what equal requests share, also with those of before there were priorities."""
    return sha256(canonical(taken.model_dump(exclude=None if taken.priority else {"priority"})))


def limits_named(taken: ResearchTaken) -> dict[str, Any]:
    """Return what the request names of a run's budget, by field name of `Budget`."""
    return {name: value for name, value in taken.budget.model_dump().items() if value is not None}


def _wants(taken: ResearchTaken) -> str:
    """Name what in a request may need something that a service lacks."""
    named = {"a model": taken.approve or taken.clarify or taken.json_schema is not None, "programs": taken.python}
    wants = [f"the strategy `{taken.strategy}`", *(name for name, wanted in named.items() if wanted)]
    return ", ".join(wants)
